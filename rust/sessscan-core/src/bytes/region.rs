//! Bytes that the fast reader reads, a block at a time, and how far it may.

use super::view::View;
use crate::structure::{BLOCK, Block, Text};
use std::ops::Range;

/// So many bytes must be readable from a place between tokens: the longest key of the memory, an opening quote
/// and a block.
pub(crate) const AHEAD: usize = 2 * BLOCK;

/// So many bytes are looked at before they are given back, if they take room, and somebody may cancel.
pub(crate) const STRIDE: usize = if cfg!(test) { 256 * 1024 } else { 8 * 1024 * 1024 };

/// Bytes to be read, and how many of those behind them may be loaded with them.
#[derive(Clone, Copy)]
pub(crate) struct Region<'a> {
    view: View<'a>,
    /// The view's length rounded up to what may be loaded; a multiple of [`BLOCK`].
    readable: usize,
    /// Gives bytes of a map back that were looked at and take room; they can still be read.
    release: Option<Release>,
    /// Whether the scan was cancelled meanwhile.
    cancelled: Option<&'a dyn Fn() -> bool>,
}

/// Is told the range, aligned to nothing.
pub(crate) type Release = fn(View);

impl<'a> Region<'a> {
    /// # Safety
    /// `readable` bytes from the view's start on can be loaded for 'a, and the start is aligned to [`BLOCK`].
    pub(crate) unsafe fn new(view: View<'a>, readable: usize) -> Region<'a> {
        debug_assert!(view.len() <= readable && readable.is_multiple_of(BLOCK));
        debug_assert!(view.start().addr().is_multiple_of(BLOCK));
        Region { view, readable, release: None, cancelled: None }
    }

    /// A region whose bytes take room while they are looked at.
    pub(crate) fn released_by(self, release: Release) -> Region<'a> {
        Region { release: Some(release), ..self }
    }

    /// A region that is left where somebody cancels, who is asked within long lines.
    pub(crate) fn cancelled_by(self, cancelled: &'a dyn Fn() -> bool) -> Region<'a> {
        Region { cancelled: Some(cancelled), ..self }
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.cancelled.is_some_and(|cancelled| cancelled())
    }

    /// How far a value that begins at `from` is looked at before anything is given back.
    #[inline(always)]
    pub(crate) fn limit(self, from: usize) -> usize {
        self.readable.min(from + STRIDE)
    }

    /// The next such place, once blocks up to `at` were looked at; None if no more can be loaded, or shall be.
    #[cold]
    #[inline(never)]
    pub(crate) fn next_limit(self, at: usize) -> Option<usize> {
        if at + BLOCK > self.readable || self.is_cancelled() {
            return None;
        }
        self.give_back(at.saturating_sub(STRIDE)..at.min(self.view.len()));
        Some(self.limit(at))
    }

    pub(crate) fn give_back(self, range: Range<usize>) {
        if let Some(release) = self.release {
            release(self.view.part(range));
        }
    }

    /// Where this byte is in a range; None too if the scan was cancelled.
    pub(crate) fn find(self, byte: u8, mut range: Range<usize>) -> Option<usize> {
        loop {
            let end = range.end.min(range.start + STRIDE);
            if let Some(found) = self.view.part(range.start..end).find(byte, 0) {
                return Some(range.start + found);
            }
            if end == range.end || self.is_cancelled() {
                return None;
            }
            self.give_back(range.start..end);
            range.start = end;
        }
    }

    /// Copies a range out, over what `into` held, and gives it back; false if the scan was cancelled.
    pub(crate) fn copy(self, range: Range<usize>, into: &mut Vec<u8>) -> bool {
        into.clear();
        into.reserve(range.len());
        for start in range.clone().step_by(STRIDE) {
            let part = start..range.end.min(start + STRIDE);
            self.view.part(part.clone()).append_to(into);
            if part.end < range.end {
                self.give_back(part);
                if self.is_cancelled() {
                    return false;
                }
            }
        }
        true
    }

    pub(crate) fn view(self) -> View<'a> {
        self.view
    }

    pub(crate) fn readable(self) -> usize {
        self.readable
    }

    /// The byte at `at`, which is known to be readable.
    #[inline(always)]
    pub(crate) fn byte(self, at: usize) -> u8 {
        debug_assert!(at < self.readable);
        // SAFETY: within `readable`, as each caller has checked.
        unsafe { self.view.start().add(at).read() }
    }

    /// The 64 bytes from `at`, which are known to be readable.
    #[inline(always)]
    pub(crate) fn block<B: Block>(self, at: usize) -> B {
        debug_assert!(at + BLOCK <= self.readable);
        // SAFETY: within `readable`, as each caller has checked; `read_lines` chose a B that the processor has.
        unsafe { B::load(self.view.start().add(at)) }
    }

    /// Whether this text is at `at`, from where so many bytes are known to be readable.
    #[inline(always)]
    pub(crate) fn spells<B: Block>(self, at: usize, text: &Text) -> bool {
        debug_assert!(at + Text::LENGTH <= self.readable);
        // SAFETY: within `readable`, as each caller has checked; `read_lines` chose a B that the processor has.
        unsafe { B::spells(self.view.start().add(at), text) }
    }

    /// The eight bytes from `at`, which are known to be readable.
    #[inline(always)]
    pub(crate) fn word(self, at: usize) -> u64 {
        debug_assert!(at + 8 <= self.readable);
        // SAFETY: within `readable`, as each caller has checked.
        u64::from_le(unsafe { self.view.start().add(at).cast::<u64>().read_unaligned() })
    }
}
