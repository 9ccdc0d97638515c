//! Bytes that somebody else may change while they are read.

use std::marker::PhantomData;
use std::ops::Range;

/// Bytes that another process may change while they are looked at: those of a file that is mapped.
///
/// They are read through a raw pointer, and a value is copied out before anything is concluded from it.
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

    /// # Safety
    /// `len` bytes from `start` on can be read for 'a; others may change them meanwhile.
    pub(crate) unsafe fn of_raw(start: *const u8, len: usize) -> View<'a> {
        View { start, len, life: PhantomData }
    }

    pub(crate) fn start(self) -> *const u8 {
        self.start
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    pub(crate) fn byte(self, at: usize) -> u8 {
        assert!(at < self.len);
        // SAFETY: `at` lies within the `len` bytes that are readable for 'a.
        unsafe { self.start.add(at).read() }
    }

    /// A part of it.
    pub(crate) fn part(self, range: Range<usize>) -> View<'a> {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the range lies within the view.
        View { start: unsafe { self.start.add(range.start) }, len: range.len(), life: PhantomData }
    }

    /// Whether the last so many bytes are zero.
    pub(crate) fn ends_with_zeros(self, count: usize) -> bool {
        (self.len.saturating_sub(count)..self.len).all(|at| self.byte(at) == 0)
    }

    /// Where this byte is, from `from` on.
    pub(crate) fn find(self, byte: u8, from: usize) -> Option<usize> {
        assert!(from <= self.len);
        // SAFETY: the range lies within the view.
        let (start, end) = unsafe { (self.start.add(from), self.start.add(self.len)) };
        #[cfg(target_arch = "x86_64")]
        if let Some(finder) = memchr::arch::x86_64::avx2::memchr::One::new(byte) {
            // SAFETY: both lie within the view, in this order.
            return unsafe { finder.find_raw(start, end) }.map(|found| found.addr() - self.start.addr());
        }
        let finder = memchr::arch::all::memchr::One::new(byte);
        // SAFETY: as above.
        let found = unsafe { finder.find_raw(start, end) };
        found.map(|found| found.addr() - self.start.addr())
    }

    /// The bytes of a range of at most 16, as a number whose lowest byte comes first.
    #[inline(always)]
    pub(crate) fn short(self, range: Range<usize>) -> Option<u128> {
        if range.len() > 16 || range.end > self.len {
            return None;
        }
        if range.start + 16 <= self.len {
            // SAFETY: 16 bytes from the range's start lie within the view.
            let bytes = u128::from_le(unsafe { self.start.add(range.start).cast::<u128>().read_unaligned() });
            return Some(if range.is_empty() {
                0
            } else {
                bytes << (128 - 8 * range.len()) >> (128 - 8 * range.len())
            });
        }
        Some(range.rev().fold(0, |bytes, at| bytes << 8 | u128::from(self.byte(at))))
    }

    /// Whether a range holds these bytes.
    #[inline(always)]
    pub(crate) fn equals(self, range: Range<usize>, text: &[u8]) -> bool {
        if range.len() != text.len() || range.end > self.len {
            return false;
        }
        // SAFETY: the range lies within the view.
        let start = unsafe { self.start.add(range.start) };
        let mut words = text.chunks_exact(8);
        let mut at = 0;
        let mut differs = 0;
        for word in &mut words {
            // SAFETY: within the range.
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

    /// Copies a range out, over what `into` held.
    pub(crate) fn copy(self, range: Range<usize>, into: &mut Vec<u8>) -> &[u8] {
        into.clear();
        self.part(range).append_to(into);
        into
    }

    /// Copies all of it to the end of `into`.
    pub(crate) fn append_to(self, into: &mut Vec<u8>) {
        into.reserve(self.len);
        // SAFETY: `into` has room for it and is memory of its own.
        unsafe {
            self.start.copy_to_nonoverlapping(into.as_mut_ptr().add(into.len()), self.len);
            into.set_len(into.len() + self.len);
        }
    }
}
