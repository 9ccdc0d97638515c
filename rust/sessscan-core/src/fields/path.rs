//! Parse the paths that name values inside records, and the types that are asked for.

/// Why values cannot be selected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FieldsError {
    /// A text is no path.
    #[error("no path: {path:?}: {reason}")]
    Path {
        /// What was given.
        path: String,
        /// What is wrong with it, and what a path looks like.
        reason: &'static str,
    },
    /// There is no such type.
    #[error(
        "no type: {given:?} in {path:?} (int, float, str, bool, time, json, text); a colon that is part of a key is written \\:"
    )]
    Type {
        /// What was given.
        given: String,
        /// Where it was given.
        path: String,
    },
    /// There are no columns.
    #[error("nothing is selected: name at least one field, as {{\"model\": \"message.model\"}}")]
    Empty,
    /// Two columns have one name.
    #[error("two columns are named {0:?}")]
    Twice(String),
    /// A filter takes no value at all.
    #[error("where {0:?} is to be one of no texts, which no record is: give at least one")]
    NoTexts(String),
    /// The paths begin with too many different keys.
    #[error("the paths begin with {0} different keys; at most {max} can be read at once", max = super::MOST_KEYS)]
    TooMany(usize),
}

macro_rules! types {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal,)*) => {
        /// The type of a column: which values it takes. Any other value is null there, and counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FieldType {
            $($(#[doc = $doc])* $kind,)*
        }

        impl FieldType {
            /// All types.
            pub const ALL: &[FieldType] = &[$(FieldType::$kind,)*];

            /// Return its name.
            pub fn name(self) -> &'static str {
                match self { $(FieldType::$kind => $name,)* }
            }

            /// Return the type of this name.
            pub fn named(name: &str) -> Option<FieldType> {
                match name { $($name => Some(FieldType::$kind),)* _ => None }
            }
        }
    };
}

types! {
    /// Numbers without fraction and exponent that fit 64 bits.
    Int = "int",
    /// Numbers, as the nearest double; not those that are too large for one.
    Float = "float",
    /// Strings.
    Str = "str",
    /// `true` and `false`.
    Bool = "bool",
    /// Strings that are times of RFC 3339 with a zone, in epoch milliseconds.
    Time = "time",
    /// All values but null, as JSON.
    Json = "json",
    /// Strings as they are, and all other values but null as JSON.
    Text = "text",
}

/// A step of a path: the key of a member, or the number of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The number that the name is, if it can be that of an element.
    pub(crate) index: Option<u64>,
}

/// Parse `path` or `path:type`, such as `message.usage.input_tokens:int`. Keys and numbers of elements stand
/// between dots; a dot, colon or backslash that is part of a key has a backslash before it.
pub(crate) fn parse_typed(given: &str) -> Result<(Vec<Step>, FieldType), FieldsError> {
    let (path, kind) = split_type(given);
    let Some(kind) = kind else { return Ok((parse(path)?, FieldType::Text)) };
    Ok((parse(path)?, type_named(kind, given)?))
}

pub(crate) fn type_named(kind: &str, path: &str) -> Result<FieldType, FieldsError> {
    let error = || FieldsError::Type { given: kind.to_owned(), path: path.to_owned() };
    FieldType::named(kind).ok_or_else(error)
}

/// Cut a text at its last colon that has no backslash before it.
fn split_type(given: &str) -> (&str, Option<&str>) {
    let mut found = None;
    let mut escaped = false;
    for (at, c) in given.char_indices() {
        if c == ':' && !escaped {
            found = Some(at);
        }
        escaped = c == '\\' && !escaped;
    }
    found.map_or((given, None), |at| (&given[..at], Some(&given[at + 1..])))
}

/// Parse a path without a type.
pub(crate) fn parse(path: &str) -> Result<Vec<Step>, FieldsError> {
    let wrong = |reason| FieldsError::Path { path: path.to_owned(), reason };
    let mut steps = Vec::new();
    let mut name = String::new();
    let mut written = false;
    let mut letters = path.chars();
    loop {
        match letters.next() {
            Some('\\') => match letters.next() {
                Some(c @ ('.' | ':' | '\\')) => {
                    name.push(c);
                    written = true;
                }
                _ => return Err(wrong("a backslash stands before a dot, a colon or a backslash only")),
            },
            Some(c) if c != '.' => name.push(c),
            end => {
                if name.is_empty() {
                    return Err(wrong("keys stand between dots, as in message.usage.input_tokens"));
                }
                let name = std::mem::take(&mut name);
                let canonical = name == "0" || !name.starts_with('0');
                let number = canonical && name.bytes().all(|byte| byte.is_ascii_digit());
                let index = if number && !written { name.parse().ok() } else { None };
                steps.push(Step { name, index });
                written = false;
                if end.is_none() {
                    return Ok(steps);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<String> {
        parse(path).unwrap().into_iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_path_is_keys_between_dots() {
        assert_eq!(names("message.usage.input_tokens"), ["message", "usage", "input_tokens"]);
        assert_eq!(names(r"a\.b.c\\d\:e"), ["a.b", r"c\d:e"]);
        let indexes: Vec<_> = parse("a.0.10.01.-1").unwrap().iter().map(|step| step.index).collect();
        assert_eq!(indexes, [None, Some(0), Some(10), None, None]);
        for wrong in ["", ".", "a.", ".a", "a..b", r"a\b", r"a\"] {
            assert!(matches!(parse(wrong), Err(FieldsError::Path { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_type_stands_behind_the_last_colon() {
        let kind = |given: &str| parse_typed(given).map(|(_, kind)| kind);
        assert_eq!(kind("a.b:int"), Ok(FieldType::Int));
        assert_eq!(kind("a.b"), Ok(FieldType::Text));
        assert_eq!(kind(r"a\:int"), Ok(FieldType::Text));
        assert_eq!(kind(r"a\\:int"), Ok(FieldType::Int));
        assert!(matches!(kind("a:itn"), Err(FieldsError::Type { .. })));
        assert!(matches!(kind(":int"), Err(FieldsError::Path { .. })));
        assert!(matches!(kind("a:b:int"), Ok(FieldType::Int)));
        for kind in FieldType::ALL {
            assert_eq!(FieldType::named(kind.name()), Some(*kind));
        }
    }
}
