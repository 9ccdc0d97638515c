//! List every record that is left in a file, with all that a repair asks of it.
//!
//! This takes far more memory than a conversation, and is made for damaged files only.

use super::extract::extract;
use super::extras::speaks;
use super::facts::{Block, Facts, Field, Span, inside};
use super::said::{self, Kind, equals, is_true};
use crate::bytes::View;
use crate::cancel::CancelToken;
use crate::record::Record;
use crate::scan::scan_into;
use crate::scanner::{Around, Place, Scanner, Sink};
use crate::source::Source;
use crate::structure::Isa;
use crate::text;
use crate::transcript::{Defect, MOST_DEFECTS};
use std::io;
use std::path::Path;

/// One record, of any type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ChainRecord {
    pub uuid: Option<String>,
    pub parent: Option<String>,
    pub logical_parent: Option<String>,
    pub kind: Option<String>,
    pub subtype: Option<String>,
    pub session_id: Option<String>,
    pub message_id: Option<String>,
    /// The ids of the calls that it makes, and of those whose results it has.
    pub calls: Vec<String>,
    pub results: Vec<String>,
    /// In epoch milliseconds.
    pub timestamp: Option<i64>,
    pub line: u64,
    pub offset: u64,
    pub length: u64,
    /// Where the value of `parentUuid` is in the file, its quotes included, and how many bytes it has.
    pub parent_span: Option<(u64, u64)>,
    /// The official readers take its line.
    pub is_read: bool,
    /// It belongs to a conversation, if its kind is one of five and it has a uuid.
    pub is_chain: bool,
    /// The readers give it if they reach it.
    pub is_shown: bool,
    pub is_sidechain: bool,
    pub is_team: bool,
    pub is_meta: bool,
    pub is_compact_summary: bool,
    pub is_compact_boundary: bool,
}

/// All records of a file, and what is wrong with its bytes.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Survivors {
    pub records: Vec<ChainRecord>,
    pub defects: Vec<Defect>,
    pub defect_count: u64,
    pub size: u64,
}

/// Read the records that are left in a file. An error of kind `Interrupted` means that `token` was cancelled.
pub fn survivors(path: &Path, token: &CancelToken) -> io::Result<Survivors> {
    read(&mut Source::open(path)?, token)
}

/// Read the records that are left in bytes. An error of kind `Interrupted` means that `token` was cancelled.
pub fn survivors_in(data: &[u8], token: &CancelToken) -> io::Result<Survivors> {
    read(&mut Source::Memory(data), token)
}

fn read(source: &mut Source, token: &CancelToken) -> io::Result<Survivors> {
    let mut collector = Collector { found: Survivors::default(), scratch: Vec::new(), small: Vec::new() };
    let end = scan_into(source, &mut Scanner::proving(Isa::chosen()), &mut collector, token)?;
    collector.found.size = end.offset;
    Ok(collector.found)
}

struct Collector {
    found: Survivors,
    scratch: Vec<u8>,
    small: Vec<u8>,
}

impl Collector {
    /// Take a record that begins at a position of the view.
    fn add(&mut self, facts: &Facts, view: View, at: usize, place: &Place) {
        let small = &mut self.small;
        let mut string = |value: Option<Span>| {
            text::decode(view.copy(inside(view, value?)?, small)).map(|text| text.into_owned())
        };
        let mut record = ChainRecord {
            uuid: string(facts.get(Field::Uuid)),
            parent: string(facts.get(Field::Parent)),
            logical_parent: string(facts.get(Field::Logical)),
            kind: string(facts.get(Field::Type)),
            subtype: string(facts.get(Field::Subtype)),
            session_id: string(facts.get(Field::SessionId)),
            message_id: string(facts.get(Field::MessageId)),
            line: place.line,
            offset: place.offset,
            length: place.length,
            is_read: place.around != Around::Other,
            ..ChainRecord::default()
        };
        let kind = Kind::of(view, facts, small);
        let mut ids = |kind: &str, key: Field| -> Vec<String> {
            let of_kind = facts
                .blocks
                .iter()
                .filter(|block: &&Block| equals(view, block.get(Field::BlockType), kind, small));
            let spans: Vec<Span> = of_kind.filter_map(|block| inside(view, block.get(key)?)).collect();
            spans
                .into_iter()
                .filter_map(|span| text::decode(view.copy(span, small)).map(|text| text.into_owned()))
                .collect()
        };
        match kind {
            Some(Kind::Assistant) => record.calls = ids("tool_use", Field::BlockId),
            Some(Kind::User) => record.results = ids("tool_result", Field::BlockCall),
            _ => {}
        }
        record.timestamp =
            said::micros(view, facts.get(Field::Timestamp), small).map(|time| time.div_euclid(1_000));
        record.is_chain = kind.is_some() && record.uuid.as_ref().is_some_and(|uuid| !uuid.is_empty());
        record.is_sidechain = is_true(view, facts.get(Field::Sidechain), small);
        record.is_team = is_true(view, facts.get(Field::Team), small);
        record.is_meta = is_true(view, facts.get(Field::Meta), small);
        record.is_compact_summary = is_true(view, facts.get(Field::CompactSummary), small);
        record.is_compact_boundary =
            kind == Some(Kind::System) && record.subtype.as_deref() == Some("compact_boundary");
        let is_hidden = record.is_sidechain
            || record.is_team
            || record.is_meta && !speaks(view, facts.get(Field::Origin))
            || kind == Some(Kind::Assistant) && said::is_quiet(view, facts, small);
        record.is_shown = matches!(kind, Some(Kind::User | Kind::Assistant)) && !is_hidden;
        // In UTF-16 places in the text are not those in the file.
        let same_bytes = place.length == place.range.len() as u64;
        if let Some(parent) = facts.get(Field::Parent).filter(|_| same_bytes) {
            record.parent_span = Some((place.offset + (parent.start - at) as u64, parent.len() as u64));
        }
        self.found.records.push(record);
    }
}

impl Sink for Collector {
    fn record(&mut self, _record: &Record, _line: u64, _offset: u64) {
        unreachable!("`placed` takes all records");
    }

    fn placed(&mut self, record: &Record, place: Place) {
        let mut scratch = std::mem::take(&mut self.scratch);
        extract(record.bytes(), place.range.clone(), &mut scratch, &mut Facts::new(), |facts, view, at| {
            self.add(facts, view, at, &place);
        });
        self.scratch = scratch;
    }

    fn proved(&mut self, facts: &Facts, view: View, place: Place) {
        self.add(facts, view, place.range.start, &place);
    }

    fn defect(&mut self, defect: Defect) {
        self.found.defect_count += 1;
        if self.found.defects.len() < MOST_DEFECTS {
            self.found.defects.push(defect);
        }
    }

    fn more_defects(&mut self, count: u64) {
        self.found.defect_count += count;
    }
}
