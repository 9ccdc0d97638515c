//! Give tests outside the crate the scanner's output, record by record, before a transcript is built of it.
//!
//! Not part of the API, and compiled with the feature `testing` only.

use crate::bytes::View;
use crate::cancel::CancelToken;
use crate::fields::{FieldsBatch, FieldsPlan, Rows};
use crate::grammar::Strictness;
use crate::line::{DefectKind, Item, LineReader};
use crate::record::{Key, KeyNames, Record};
use crate::scanner::{Scanner, Sink};
use crate::structure::Isa;
use crate::transcript::Defect;
use crate::utf16;
use std::ops::Range;
use std::sync::Arc;

/// The raw values of a record by their keys, for each key the last one. Keys that are not used are left out.
pub type Values = Vec<(&'static str, Vec<u8>)>;

/// Return the keys that are used, in the order in which `Values` has them.
pub fn keys() -> impl Iterator<Item = &'static str> {
    Key::ALL.into_iter().map(Key::name)
}

/// All that a scan of bytes finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ScanOutput {
    /// Lines that are not blank.
    pub lines: u64,
    /// The line of each record, the offset at which it begins, and its values.
    pub records: Vec<(u64, u64, Values)>,
    /// What is wrong with the bytes.
    pub defects: Vec<Defect>,
}

impl Sink for ScanOutput {
    fn line(&mut self) {
        self.lines += 1;
    }

    fn record(&mut self, record: &Record, line: u64, offset: u64) {
        let values = Key::ALL.into_iter().filter_map(|key| {
            let mut value = Vec::new();
            record.view().copy(record.range(key)?, &mut value);
            assert!(
                !record.is_plain(key) || (value[0] == b'"' && !value.contains(&b'\\')),
                "marked plain, but no string without escapes: {:?}",
                String::from_utf8_lossy(&value)
            );
            Some((key.name(), value))
        });
        self.records.push((line, offset, values.collect()));
    }

    fn defect(&mut self, defect: Defect) {
        self.defects.push(defect);
    }
}

/// Scan bytes that are fed in pieces of `piece` bytes, with an instruction set of `Isa::available`.
pub fn scan_in_pieces(data: &[u8], strictness: Strictness, isa: Isa, piece: usize) -> ScanOutput {
    let mut output = ScanOutput::default();
    let mut scanner = Scanner::new(strictness, isa);
    data.chunks(piece.max(1)).for_each(|piece| scanner.feed(piece, &mut output, &CancelToken::never()));
    let size = scanner.finish(&mut output, &CancelToken::never()).offset;
    assert_eq!(size, data.len() as u64, "bytes that were scanned");
    output
}

/// Read each line of the bytes with the byte-by-byte reader.
pub fn read_bytewise(data: &[u8], strictness: Strictness) -> ScanOutput {
    let Some(text) = utf16::decode(data) else { return read_text(data, strictness, true) };
    let mut output = read_text(&text, strictness, false);
    let mark = if data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff") { 2 } else { 0 };
    for (_, offset, _) in &mut output.records {
        *offset = mark + utf16::length(&text[..*offset as usize]);
    }
    output.defects = vec![defect(DefectKind::Utf16, 1, 0, 0..data.len())];
    output
}

/// Read the lines of a text in UTF-8, at whose start there may be a byte order mark.
fn read_text(data: &[u8], strictness: Strictness, marked: bool) -> ScanOutput {
    let mut output = ScanOutput::default();
    let mut reader = LineReader::new(strictness, KeyNames::Transcript);
    let mut begin = 0;
    for (number, line) in (1..).zip(data.split_inclusive(|byte| *byte == b'\n')) {
        let bom = if marked && number == 1 && line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let ended = line.strip_suffix(b"\n");
        let content = ended.map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
        let content = content.get(bom..).unwrap_or_default();
        let first_defect = output.defects.len();
        let mut filled = false;
        reader.read(View::new(content).into(), ended.is_none(), |item| match item {
            Item::Record(record, range) => {
                filled = true;
                output.record(&record, number, (begin + bom + range.start) as u64);
            }
            Item::Defect(kind, range) => {
                filled |= kind != DefectKind::NulRun;
                output.defects.push(defect(kind, number, begin + bom, range));
            }
        });
        output.lines += u64::from(filled);
        output.defects[first_defect..].sort_unstable();
        begin += line.len();
    }
    output
}

/// Read the fields of bytes that are fed in pieces of `piece` bytes, with an instruction set of
/// `Isa::available`, or byte by byte.
pub fn fields_in_pieces(
    data: &[u8],
    plan: &Arc<FieldsPlan>,
    strictness: Strictness,
    isa: Option<Isa>,
    piece: usize,
) -> FieldsBatch {
    let names = plan.names.clone();
    let mut scanner = match isa {
        Some(isa) => Scanner::for_keys(names, strictness, isa),
        None => Scanner::slow_for_keys(names, strictness),
    };
    let mut rows = Rows::new(plan.clone(), 0);
    data.chunks(piece.max(1)).for_each(|piece| scanner.feed(piece, &mut rows, &CancelToken::never()));
    scanner.finish(&mut rows, &CancelToken::never());
    rows.take()
}

fn defect(kind: DefectKind, line: u64, begin: usize, range: Range<usize>) -> Defect {
    Defect { line, offset: (begin + range.start) as u64, length: range.len() as u64, kind }
}
