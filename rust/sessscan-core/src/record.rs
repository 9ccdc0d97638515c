//! A record: one complete object of a line, and where in it the values of the keys that count are.

use crate::bytes::{Line, View};
use crate::text;
use crate::value::plain::PlainRegion;
use std::ops::Range;
use std::sync::Arc;

macro_rules! keys {
    ($($key:ident = $name:literal,)*) => {
        /// The keys at depth 1 whose values are used.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Key {
            $($key,)*
            /// Any other key. Its value is kept like the others', because a check would take longer.
            Other,
        }

        impl Key {
            pub(crate) const COUNT: usize = Key::Other as usize + 1;

            /// All keys but `Other`.
            #[cfg(any(test, feature = "testing"))]
            pub(crate) const ALL: [Key; Key::COUNT - 1] = [$(Key::$key,)*];

            /// Return the key with this name.
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
    ContinuedInSessionId = "continuedInSessionId",
}

/// Where a record keeps the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u8);

impl Slot {
    /// How many there are: a bit of a word for each.
    pub(crate) const COUNT: usize = u64::BITS as usize;

    /// The slot of all keys that are not looked for.
    pub(crate) const OTHER: Slot = Slot(Slot::COUNT as u8 - 1);

    /// All slots but `OTHER`.
    pub(crate) fn all() -> impl Iterator<Item = Slot> {
        (0..Slot::OTHER.0).map(Slot)
    }

    /// Return the slot of a key that is looked for, by its place among them, which is below `OTHER`'s.
    pub(crate) fn of_wanted(place: usize) -> Slot {
        assert!(place < usize::from(Slot::OTHER.0));
        Slot(place as u8)
    }

    #[inline(always)]
    fn index(self) -> usize {
        // Tells the compiler that no index needs a check.
        usize::from(self.0) % Slot::COUNT
    }
}

impl From<Key> for Slot {
    #[inline(always)]
    fn from(key: Key) -> Slot {
        if key == Key::Other { Slot::OTHER } else { Slot(key as u8) }
    }
}

/// The keys at depth 1 whose values a scan notes.
#[derive(Clone, Debug, Default)]
pub(crate) enum KeyNames {
    /// Those of [`Key`].
    #[default]
    Transcript,
    /// Any others, in the order of their slots.
    Wanted(Arc<[String]>),
}

impl KeyNames {
    /// Return the slot of a key, by the bytes between its quotes.
    pub(crate) fn slot_of(&self, raw: &[u8]) -> Slot {
        match self {
            KeyNames::Transcript => match Key::of(raw) {
                // A key may be written with escapes.
                Key::Other if raw.contains(&b'\\') => {
                    text::decode(raw).map_or(Slot::OTHER, |name| Key::of(name.as_bytes()).into())
                }
                key => key.into(),
            },
            KeyNames::Wanted(names) => {
                let place =
                    text::decode(raw).and_then(|name| names.iter().position(|wanted| *wanted == name));
                place.map_or(Slot::OTHER, Slot::of_wanted)
            }
        }
    }

    /// Return how many bytes a key can have that is looked for, with each of its characters written as an
    /// escape, or more.
    pub(crate) fn longest(&self) -> usize {
        const ESCAPE: usize = 6;
        match self {
            KeyNames::Transcript => 256,
            KeyNames::Wanted(names) => names.iter().map(|name| name.len() * ESCAPE).max().unwrap_or(0),
        }
    }
}

/// The bytes of a record, with the region if the fast reader proved them plain.
#[derive(Clone, Copy)]
pub(crate) struct RecordBytes<'a> {
    pub(crate) line: Line<'a>,
    pub(crate) plain: Option<PlainRegion<'a>>,
}

impl<'a> From<Line<'a>> for RecordBytes<'a> {
    fn from(line: Line<'a>) -> RecordBytes<'a> {
        RecordBytes { line, plain: None }
    }
}

/// One record: its bytes, and the ranges of the values of its keys.
pub(crate) struct Record<'a> {
    bytes: RecordBytes<'a>,
    /// A bit for each slot that has a value.
    present: u64,
    /// The start of each value, and its end shifted left by one, with `plain` as the lowest bit.
    values: [(usize, usize); Slot::COUNT],
}

impl<'a> Record<'a> {
    /// Make a record without values.
    pub(crate) fn new(bytes: RecordBytes<'a>) -> Record<'a> {
        const { assert!(Key::COUNT <= Slot::COUNT) }
        Record { bytes, present: 0, values: [(0, 0); Slot::COUNT] }
    }

    pub(crate) fn bytes(&self) -> RecordBytes<'a> {
        self.bytes
    }

    pub(crate) fn view(&self) -> View<'a> {
        self.bytes.line.view
    }

    /// Forget all values.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.present = 0;
    }

    /// Set the range of the value of `key`; of a key given twice, the last one counts. `plain` means that the
    /// value is known to be a string without escapes.
    #[inline(always)]
    pub(crate) fn set(&mut self, key: impl Into<Slot>, range: Range<usize>, plain: bool) {
        let at = key.into().index();
        self.present |= 1 << at;
        self.values[at] = (range.start, range.end << 1 | usize::from(plain));
    }

    /// Return whether the value of `key` is known to be a string without escapes, which can always be
    /// decoded.
    pub(crate) fn is_plain(&self, key: impl Into<Slot>) -> bool {
        let slot = key.into();
        self.has(slot) && self.values[slot.index()].1 & 1 != 0
    }

    pub(crate) fn has(&self, key: impl Into<Slot>) -> bool {
        self.present & 1 << key.into().index() != 0
    }

    /// Return the range of the value of `key`.
    pub(crate) fn range(&self, key: impl Into<Slot>) -> Option<Range<usize>> {
        let slot = key.into();
        let (start, end) = self.values[slot.index()];
        self.has(slot).then_some(start..end >> 1)
    }

    /// Return the range between the quotes of the value of `key`, if it is a string.
    pub(crate) fn string_range(&self, key: impl Into<Slot>) -> Option<Range<usize>> {
        // A number of one digit may have become a quote meanwhile, if somebody else writes to the file.
        self.range(key)
            .filter(|range| range.len() >= 2 && self.view().byte(range.start) == b'"')
            .map(|range| range.start + 1..range.end - 1)
    }

    /// Return whether the value of `key` is `true`.
    pub(crate) fn is_true(&self, key: Key) -> bool {
        // The grammar at depth 1 was checked: a value that begins with t is true, one that begins with n
        // null.
        self.range(key).is_some_and(|range| self.view().byte(range.start) == b't')
    }

    /// Return whether `key` has a value that is not null.
    pub(crate) fn is_given(&self, key: Key) -> bool {
        self.range(key).is_some_and(|range| self.view().byte(range.start) != b'n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_changed_by_another_process_is_no_string() {
        let mut bytes = *br#"{"cwd":1,"type":"x"}"#;
        let start = bytes.as_mut_ptr();
        // SAFETY: `bytes` is a local array of this length, which outlives the record.
        let mut record = Record::new(Line::from(unsafe { View::of_raw(start, bytes.len()) }).into());
        record.set(Key::Cwd, 7..8, false);
        record.set(Key::Type, 16..19, true);
        assert_eq!((record.string_range(Key::Cwd), record.string_range(Key::Type)), (None, Some(17..18)));
        // SAFETY: 7 and 16 are indexes of `bytes`, which the record reads through raw pointers only.
        unsafe {
            start.add(7).write(b'"');
            start.add(16).write(b'7');
        }
        assert_eq!((record.string_range(Key::Cwd), record.string_range(Key::Type)), (None, None));
    }
}
