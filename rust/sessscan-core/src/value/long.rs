//! Read the values inside a long value, a piece at a time.

use super::Values;
use crate::bytes::{Line, Pieces};
use crate::cancel::CancelToken;
use crate::text;
use std::cell::RefCell;
use std::ops::Range;

/// Values longer than this are read in pieces.
pub(crate) const LONG: usize = if cfg!(test) { 40 } else { 256 * 1024 };

/// The values inside a value of a line that was read byte by byte.
pub(crate) struct LongValues<'a>(RefCell<Pieces<'a>>);

impl<'a> LongValues<'a> {
    /// Return the values inside the value that ends at `end`.
    pub(crate) fn new(line: Line<'a>, end: usize) -> LongValues<'a> {
        LongValues(RefCell::new(line.part(0..end).pieces(Vec::new())))
    }
}

impl Values for LongValues<'_> {
    const PIECE: usize = 32;

    fn byte(&self, at: usize) -> Option<u8> {
        self.0.borrow_mut().byte(at)
    }

    fn end(&self, start: usize) -> Option<usize> {
        let mut pieces = self.0.borrow_mut();
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let mut begin = start;
        loop {
            let bytes = pieces.from(begin);
            if bytes.is_empty() {
                return None;
            }
            for (at, byte) in bytes.iter().enumerate() {
                match byte {
                    _ if escaped => {
                        escaped = false;
                        continue;
                    }
                    b'\\' if in_string => escaped = true,
                    b'"' => in_string = !in_string,
                    b'{' | b'[' if !in_string => depth += 1,
                    b'}' | b']' if !in_string => depth = depth.checked_sub(1)?,
                    _ => continue,
                }
                if depth == 0 && !in_string {
                    return Some(begin + at + 1);
                }
            }
            begin += bytes.len();
        }
    }

    fn copy<'s>(&self, range: Range<usize>, into: &'s mut Vec<u8>) -> &'s [u8] {
        let mut pieces = self.0.borrow_mut();
        // This gives back what was read before.
        pieces.from(range.start);
        pieces.line.view.copy(range, into)
    }

    fn decodes(&self, range: Range<usize>) -> bool {
        let mut pieces = self.0.borrow_mut();
        let Range { start: mut at, end } = range;
        while at < end {
            let bytes = pieces.whole(at);
            let bytes = &bytes[..bytes.len().min(end - at)];
            let decodable = text::decodable(bytes);
            // An escape that the end of a piece cuts off is whole in the next piece.
            if decodable == 0 || (decodable < bytes.len() && at + bytes.len() == end) {
                return false;
            }
            at += decodable;
        }
        true
    }

    fn passed(&self, _read: Range<usize>) -> bool {
        !self.0.borrow().line.token.is_some_and(CancelToken::is_cancelled)
    }
}
