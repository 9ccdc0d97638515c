//! Compile the paths that are selected into what a record is searched for.

use super::MOST_KEYS;
use super::path::{FieldType, FieldsError, Step, parse, parse_typed, type_named};
use crate::record::{KeyNames, Record, Slot};
use std::ops::Range;

/// Where a value was found in a record's bytes.
pub(crate) type Span = Option<Range<usize>>;

/// A column: its name, its type, and the number of its path.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) name: String,
    pub(crate) kind: FieldType,
    pub(crate) place: usize,
}

/// A condition: the value at a path is one of these strings.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) place: usize,
    pub(crate) texts: Vec<String>,
}

/// The columns to read, and the records to read them of.
#[derive(Clone, Debug)]
pub struct FieldsPlan {
    pub(crate) names: KeyNames,
    pub(crate) columns: Vec<Selected>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) selected: Paths,
    pub(crate) filtered: Paths,
}

/// What a path is given as: `path`, `path:type`, or both apart.
pub type GivenPath<'a> = (&'a str, Option<&'a str>);

impl FieldsPlan {
    /// Compile columns (name and path) and conditions (path and the strings that its value may be; all of
    /// them must hold).
    pub fn new(
        select: &[(&str, GivenPath)],
        conditions: &[(&str, Vec<String>)],
    ) -> Result<FieldsPlan, FieldsError> {
        if select.is_empty() {
            return Err(FieldsError::Empty);
        }
        let mut keys: Vec<String> = Vec::new();
        let (mut selected, mut filtered) = (Paths::default(), Paths::default());
        let mut columns: Vec<Selected> = Vec::new();
        for (name, (path, kind)) in select {
            let (steps, kind) = match kind {
                Some(kind) => (parse(path)?, type_named(kind, path)?),
                None => parse_typed(path)?,
            };
            if columns.iter().any(|column| column.name == *name) {
                return Err(FieldsError::Twice((*name).to_owned()));
            }
            let place = selected.add(&steps, &mut keys);
            columns.push(Selected { name: (*name).to_owned(), kind, place });
        }
        let mut filters = Vec::new();
        for (path, texts) in conditions {
            if texts.is_empty() {
                return Err(FieldsError::NoTexts((*path).to_owned()));
            }
            let place = filtered.add(&parse(path)?, &mut keys);
            filters.push(Filter { place, texts: texts.clone() });
        }
        if keys.len() > MOST_KEYS {
            return Err(FieldsError::TooMany(keys.len()));
        }
        Ok(FieldsPlan { names: KeyNames::Wanted(keys.into()), columns, filters, selected, filtered })
    }

    /// The names and types of the columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, FieldType)> {
        self.columns.iter().map(|column| (&*column.name, column.kind))
    }
}

/// Different paths, as a tree for each key at depth 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    /// The keys at depth 1, by their places among the names, and what is wanted under each.
    roots: Vec<(usize, Node)>,
    pub(crate) count: usize,
}

/// What is wanted of a value and under it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// The number of the path that ends here, if one does.
    pub(crate) place: Option<usize>,
    pub(crate) children: Vec<Child>,
    /// The numbers of all paths that end below.
    pub(crate) below: Vec<usize>,
}

/// A member or element that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) step: Step,
    /// The key's bytes can be compared with the name's: it needs no escapes.
    pub(crate) plain: bool,
    pub(crate) node: Node,
}

/// Return whether a text in JSON has these bytes, unless it is written with escapes that it does not need.
pub(crate) fn is_plain(text: &str) -> bool {
    // Bytes that are not UTF-8 decode to U+FFFD, too.
    !text.chars().any(|c| c < ' ' || matches!(c, '"' | '\\' | char::REPLACEMENT_CHARACTER))
}

impl Paths {
    /// Add a path and return its number; a path that is there already has one.
    fn add(&mut self, steps: &[Step], keys: &mut Vec<String>) -> usize {
        let (first, rest) = steps.split_first().expect("a path has a step");
        let key = keys.iter().position(|key| *key == first.name).unwrap_or_else(|| {
            keys.push(first.name.clone());
            keys.len() - 1
        });
        let at = self.roots.iter().position(|(root, _)| *root == key).unwrap_or_else(|| {
            self.roots.push((key, Node::default()));
            self.roots.len() - 1
        });
        let mut node = &self.roots[at].1;
        let known = rest.iter().try_fold(&mut node, |node, step| {
            *node = &node.children.iter().find(|child| child.step == *step)?.node;
            Some(node)
        });
        if let Some(place) = known.and_then(|node| node.place) {
            return place;
        }
        let place = self.count;
        self.count += 1;
        let mut node = &mut self.roots[at].1;
        for step in rest {
            node.below.push(place);
            let child = node.children.iter().position(|child| child.step == *step).unwrap_or_else(|| {
                let plain = is_plain(&step.name);
                node.children.push(Child { step: step.clone(), plain, node: Node::default() });
                node.children.len() - 1
            });
            node = &mut node.children[child].node;
        }
        node.place = Some(place);
        place
    }

    /// Find the values of a record at all paths.
    #[inline]
    pub(crate) fn find(&self, record: &Record, spans: &mut Vec<Span>) {
        spans.clear();
        spans.resize(self.count, None);
        for (key, node) in &self.roots {
            let Some(range) = record.range(Slot::of_wanted(*key)) else { continue };
            if !node.children.is_empty() {
                super::walk::walk(record.bytes(), range.clone(), node, spans);
            }
            if let Some(place) = node.place {
                spans[place] = Some(range);
            }
        }
    }
}
