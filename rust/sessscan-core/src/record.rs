//! A record: one complete object of a line, and where the values of the keys that count stand in it.

use crate::bytes::View;
use crate::value::plain::PlainRegion;
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

/// The bytes of a record, and whether the fast reader proved them to be plain.
#[derive(Clone, Copy)]
pub(crate) struct RecordBytes<'a> {
    pub(crate) view: View<'a>,
    pub(crate) plain: Option<PlainRegion<'a>>,
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
