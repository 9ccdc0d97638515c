//! Take in records, and keep the values that are wanted of those that are wanted.

use super::column::{Converter, FieldColumn};
use super::plan::{FieldsPlan, Filter, Span, is_plain};
use crate::record::Record;
use crate::scanner::Sink;
use crate::text;
use crate::transcript::{Defect, MOST_DEFECTS};
use std::sync::Arc;

/// A batch with so many rows, or bytes of text in a column, is handed over.
const ROWS: usize = if cfg!(test) { 64 } else { 16 * 1024 };
const TEXT: usize = 2 << 20;

/// Rows of one or more files, and what is wrong with those.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldsBatch {
    /// The files that the rows are of, by their places among the paths, and how many rows each has here.
    pub files: Vec<(usize, usize)>,
    /// The line of each row, from 1.
    pub lines: Vec<u64>,
    /// The columns, in the order in which they were selected.
    pub columns: Vec<FieldColumn>,
    /// What is wrong with the bytes: of each file the first 10,000 defects at most, with the place of the file.
    pub defects: Vec<(usize, Defect)>,
    /// How many defects there are.
    pub defect_count: u64,
}

impl FieldsBatch {
    /// Make a batch without rows.
    pub fn empty(plan: &FieldsPlan) -> FieldsBatch {
        let columns = plan.columns.iter().map(|column| FieldColumn::new(column.kind)).collect();
        FieldsBatch { files: Vec::new(), lines: Vec::new(), columns, defects: Vec::new(), defect_count: 0 }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// How many bytes of memory the rows take.
    pub(crate) fn bytes(&self) -> u64 {
        let lines = size_of_val(&*self.lines);
        (lines + self.columns.iter().map(FieldColumn::bytes).sum::<usize>()) as u64
    }

    /// The bytes of the largest column of texts.
    fn text_bytes(&self) -> usize {
        self.columns.iter().map(FieldColumn::text_bytes).max().unwrap_or(0)
    }

    /// Return whether the batch is large enough to be handed over.
    pub(crate) fn is_full(&self) -> bool {
        self.rows() >= ROWS || self.text_bytes() >= TEXT || self.defects.len() >= MOST_DEFECTS
    }

    /// Return whether it can be appended to another batch.
    pub(crate) fn fits_behind(&self, other: &FieldsBatch) -> bool {
        self.text_bytes() + other.text_bytes() <= 2 * TEXT
    }

    /// Append what follows.
    pub(crate) fn append(&mut self, other: FieldsBatch) {
        for (file, rows) in other.files {
            match self.files.last_mut() {
                Some((last, count)) if *last == file => *count += rows,
                _ => self.files.push((file, rows)),
            }
        }
        self.lines.extend(other.lines);
        self.columns.iter_mut().zip(other.columns).for_each(|(column, more)| column.append(more));
        self.defects.extend(other.defects);
        self.defect_count += other.defect_count;
    }
}

/// Takes in the records of one file, or of a part of one.
pub(crate) struct Rows {
    plan: Arc<FieldsPlan>,
    file: usize,
    batch: FieldsBatch,
    /// How many defects were kept, in this batch and before.
    kept: usize,
    converter: Converter,
    spans: Vec<Span>,
    scratch: Vec<u8>,
}

impl Rows {
    pub(crate) fn new(plan: Arc<FieldsPlan>, file: usize) -> Rows {
        let batch = FieldsBatch::empty(&plan);
        let (converter, spans, scratch) = (Converter::default(), Vec::new(), Vec::new());
        Rows { plan, file, batch, kept: 0, converter, spans, scratch }
    }

    pub(crate) fn batch(&self) -> &FieldsBatch {
        &self.batch
    }

    /// Return what was taken in since the last call.
    pub(crate) fn take(&mut self) -> FieldsBatch {
        let mut batch = std::mem::replace(&mut self.batch, FieldsBatch::empty(&self.plan));
        if batch.rows() > 0 {
            batch.files.push((self.file, batch.rows()));
        }
        batch
    }
}

impl Sink for Rows {
    fn record(&mut self, record: &Record, line: u64, _offset: u64) {
        let Rows { plan, batch, converter, spans, scratch, .. } = self;
        if !plan.filters.is_empty() {
            plan.filtered.find(record, spans);
            if !plan.filters.iter().all(|filter| filter.takes(record, &spans[filter.place], scratch)) {
                return;
            }
        }
        plan.selected.find(record, spans);
        for (selected, column) in plan.columns.iter().zip(&mut batch.columns) {
            let copy = spans[selected.place].clone().map(|range| {
                |into: &mut Vec<u8>| {
                    record.view().copy(range, into);
                }
            });
            converter.push(column, selected.kind, copy);
        }
        batch.lines.push(line);
    }

    fn defect(&mut self, defect: Defect) {
        self.batch.defect_count += 1;
        if self.kept < MOST_DEFECTS {
            self.kept += 1;
            self.batch.defects.push((self.file, defect));
        }
    }

    fn more_defects(&mut self, count: u64) {
        self.batch.defect_count += count;
    }
}

impl Filter {
    /// Return whether the value at a range of a record's bytes is one of the strings.
    fn takes(&self, record: &Record, span: &Span, scratch: &mut Vec<u8>) -> bool {
        let Some(range) = span else { return false };
        let view = record.view();
        let is_string =
            range.len() >= 2 && view.byte(range.start) == b'"' && view.byte(range.end - 1) == b'"';
        if !is_string {
            return false;
        }
        let inside = range.start + 1..range.end - 1;
        if self.texts.iter().any(|text| is_plain(text) && view.equals(inside.clone(), text.as_bytes())) {
            return true;
        }
        /// A byte of a decoded string takes at most this many bytes, as an escape.
        const ESCAPE: usize = 6;
        let longest = self.texts.iter().map(String::len).max().unwrap_or(0);
        if inside.len() > ESCAPE * longest {
            return false;
        }
        let raw = view.copy(inside, scratch);
        if raw.is_ascii() && !raw.contains(&b'\\') {
            return self.texts.iter().any(|text| text.as_bytes() == raw);
        }
        text::decode(raw).is_some_and(|value| self.texts.iter().any(|text| *text == value))
    }
}
