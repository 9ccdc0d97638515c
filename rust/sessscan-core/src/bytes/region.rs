//! Bytes that can be read a block at a time, and how far.

use super::line::Line;
use super::view::View;
use crate::cancel::CancelToken;
use crate::structure::{BLOCK, Block, Text};
use std::ops::Range;

/// How many bytes must be readable from a position between tokens: enough for the longest key that is
/// remembered, an opening quote and a block.
pub(crate) const AHEAD: usize = 2 * BLOCK;

/// How many bytes are read before they are given back to the system, where they take memory, and before the
/// scan checks whether it was cancelled.
pub(crate) const STRIDE: usize = if cfg!(test) { 256 * 1024 } else { 8 * 1024 * 1024 };

/// Bytes to be read, and the number of bytes from their start that can be loaded.
///
/// Invariant: `readable` bytes from the view's start can be loaded for `'a`, which is the caller's promise in
/// [`Region::new`].
#[derive(Clone, Copy)]
pub(crate) struct Region<'a> {
    view: View<'a>,
    /// At least the view's length; a multiple of [`BLOCK`].
    readable: usize,
    /// Gives bytes of a map back to the system after they were read. They can still be read again.
    release: Option<Release>,
    token: Option<&'a CancelToken<'a>>,
}

/// Gives the memory of a view, which need not be aligned, back to the system.
pub(crate) type Release = fn(View);

impl<'a> Region<'a> {
    /// Make a region of a view.
    ///
    /// # Safety
    /// `readable` bytes from the view's start can be loaded for `'a`, and the start is aligned to [`BLOCK`].
    pub(crate) unsafe fn new(view: View<'a>, readable: usize) -> Region<'a> {
        debug_assert!(view.len() <= readable && readable.is_multiple_of(BLOCK));
        debug_assert!(view.start().addr().is_multiple_of(BLOCK));
        Region { view, readable, release: None, token: None }
    }

    /// Give the region's bytes back with `release` once they were read.
    #[cfg(unix)]
    pub(crate) fn released_by(self, release: Release) -> Region<'a> {
        Region { release: Some(release), ..self }
    }

    /// Stop reading, even within a long line, once `token` is cancelled.
    pub(crate) fn cancelled_by(self, token: &'a CancelToken<'a>) -> Region<'a> {
        Region { token: Some(token), ..self }
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.token.is_some_and(CancelToken::is_cancelled)
    }

    /// Return how far a value that begins at `from` can be read before [`Region::next_limit`] must be called.
    #[inline(always)]
    pub(crate) fn limit(self, from: usize) -> usize {
        self.readable.min(from + STRIDE)
    }

    /// Give back what was read before `at` and return the next limit; None if no more can be loaded or the
    /// scan was cancelled.
    #[cold]
    #[inline(never)]
    pub(crate) fn next_limit(self, at: usize) -> Option<usize> {
        if at + BLOCK > self.readable || self.is_cancelled() {
            return None;
        }
        self.give_back(at.saturating_sub(STRIDE)..at.min(self.view.len()));
        Some(self.limit(at))
    }

    /// Give a range back to the system, if the region has a way to do so.
    pub(crate) fn give_back(self, range: Range<usize>) {
        if let Some(release) = self.release {
            release(self.view.part(range));
        }
    }

    /// Return the first index of `byte` in a range; None also if the scan was cancelled.
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

    /// Return a range as a line that is read where it is.
    pub(crate) fn line(self, range: Range<usize>) -> Line<'a> {
        Line { view: self.view.part(range), release: self.release, token: self.token }
    }

    pub(crate) fn view(self) -> View<'a> {
        self.view
    }

    pub(crate) fn readable(self) -> usize {
        self.readable
    }

    /// Read the byte at `at`, which must be readable.
    #[inline(always)]
    pub(crate) fn byte(self, at: usize) -> u8 {
        debug_assert!(at < self.readable);
        // SAFETY: `at < readable`, which the readers of lines and values check (see `AHEAD` and `limit`), and
        // `readable` bytes can be loaded by the invariant of `Region`.
        unsafe { self.view.start().add(at).read() }
    }

    /// Load the block at `at`, all of which must be readable.
    #[inline(always)]
    pub(crate) fn block<B: Block>(self, at: usize) -> B {
        debug_assert!(at + BLOCK <= self.readable);
        // SAFETY: `at + BLOCK <= readable`, which the readers of lines and values check (see `AHEAD` and
        // `limit`), and `readable` bytes can be loaded by the invariant of `Region`. The processor has the
        // instructions of B: `PlainReader::read_lines` and `PlainValues::end` match on `Isa`, which is one of
        // `Isa::available`.
        unsafe { B::load(self.view.start().add(at)) }
    }

    /// Ask the processor to bring the bytes at `at`, which need not be readable, into its cache.
    #[inline(always)]
    pub(crate) fn fetch(self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: this is a hint, which reads nothing that the program could see and is ignored where
            // nothing can be read. SSE is part of x86-64.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.view.start().wrapping_add(at).cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    /// Return what [`Block::may_end_a_string`] says of the block at `at`, all of which must be readable, and
    /// one byte before it.
    #[inline(always)]
    pub(crate) fn may_end_a_string<B: Block>(self, at: usize) -> (bool, bool) {
        debug_assert!(at > 0 && at + BLOCK <= self.readable);
        // SAFETY: `0 < at` and `at + BLOCK <= readable`, since `BlockReader::pass_text` comes after a block and
        // checks `limit`, and `readable` bytes can be loaded by the invariant of `Region`. The processor has
        // the instructions of B: see `Region::block`.
        unsafe { B::may_end_a_string(self.view.start().add(at)) }
    }

    /// Return whether `text` is at `at`, from where [`Text::LENGTH`] bytes must be readable.
    #[inline(always)]
    pub(crate) fn spells<B: Block>(self, at: usize, text: &Text) -> bool {
        debug_assert!(at + Text::LENGTH <= self.readable);
        // SAFETY: `at + Text::LENGTH <= readable`, which the readers of lines check (see `AHEAD`), and
        // `readable` bytes can be loaded by the invariant of `Region`. The processor has the instructions of
        // B: `PlainReader::read_lines` matches on `Isa`, which is one of `Isa::available`.
        unsafe { B::spells(self.view.start().add(at), text) }
    }

    /// Read the eight bytes at `at`, which must be readable, as a little-endian number.
    #[inline(always)]
    pub(crate) fn word(self, at: usize) -> u64 {
        debug_assert!(at + 8 <= self.readable);
        // SAFETY: `at + 8 <= readable`, which the readers of lines check (see `AHEAD`), and `readable` bytes
        // can be loaded by the invariant of `Region`.
        u64::from_le(unsafe { self.view.start().add(at).cast::<u64>().read_unaligned() })
    }
}
