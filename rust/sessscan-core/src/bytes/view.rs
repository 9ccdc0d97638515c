//! Bytes that another process may change while they are read.

use std::marker::PhantomData;
use std::ops::Range;

/// A range of memory that another process may change while it is read, such as a mapped file.
///
/// Bytes are read through a raw pointer, and a value is copied out before anything is concluded from it.
///
/// Invariant: `len` bytes from `start` are readable for `'a`. It holds for a slice ([`View::new`]), is the
/// caller's promise in [`View::of_raw`], and holds for each part of a view.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    start: *const u8,
    len: usize,
    life: PhantomData<&'a [u8]>,
}

impl<'a> View<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> View<'a> {
        View { start: bytes.as_ptr(), len: bytes.len(), life: PhantomData }
    }

    /// Make a view of memory that is not a slice.
    ///
    /// # Safety
    /// `len` bytes from `start` are readable for `'a`. Others may change them meanwhile.
    pub(crate) unsafe fn of_raw(start: *const u8, len: usize) -> View<'a> {
        View { start, len, life: PhantomData }
    }

    pub(crate) fn start(self) -> *const u8 {
        self.start
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Read the byte at an index.
    pub(crate) fn byte(self, at: usize) -> u8 {
        assert!(at < self.len);
        // SAFETY: `at < len` by the assertion, and `len` bytes are readable by the invariant of `View`.
        unsafe { self.start.add(at).read() }
    }

    /// Return a part of the view.
    pub(crate) fn part(self, range: Range<usize>) -> View<'a> {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: `range.start <= len` by the assertion, so the pointer stays within the view or at its end.
        View { start: unsafe { self.start.add(range.start) }, len: range.len(), life: PhantomData }
    }

    /// Return whether the last `count` bytes, or all if there are fewer, are zero.
    #[cfg(unix)]
    pub(crate) fn ends_with_zeros(self, count: usize) -> bool {
        (self.len.saturating_sub(count)..self.len).all(|at| self.byte(at) == 0)
    }

    /// Return the first index of `byte` from `from` on.
    pub(crate) fn find(self, byte: u8, from: usize) -> Option<usize> {
        assert!(from <= self.len);
        // SAFETY: `from <= len` by the assertion, so both pointers stay within the view or at its end.
        let (start, end) = unsafe { (self.start.add(from), self.start.add(self.len)) };
        #[cfg(target_arch = "x86_64")]
        if let Some(finder) = memchr::arch::x86_64::avx2::memchr::One::new(byte) {
            // SAFETY: `start <= end`, and all bytes between them are readable by the invariant of `View`.
            return unsafe { finder.find_raw(start, end) }.map(|found| found.addr() - self.start.addr());
        }
        let finder = memchr::arch::all::memchr::One::new(byte);
        // SAFETY: `start <= end`, and all bytes between them are readable by the invariant of `View`.
        let found = unsafe { finder.find_raw(start, end) };
        found.map(|found| found.addr() - self.start.addr())
    }

    /// Return the bytes of a range as a little-endian number; None if the range is longer than 16 bytes or
    /// ends beyond the view.
    #[inline(always)]
    pub(crate) fn short(self, range: Range<usize>) -> Option<u128> {
        if range.len() > 16 || range.end > self.len {
            return None;
        }
        if range.start + 16 <= self.len {
            // SAFETY: `range.start + 16 <= len` by the condition, and `len` bytes are readable by the
            // invariant of `View`.
            let bytes = u128::from_le(unsafe { self.start.add(range.start).cast::<u128>().read_unaligned() });
            return Some(if range.is_empty() {
                0
            } else {
                bytes << (128 - 8 * range.len()) >> (128 - 8 * range.len())
            });
        }
        Some(range.rev().fold(0, |bytes, at| bytes << 8 | u128::from(self.byte(at))))
    }

    /// Return whether the bytes of a range equal `text`.
    #[inline(always)]
    pub(crate) fn equals(self, range: Range<usize>, text: &[u8]) -> bool {
        if range.len() != text.len() || range.end > self.len {
            return false;
        }
        let start = self.start.wrapping_add(range.start);
        let mut words = text.chunks_exact(8);
        let mut at = 0;
        let mut differs = 0;
        for word in &mut words {
            // SAFETY: `word` is a whole chunk of the text, so `at + 8 <= text.len()`, which equals
            // `range.len()`, and `range.end <= len`: these bytes are readable by the invariant of `View`.
            let here = unsafe { start.add(at).cast::<u64>().read_unaligned() };
            differs |= here ^ u64::from_ne_bytes(word.try_into().expect("eight bytes"));
            at += 8;
        }
        differs == 0
            && words
                .remainder()
                .iter()
                .enumerate()
                .all(|(rest, byte)| self.byte(range.start + at + rest) == *byte)
    }

    /// Replace the content of `into` with a copy of a range.
    pub(crate) fn copy(self, range: Range<usize>, into: &mut Vec<u8>) -> &[u8] {
        into.clear();
        self.part(range).append_to(into);
        into
    }

    /// Append a copy of all bytes to `into`.
    pub(crate) fn append_to(self, into: &mut Vec<u8>) {
        into.reserve(self.len);
        // SAFETY: `len` bytes are readable by the invariant of `View`; `reserve` made room for them in
        // `into`, which owns its memory, so that the two do not overlap.
        unsafe {
            self.start.copy_to_nonoverlapping(into.as_mut_ptr().add(into.len()), self.len);
            into.set_len(into.len() + self.len);
        }
    }
}
