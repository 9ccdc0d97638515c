//! Bytes in memory of our own, laid out so that the fast reader can take them.

use super::region::{AHEAD, Region};
use super::view::View;
use crate::structure::BLOCK;
use std::alloc::{self, Layout};
use std::io::{self, Read};
use std::ptr::NonNull;

/// Bytes whose start is aligned to a block, with room behind their end to load whole blocks from.
pub(crate) struct Buffer {
    memory: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: it owns its memory, as a Vec does.
unsafe impl Send for Buffer {}

/// What may be loaded behind the last block: as much as the fast reader wants to see in front of it.
const MARGIN: usize = AHEAD;

impl Buffer {
    pub(crate) fn new() -> Buffer {
        Buffer { memory: NonNull::dangling(), capacity: 0, len: 0 }
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity + MARGIN, BLOCK).expect("less than the address space")
    }

    /// Makes room for `more` bytes behind those that there are.
    pub(crate) fn reserve(&mut self, more: usize) {
        let wanted = self.len + more;
        if wanted <= self.capacity {
            return;
        }
        let capacity = wanted.max(2 * self.capacity).next_multiple_of(BLOCK);
        let layout = Buffer::layout(capacity);
        // SAFETY: the layout is not empty; what is copied lies in the old memory, which is then given back as it
        // was taken. Zeroed, so that no load ever sees memory that was never written.
        unsafe {
            let memory = NonNull::new(alloc::alloc_zeroed(layout))
                .unwrap_or_else(|| alloc::handle_alloc_error(layout));
            if self.capacity > 0 {
                self.memory.copy_to_nonoverlapping(memory, self.len);
                alloc::dealloc(self.memory.as_ptr(), Buffer::layout(self.capacity));
            }
            self.memory = memory;
        }
        self.capacity = capacity;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes were written.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: there is room, in memory of our own.
        unsafe {
            self.memory.add(self.len).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len())
        };
        self.len += bytes.len();
    }

    /// Appends what one read gives, of at most `most` bytes; how many they are.
    pub(crate) fn append_from(&mut self, file: &mut impl Read, most: usize) -> io::Result<usize> {
        self.reserve(most);
        // SAFETY: the room behind the bytes was zeroed when it was allocated, or written since.
        let room = unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr().add(self.len), most) };
        loop {
            match file.read(room) {
                Ok(count) => {
                    self.len += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        assert!(len <= self.len);
        self.len = len;
    }

    /// Takes off the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        assert!(count <= self.len);
        // SAFETY: both lie within the bytes.
        unsafe { self.memory.add(count).copy_to(self.memory, self.len - count) };
        self.len -= count;
    }

    pub(crate) fn region(&self) -> Region<'_> {
        let readable = if self.capacity == 0 { 0 } else { self.len.next_multiple_of(BLOCK) + MARGIN };
        let start =
            if self.capacity == 0 { std::ptr::without_provenance(BLOCK) } else { self.memory.as_ptr() };
        // SAFETY: the memory is aligned to a block and has a margin behind its capacity; where there is none,
        // nothing is readable.
        unsafe { Region::new(View::of_raw(start, self.len), readable) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: allocated with this layout.
            unsafe { alloc::dealloc(self.memory.as_ptr(), Buffer::layout(self.capacity)) };
        }
    }
}
