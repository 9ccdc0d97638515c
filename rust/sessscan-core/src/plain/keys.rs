//! The keys of the lines read so far. The next line very likely has the same keys, in the same order.

use crate::bytes::Region;
use crate::record::Slot;
use crate::structure::{Block, Text};

/// The keys seen so far, and the keys that followed each of them.
pub(super) struct KeyMemory {
    /// One key for each value of a byte, so that no index needs a check. Unused entries equal the first one.
    pub(super) known: Box<[KnownKey; 256]>,
    count: usize,
    /// A hash table of indexes into `known`. 0 is an empty slot.
    slots: [u8; KeyMemory::SLOTS],
}

/// A key as compact JSON writes it, with its quotes and its colon.
pub(super) struct KnownKey {
    text: Text,
    pub(super) length: usize,
    pub(super) key: Slot,
    /// The two keys that followed it last, the latest first.
    next: [u8; 2],
}

impl KeyMemory {
    /// The entry that stands before a line's first key.
    pub(super) const START: u8 = 0;
    /// Twice as many as there are keys, so that a search soon comes to an empty slot.
    const SLOTS: usize = 512;

    pub(super) fn new() -> KeyMemory {
        // No key is made of bytes 0x01, so the entry is never found.
        const START: KnownKey = KnownKey {
            text: Text { bytes: [1; Text::LENGTH], mask: [0xff; Text::LENGTH] },
            length: 0,
            key: Slot::OTHER,
            next: [KeyMemory::START; 2],
        };
        KeyMemory { known: Box::new([START; 256]), count: 1, slots: [KeyMemory::START; KeyMemory::SLOTS] }
    }

    /// Return the index of the key at `at`, if it is one of the two that followed `last`.
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

    /// Return the index of the key at `at`, if it is known.
    #[inline(always)]
    pub(super) fn known_at<B: Block>(&self, region: Region, at: usize) -> Option<u8> {
        let mut slot = KeyMemory::hash(region.word(at));
        loop {
            match self.slots[slot] {
                KeyMemory::START => return None,
                id if region.spells::<B>(at, &self.known[usize::from(id)].text) => return Some(id),
                _ => slot = (slot + 1) % KeyMemory::SLOTS,
            }
        }
    }

    /// Hash the first seven bytes of a key, or those before its closing quote.
    #[inline(always)]
    fn hash(first: u64) -> usize {
        const LOW: u64 = 0x0101_0101_0101_0101;
        let name = first >> 8;
        let quotes = name ^ (LOW * u64::from(b'"'));
        // The high bit of the lowest byte that is a quote is set. Higher bytes that are no quotes may have
        // theirs set too.
        let ends = quotes.wrapping_sub(LOW) & !quotes & (LOW << 7);
        let name = name & (ends ^ ends.wrapping_sub(1)) >> 8;
        (name.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
    }

    /// Note that the key `id` followed the key `last`.
    pub(super) fn follows(&mut self, last: u8, id: u8) {
        let next = &mut self.known[usize::from(last)].next;
        *next = [id, next[0]];
    }

    /// Remember a key and return its index, or `START` if it is too long or there is no room left.
    pub(super) fn learn(&mut self, name: &[u8], key: Slot) -> u8 {
        let length = name.len() + 3;
        if length > Text::LENGTH || self.count == self.known.len() {
            return KeyMemory::START;
        }
        let mut bytes = [0; Text::LENGTH];
        bytes[0] = b'"';
        bytes[1..=name.len()].copy_from_slice(name);
        bytes[length - 2..length].copy_from_slice(b"\":");
        let mask = std::array::from_fn(|at| if at < length { 0xff } else { 0 });
        let id = self.count as u8;
        self.known[self.count] =
            KnownKey { text: Text { bytes, mask }, length, key, next: [KeyMemory::START; 2] };
        self.count += 1;
        let first = u64::from_le_bytes(std::array::from_fn(|at| bytes[at]));
        let mut slot = KeyMemory::hash(first);
        while self.slots[slot] != KeyMemory::START {
            slot = (slot + 1) % KeyMemory::SLOTS;
        }
        self.slots[slot] = id;
        id
    }
}
