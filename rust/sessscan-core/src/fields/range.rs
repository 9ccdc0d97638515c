//! Read the fields of a range of a file, from bytes that come in pieces.

use super::plan::FieldsPlan;
use super::sink::{FieldsBatch, Rows};
use crate::grammar::Strictness;
use crate::part::{PartError, RangeLines};
use crate::scanner::Scanner;
use crate::structure::Isa;
use std::ops::Range;
use std::sync::Arc;

/// A reader of the fields of the lines that begin in a range of a file.
///
/// Its lines are numbered from the range's first one. Memory grows with the longest line, and with the rows that
/// are not taken.
pub struct FieldsRange {
    lines: RangeLines,
    rows: Rows,
}

impl FieldsRange {
    /// Begin with a range of a file of `size` bytes.
    pub fn new(
        plan: Arc<FieldsPlan>,
        strictness: Strictness,
        size: u64,
        range: Range<u64>,
    ) -> Result<FieldsRange, PartError> {
        let scanner = Scanner::for_keys(plan.names.clone(), strictness, Isa::chosen());
        Ok(FieldsRange { lines: RangeLines::new(scanner, size, range)?, rows: Rows::new(plan, 0) })
    }

    /// Return the offset of the byte that is to be fed next.
    pub fn position(&self) -> u64 {
        self.lines.position()
    }

    /// Take in bytes; return whether more are needed.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        self.lines.feed(bytes, &mut self.rows)
    }

    /// Return the rows since the last call.
    pub fn take(&mut self) -> FieldsBatch {
        self.rows.take()
    }

    /// Read what is left, after the last bytes were fed. Return its rows, and how many of the range's lines end
    /// with a LF.
    pub fn finish(mut self) -> Result<(FieldsBatch, u64), PartError> {
        let lines = self.lines.finish(&mut self.rows)?.map_or(0, |(_, line_feeds)| line_feeds);
        Ok((self.rows.take(), lines))
    }
}
