//! The keys of lines seen so far: the next line's are very likely among them, in the same order.

use crate::bytes::Region;
use crate::record::Key;
use crate::structure::{Block, Text};

/// The keys seen so far, and which of them followed which.
pub(super) struct KeyMemory {
    /// As many as a byte can tell apart, so that no index need be checked. Those not yet known are as the start is.
    pub(super) known: Box<[KnownKey; 256]>,
    count: usize,
    /// Places of keys, by hash. 0 is none.
    places: [u8; KeyMemory::SLOTS],
}

/// A key as compact JSON spells it, with its quotes and its colon.
pub(super) struct KnownKey {
    text: Text,
    pub(super) length: usize,
    pub(super) key: Key,
    /// The two keys that followed last.
    next: [u8; 2],
}

impl KeyMemory {
    /// What comes before a line's first key.
    pub(super) const START: u8 = 0;
    /// Twice as many, so that a search for a key soon comes to an empty slot.
    const SLOTS: usize = 512;

    pub(super) fn new() -> KeyMemory {
        // Nothing is spelled like the start, so that it is never found.
        const START: KnownKey = KnownKey {
            text: Text { bytes: [1; Text::LENGTH], mask: [0xff; Text::LENGTH] },
            length: 0,
            key: Key::Other,
            next: [KeyMemory::START; 2],
        };
        KeyMemory { known: Box::new([START; 256]), count: 1, places: [KeyMemory::START; KeyMemory::SLOTS] }
    }

    /// The key at `at` if it is one of those that followed `last`.
    #[inline(always)]
    pub(super) fn expected<B: Block>(&mut self, last: u8, region: Region, at: usize) -> Option<u8> {
        let [first, second] = self.known[usize::from(last)].next;
        if region.spells::<B>(at, &self.known[usize::from(first)].text) {
            return Some(first);
        }
        if region.spells::<B>(at, &self.known[usize::from(second)].text) {
            self.known[usize::from(last)].next = [second, first];
            return Some(second);
        }
        None
    }

    /// The key at `at`, if it is known.
    #[inline(always)]
    pub(super) fn known_at<B: Block>(&self, region: Region, at: usize) -> Option<u8> {
        let mut slot = KeyMemory::hash(region.word(at));
        loop {
            match self.places[slot] {
                KeyMemory::START => return None,
                place if region.spells::<B>(at, &self.known[usize::from(place)].text) => return Some(place),
                _ => slot = (slot + 1) % KeyMemory::SLOTS,
            }
        }
    }

    /// A hash of the first seven bytes of a key, or of those before its closing quote.
    #[inline(always)]
    fn hash(first: u64) -> usize {
        const LOW: u64 = 0x0101_0101_0101_0101;
        let name = first >> 8;
        let quotes = name ^ (LOW * u64::from(b'"'));
        // The lowest byte that is a quote has its high bit set; so may higher ones that are none.
        let ends = quotes.wrapping_sub(LOW) & !quotes & (LOW << 7);
        let name = name & (ends ^ ends.wrapping_sub(1)) >> 8;
        (name.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
    }

    pub(super) fn follows(&mut self, last: u8, place: u8) {
        let next = &mut self.known[usize::from(last)].next;
        *next = [place, next[0]];
    }

    /// Remembers a key; its place, or `START` if there is none left.
    pub(super) fn learn(&mut self, name: &[u8], key: Key) -> u8 {
        let length = name.len() + 3;
        if length > Text::LENGTH || self.count == self.known.len() {
            return KeyMemory::START;
        }
        let mut bytes = [0; Text::LENGTH];
        bytes[0] = b'"';
        bytes[1..=name.len()].copy_from_slice(name);
        bytes[length - 2..length].copy_from_slice(b"\":");
        let mask = std::array::from_fn(|at| if at < length { 0xff } else { 0 });
        let place = self.count as u8;
        self.known[self.count] =
            KnownKey { text: Text { bytes, mask }, length, key, next: [KeyMemory::START; 2] };
        self.count += 1;
        let first = u64::from_le_bytes(std::array::from_fn(|at| bytes[at]));
        let mut slot = KeyMemory::hash(first);
        while self.places[slot] != KeyMemory::START {
            slot = (slot + 1) % KeyMemory::SLOTS;
        }
        self.places[slot] = place;
        place
    }
}
