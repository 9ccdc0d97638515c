//! A record: one complete object of a line, and where the values of the keys that count stand in it.

use crate::value::Plain;
use std::marker::PhantomData;
use std::ops::Range;

macro_rules! keys {
    ($($key:ident = $name:literal,)*) => {
        /// The keys at depth 1 that say something about a session.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Key {
            $($key,)*
            /// Any other. Its value is kept as the others' are, since to ask first would take longer.
            Other,
        }

        impl Key {
            pub(crate) const COUNT: usize = Key::Other as usize + 1;

            /// All but the others.
            pub(crate) const ALL: [Key; Key::COUNT - 1] = [$(Key::$key,)*];

            /// The key that is spelled so.
            pub(crate) fn of(name: &[u8]) -> Key {
                $(if name == $name.as_bytes() {
                    return Key::$key;
                })*
                Key::Other
            }

            #[cfg(any(test, feature = "testing"))]
            pub(crate) fn name(self) -> &'static str {
                match self { $(Key::$key => $name,)* Key::Other => "" }
            }
        }
    };
}

keys! {
    Type = "type",
    ParentUuid = "parentUuid",
    Uuid = "uuid",
    SessionId = "sessionId",
    Timestamp = "timestamp",
    Cwd = "cwd",
    GitBranch = "gitBranch",
    Version = "version",
    Entrypoint = "entrypoint",
    IsSidechain = "isSidechain",
    IsMeta = "isMeta",
    IsCompactSummary = "isCompactSummary",
    ToolUseResult = "toolUseResult",
    Message = "message",
    CustomTitle = "customTitle",
    AiTitle = "aiTitle",
    Summary = "summary",
    LeafUuid = "leafUuid",
    WorktreeSession = "worktreeSession",
    RelocatedCwd = "relocatedCwd",
    Tag = "tag",
    LastPrompt = "lastPrompt",
}

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

/// The bytes of a record, and whether the fast reader proved them to be plain.
#[derive(Clone, Copy)]
pub(crate) struct RecordBytes<'a> {
    pub(crate) view: View<'a>,
    pub(crate) plain: Option<Plain<'a>>,
}

impl<'a> From<View<'a>> for RecordBytes<'a> {
    fn from(view: View<'a>) -> RecordBytes<'a> {
        RecordBytes { view, plain: None }
    }
}

/// One record.
pub(crate) struct Record<'a> {
    bytes: RecordBytes<'a>,
    present: u32,
    /// Where each value begins, and where it ends, with `plain` as the lowest bit.
    values: [(usize, usize); Key::COUNT],
}

impl<'a> Record<'a> {
    /// A record whose values are still to be found.
    pub(crate) fn new(bytes: RecordBytes<'a>) -> Record<'a> {
        const { assert!(Key::COUNT <= u32::BITS as usize) }
        Record { bytes, present: 0, values: [(0, 0); Key::COUNT] }
    }

    pub(crate) fn bytes(&self) -> RecordBytes<'a> {
        self.bytes
    }

    pub(crate) fn view(&self) -> View<'a> {
        self.bytes.view
    }

    /// Forgets all values.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.present = 0;
    }

    /// The value of `key` is this range of the view; of a key that comes twice the last one counts. `plain`: it is
    /// known to be a string without escapes.
    #[inline(always)]
    pub(crate) fn set(&mut self, key: Key, range: Range<usize>, plain: bool) {
        self.present |= 1 << key as u32;
        self.values[key as usize] = (range.start, range.end << 1 | usize::from(plain));
    }

    /// Whether the value of `key` is known to be a string without escapes, so that it can be decoded whatever it is.
    pub(crate) fn is_plain(&self, key: Key) -> bool {
        self.has(key) && self.values[key as usize].1 & 1 != 0
    }

    pub(crate) fn has(&self, key: Key) -> bool {
        self.present & 1 << key as u32 != 0
    }

    /// Where the value of `key` is.
    pub(crate) fn range(&self, key: Key) -> Option<Range<usize>> {
        let (start, end) = self.values[key as usize];
        self.has(key).then_some(start..end >> 1)
    }

    /// Where what stands between the quotes is, if the value is a string.
    pub(crate) fn string_range(&self, key: Key) -> Option<Range<usize>> {
        // What was a number of one digit may be a quote by now, where others write.
        self.range(key)
            .filter(|range| range.len() >= 2 && self.view().byte(range.start) == b'"')
            .map(|range| range.start + 1..range.end - 1)
    }

    /// Whether the value of `key` is `true`.
    pub(crate) fn is_true(&self, key: Key) -> bool {
        // At depth 1 the grammar was checked: what begins with a t is true, with an n null.
        self.range(key).is_some_and(|range| self.view().byte(range.start) == b't')
    }

    /// Whether `key` has a value that is not null.
    pub(crate) fn is_given(&self, key: Key) -> bool {
        self.range(key).is_some_and(|range| self.view().byte(range.start) != b'n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_written_over() {
        let mut bytes = *br#"{"cwd":1,"type":"x"}"#;
        let start = bytes.as_mut_ptr();
        // SAFETY: the bytes outlive the view.
        let mut record = Record::new(unsafe { View::of_raw(start, bytes.len()) }.into());
        record.set(Key::Cwd, 7..8, false);
        record.set(Key::Type, 16..19, true);
        assert_eq!((record.string_range(Key::Cwd), record.string_range(Key::Type)), (None, Some(17..18)));
        // SAFETY: within the bytes, which are only looked at through pointers.
        unsafe {
            start.add(7).write(b'"');
            start.add(16).write(b'7');
        }
        assert_eq!((record.string_range(Key::Cwd), record.string_range(Key::Type)), (None, None));
    }
}
