//! The bytes of a line of any length, which is read where it is.

use super::region::{Release, STRIDE};
use super::view::View;
use crate::cancel::CancelToken;
use std::ops::Range;

/// The bytes of a line, or of a part of one.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) view: View<'a>,
    /// Gives bytes that were read back to the system. They can still be read again.
    pub(crate) release: Option<Release>,
    pub(crate) token: Option<&'a CancelToken<'a>>,
}

impl<'a> From<View<'a>> for Line<'a> {
    fn from(view: View<'a>) -> Line<'a> {
        Line { view, release: None, token: None }
    }
}

impl<'a> Line<'a> {
    pub(crate) fn part(self, range: Range<usize>) -> Line<'a> {
        Line { view: self.view.part(range), ..self }
    }

    /// Read the bytes in pieces, for which `memory` is used.
    pub(crate) fn pieces(self, memory: Vec<u8>) -> Pieces<'a> {
        Pieces { line: self, piece: memory, start: 0, end: 0, kept: 0 }
    }
}

/// A reader of a line, which copies one piece of it at a time: another process may change the bytes.
pub(crate) struct Pieces<'a> {
    pub(crate) line: Line<'a>,
    piece: Vec<u8>,
    /// The range of the line that is in `piece`.
    start: usize,
    end: usize,
    /// Where the bytes begin that were not given back.
    kept: usize,
}

impl Pieces<'_> {
    /// How many bytes are copied at a time.
    const PIECE: usize = if cfg!(test) { 50 } else { 64 * 1024 };

    /// How many bytes are read before they are given back and the scan checks whether it was cancelled: fewer
    /// than of a region, since reading byte by byte takes longer.
    const STRIDE: usize = STRIDE / 8;

    pub(crate) fn len(&self) -> usize {
        self.line.view.len()
    }

    /// Return the bytes from a position on, as far as they are at hand. There are none only at the line's
    /// end, and once the scan was cancelled.
    #[inline]
    pub(crate) fn from(&mut self, at: usize) -> &[u8] {
        if !(self.start..self.end).contains(&at) && (at >= self.len() || !self.load(at)) {
            return &[];
        }
        &self.piece[at - self.start..]
    }

    /// Return a whole piece from a position on, or what the line has from there.
    pub(crate) fn whole(&mut self, at: usize) -> &[u8] {
        if at < self.len() && self.end < self.len() {
            self.load(at);
        }
        self.from(at)
    }

    fn load(&mut self, at: usize) -> bool {
        if at < self.kept {
            self.kept = at;
        } else if at - self.kept > Self::STRIDE {
            if self.line.token.is_some_and(CancelToken::is_cancelled) {
                (self.start, self.end) = (0, 0);
                return false;
            }
            self.give_back(at);
        }
        (self.start, self.end) = (at, self.len().min(at + Self::PIECE));
        self.line.view.copy(self.start..self.end, &mut self.piece);
        at < self.end
    }

    /// Give back what was read before a position.
    fn give_back(&mut self, at: usize) {
        if let Some(release) = self.line.release {
            release(self.line.view.part(self.kept..at));
        }
        self.kept = at;
    }

    /// Return the byte at a position; None at the line's end, and once the scan was cancelled.
    pub(crate) fn byte(&mut self, at: usize) -> Option<u8> {
        self.from(at).first().copied()
    }

    /// Return the first position from `at` on whose byte does not fit; the line's end if all do.
    pub(crate) fn skip(&mut self, mut at: usize, fits: impl Fn(u8) -> bool) -> usize {
        loop {
            let bytes = self.from(at);
            if bytes.is_empty() {
                return self.len();
            }
            // Without a branch for each byte, so that the compiler can use vector instructions.
            let all = |chunk: &&[u8; 32]| chunk.iter().fold(true, |all, byte| all & fits(*byte));
            let chunks = 32 * bytes.as_chunks().0.iter().take_while(all).count();
            let read = chunks + bytes[chunks..].iter().take_while(|byte| fits(**byte)).count();
            let whole = read == bytes.len();
            at += read;
            if !whole {
                return at;
            }
        }
    }

    /// Return the first position from `at` on of a byte.
    pub(crate) fn find(&mut self, byte: u8, mut at: usize) -> Option<usize> {
        loop {
            let bytes = self.from(at);
            if bytes.is_empty() {
                return None;
            }
            match memchr::memchr(byte, bytes) {
                Some(found) => return Some(at + found),
                None => at += bytes.len(),
            }
        }
    }

    /// Return the memory of the pieces, and give back all that was read.
    pub(crate) fn into_memory(mut self) -> Vec<u8> {
        if self.kept + Self::STRIDE < self.end {
            self.give_back(self.end);
        }
        self.piece
    }
}
