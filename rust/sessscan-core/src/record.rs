//! A record: one complete object of a line, and where the values of the keys that count stand in it.

use std::marker::PhantomData;
use std::ops::Range;

/// The keys at depth 1 that say something about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Key {
    Type,
    ParentUuid,
    Uuid,
    SessionId,
    Timestamp,
    Cwd,
    GitBranch,
    Version,
    Entrypoint,
    IsSidechain,
    IsMeta,
    IsCompactSummary,
    ToolUseResult,
    Message,
    CustomTitle,
    AiTitle,
    Summary,
    LeafUuid,
    WorktreeSession,
    RelocatedCwd,
}

impl Key {
    pub(crate) const COUNT: usize = Key::RelocatedCwd as usize + 1;

    /// The key that is spelled so, if it is one that counts.
    pub(crate) fn of(name: &[u8]) -> Option<Key> {
        Some(match name {
            b"type" => Key::Type,
            b"parentUuid" => Key::ParentUuid,
            b"uuid" => Key::Uuid,
            b"sessionId" => Key::SessionId,
            b"timestamp" => Key::Timestamp,
            b"cwd" => Key::Cwd,
            b"gitBranch" => Key::GitBranch,
            b"version" => Key::Version,
            b"entrypoint" => Key::Entrypoint,
            b"isSidechain" => Key::IsSidechain,
            b"isMeta" => Key::IsMeta,
            b"isCompactSummary" => Key::IsCompactSummary,
            b"toolUseResult" => Key::ToolUseResult,
            b"message" => Key::Message,
            b"customTitle" => Key::CustomTitle,
            b"aiTitle" => Key::AiTitle,
            b"summary" => Key::Summary,
            b"leafUuid" => Key::LeafUuid,
            b"worktreeSession" => Key::WorktreeSession,
            b"relocatedCwd" => Key::RelocatedCwd,
            _ => return None,
        })
    }
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

    pub(crate) fn byte(self, at: usize) -> u8 {
        assert!(at < self.len);
        // SAFETY: `at` lies within the `len` bytes that are readable for 'a.
        unsafe { self.start.add(at).read() }
    }

    /// Copies a range out, over what `into` held.
    pub(crate) fn copy<'b>(self, range: Range<usize>, into: &'b mut Vec<u8>) -> &'b [u8] {
        assert!(range.start <= range.end && range.end <= self.len);
        into.clear();
        into.reserve(range.len());
        // SAFETY: the range lies within the view, and `into` has room for it and is memory of its own.
        unsafe {
            self.start.add(range.start).copy_to_nonoverlapping(into.as_mut_ptr(), range.len());
            into.set_len(range.len());
        }
        into
    }
}

/// One record.
pub(crate) struct Record<'a> {
    view: View<'a>,
    present: u32,
    values: [(usize, usize); Key::COUNT],
}

impl<'a> Record<'a> {
    /// A record in `view` whose values are still to be found.
    pub(crate) fn new(view: View<'a>) -> Record<'a> {
        const { assert!(Key::COUNT <= u32::BITS as usize) }
        Record { view, present: 0, values: [(0, 0); Key::COUNT] }
    }

    pub(crate) fn view(&self) -> View<'a> {
        self.view
    }

    /// The value of `key` is this range of the view; of a key that comes twice the last one counts.
    pub(crate) fn set(&mut self, key: Key, range: Range<usize>) {
        self.present |= 1 << key as u32;
        self.values[key as usize] = (range.start, range.end);
    }

    pub(crate) fn has(&self, key: Key) -> bool {
        self.present & 1 << key as u32 != 0
    }

    /// Where the value of `key` is.
    pub(crate) fn range(&self, key: Key) -> Option<Range<usize>> {
        let (start, end) = self.values[key as usize];
        self.has(key).then_some(start..end)
    }

    /// Where what stands between the quotes is, if the value is a string.
    pub(crate) fn string_range(&self, key: Key) -> Option<Range<usize>> {
        self.range(key)
            .filter(|range| self.view.byte(range.start) == b'"')
            .map(|range| range.start + 1..range.end - 1)
    }

    /// Whether the value of `key` is `true`.
    pub(crate) fn is_true(&self, key: Key) -> bool {
        // At depth 1 the grammar was checked: what begins with a t is true, with an n null.
        self.range(key).is_some_and(|range| self.view.byte(range.start) == b't')
    }

    /// Whether `key` has a value that is not null.
    pub(crate) fn is_given(&self, key: Key) -> bool {
        self.range(key).is_some_and(|range| self.view.byte(range.start) != b'n')
    }
}
