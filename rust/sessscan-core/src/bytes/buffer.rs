//! Bytes in memory of our own, which can be read a block at a time.

use super::region::{AHEAD, Region};
use super::view::View;
use crate::structure::BLOCK;
use std::alloc::{self, Layout};
use std::io::{self, Read};
use std::ptr::NonNull;

/// A growable buffer whose start is aligned to a block, with [`AHEAD`] readable bytes behind its capacity.
///
/// Invariant: if `capacity` is 0, nothing is allocated and `len` is 0. Otherwise `memory` was allocated with
/// `Buffer::layout(capacity)`, all of it is initialized, and `len <= capacity`.
pub(crate) struct Buffer {
    memory: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: a buffer owns its memory, and nothing in it belongs to a thread.
unsafe impl Send for Buffer {}

impl Buffer {
    pub(crate) fn new() -> Buffer {
        Buffer { memory: NonNull::dangling(), capacity: 0, len: 0 }
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity + AHEAD, BLOCK).expect("less than the address space")
    }

    /// Make room for `more` bytes behind the present ones.
    pub(crate) fn reserve(&mut self, more: usize) {
        let wanted = self.len + more;
        if wanted <= self.capacity {
            return;
        }
        let capacity = wanted.max(2 * self.capacity).next_multiple_of(BLOCK);
        let layout = Buffer::layout(capacity);
        // Zeroed, so that no block that is loaded holds uninitialized memory.
        // SAFETY: the layout's size is at least `AHEAD`, so it is not zero.
        let memory = unsafe { NonNull::new(alloc::alloc_zeroed(layout)) }
            .unwrap_or_else(|| alloc::handle_alloc_error(layout));
        if self.capacity > 0 {
            // SAFETY: `len <= capacity` bytes of the old memory are initialized, the new memory is larger and
            // separate; the old memory was allocated with this layout (invariant of `Buffer`).
            unsafe {
                self.memory.copy_to_nonoverlapping(memory, self.len);
                alloc::dealloc(self.memory.as_ptr(), Buffer::layout(self.capacity));
            }
        }
        self.memory = memory;
        self.capacity = capacity;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `len <= capacity` bytes are allocated and initialized (invariant of `Buffer`); without an
        // allocation `len` is 0 and the dangling pointer is aligned.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }

    /// Append a copy of `bytes`.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: `reserve` made room for `bytes.len()` bytes behind the first `len`, in memory that only
        // this buffer has, so that `bytes` is not in it.
        unsafe {
            self.memory.add(self.len).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len())
        };
        self.len += bytes.len();
    }

    /// Append what one read returns, at most `most` bytes, and return how many they are.
    pub(crate) fn append_from(&mut self, file: &mut impl Read, most: usize) -> io::Result<usize> {
        self.reserve(most);
        // SAFETY: `reserve` made room for `most` bytes behind the first `len`, all of them initialized
        // (invariant of `Buffer`), and `&mut self` excludes every other access while `room` lives.
        let room = unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr().add(self.len), most) };
        loop {
            match file.read(room) {
                Ok(count) => {
                    assert!(count <= most);
                    self.len += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keep only the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        assert!(len <= self.len);
        self.len = len;
    }

    /// Remove the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        assert!(count <= self.len);
        // SAFETY: `count <= len` by the assertion, so both ranges lie within the first `len` bytes; `copy_to`
        // allows them to overlap.
        unsafe { self.memory.add(count).copy_to(self.memory, self.len - count) };
        self.len -= count;
    }

    /// Return the bytes as a region.
    pub(crate) fn region(&self) -> Region<'_> {
        let readable = if self.capacity == 0 { 0 } else { self.len.next_multiple_of(BLOCK) + AHEAD };
        let start =
            if self.capacity == 0 { std::ptr::without_provenance(BLOCK) } else { self.memory.as_ptr() };
        // SAFETY: `readable` is 0, or at most the `capacity + AHEAD` bytes allocated, since `capacity` is a
        // multiple of `BLOCK` and not less than `len`; `Buffer::layout` aligns the start to `BLOCK`, and the
        // borrow of `self` keeps the memory as it is.
        unsafe { Region::new(View::of_raw(start, self.len), readable) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: allocated with this layout (invariant of `Buffer`), and not used afterwards.
            unsafe { alloc::dealloc(self.memory.as_ptr(), Buffer::layout(self.capacity)) };
        }
    }
}
