//! Number the ids that records name: equal ids have equal numbers.

use super::facts::Span;
use crate::bytes::View;
use crate::text;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The number of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) u32);

impl Id {
    /// No id is given, or one that counts as none: null, or an empty text.
    pub(crate) const NONE: Id = Id(u32::MAX);
    /// A value is given that no record has as its id, such as a number.
    pub(crate) const NO_TEXT: Id = Id(u32::MAX - 1);
}

/// The ids seen so far, at 16 bytes each and their places in a table.
///
/// A uuid in its usual form stands for itself. Of any other text 128 bits of a hash are kept, whose key is
/// drawn anew each time: two texts have the same once in 2^127 pairs, and nobody can look for such.
pub(crate) struct Ids {
    table: HashTable<u32>,
    /// Each id in 128 bits, and whether it is a hash, as the lowest bit of a word of 64.
    ids: Vec<u128>,
    hashed: Vec<u64>,
    /// The texts of the uuids that are not in their usual form.
    texts: HashMap<Id, Box<str>>,
    seeds: [u64; 2],
    hashers: [RandomState; 2],
    scratch: Vec<u8>,
}

impl Ids {
    pub(crate) fn new() -> Ids {
        let hashers = [RandomState::new(), RandomState::new()];
        let seeds = [hashers[0].hash_one(0_u8) | 1, hashers[1].hash_one(1_u8) | 1];
        Ids {
            table: HashTable::new(),
            ids: Vec::new(),
            hashed: Vec::new(),
            texts: HashMap::new(),
            seeds,
            hashers,
            scratch: Vec::new(),
        }
    }

    /// Return how many ids there are; their numbers are lower.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Return the number of the id between two quotes, `NONE` if it is empty. `with_text` keeps what
    /// [`Ids::text`] returns.
    pub(crate) fn of(&mut self, view: View, range: Span, with_text: bool) -> Id {
        if range.is_empty() {
            return Id::NONE;
        }
        if range.len() == 36 {
            let mut bytes = [0; 36];
            for (to, at) in bytes.iter_mut().zip(range.clone()) {
                *to = view.byte(at);
            }
            if let Some(uuid) = uuid(&bytes) {
                return self.number(uuid, false);
            }
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let id = match text::decode(view.copy(range, &mut scratch)) {
            Some(text) => self.of_text(&text, with_text),
            None => Id::NO_TEXT,
        };
        self.scratch = scratch;
        id
    }

    /// Return the number of an id.
    pub(crate) fn of_text(&mut self, text: &str, with_text: bool) -> Id {
        if text.is_empty() {
            return Id::NONE;
        }
        if let Ok(bytes) = text.as_bytes().try_into()
            && let Some(uuid) = uuid(bytes)
        {
            return self.number(uuid, false);
        }
        let [high, low] = [0, 1].map(|at| u128::from(self.hashers[at].hash_one(text)));
        let id = self.number(high << 64 | low, true);
        if with_text {
            self.texts.entry(id).or_insert_with(|| text.into());
        }
        id
    }

    /// Forget how to find an id's number.
    pub(crate) fn forget_table(&mut self) {
        self.table = HashTable::new();
    }

    fn number(&mut self, id: u128, hashed: bool) -> Id {
        let seeds = self.seeds;
        let hash = |id: u128| {
            let product = u128::from(id as u64 ^ seeds[0]) * u128::from((id >> 64) as u64 ^ seeds[1]);
            (product as u64 ^ (product >> 64) as u64).wrapping_mul(seeds[0])
        };
        let Ids { table, ids, hashed: flags, .. } = self;
        let is_hash = |at: u32| flags[at as usize / 64] >> (at % 64) & 1 == 1;
        if let Some(at) = table.find(hash(id), |at| ids[*at as usize] == id && is_hash(*at) == hashed) {
            return Id(*at);
        }
        let at = ids.len() as u32;
        assert!(at < Id::NO_TEXT.0, "a transcript with four thousand million ids");
        table.insert_unique(hash(id), at, |at| hash(ids[*at as usize]));
        ids.push(id);
        if at.is_multiple_of(64) {
            flags.push(0);
        }
        flags[at as usize / 64] |= u64::from(hashed) << (at % 64);
        Id(at)
    }

    /// Return an id's text, if it is a uuid or was kept.
    pub(crate) fn text(&self, id: Id) -> Option<String> {
        let number = *self.ids.get(id.0 as usize)?;
        if self.hashed[id.0 as usize / 64] >> (id.0 % 64) & 1 == 1 {
            return self.texts.get(&id).map(|text| text.to_string());
        }
        let hex = format!("{number:032x}");
        Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }
}

/// Return the bits of a uuid in its usual form: lower case, with hyphens.
fn uuid(bytes: &[u8; 36]) -> Option<u128> {
    /// The value of each hexadecimal digit, 16 for every other byte.
    const DIGITS: [u8; 256] = {
        let mut digits = [16; 256];
        let mut value = 0;
        while value < 16 {
            digits[b"0123456789abcdef"[value as usize] as usize] = value;
            value += 1;
        }
        digits
    };
    let mut number = 0_u128;
    let mut wrong = 0;
    let mut group = |range: std::ops::Range<usize>| {
        let mut value = 0_u64;
        for byte in &bytes[range] {
            let digit = DIGITS[usize::from(*byte)];
            wrong |= digit & 16;
            value = value << 4 | u64::from(digit & 15);
        }
        value
    };
    for (range, bits) in [(0..8, 32), (9..13, 16), (14..18, 16), (19..23, 16), (24..36, 48)] {
        number = number << bits | u128::from(group(range));
    }
    let hyphens = [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
    (hyphens && wrong == 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ids_have_equal_numbers_and_keep_their_texts() {
        let mut ids = Ids::new();
        let texts = [
            "00000000-0000-4000-8000-0123456789ab",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "00000000-0000-4000-8000-0123456789AB",
            "a",
            "ä",
            "00000000-0000-4000-8000-0123456789ab ",
        ];
        let numbers: Vec<Id> = texts.iter().map(|text| ids.of_text(text, true)).collect();
        assert_eq!(numbers, (0..6).map(Id).collect::<Vec<_>>());
        for (text, number) in texts.iter().zip(&numbers) {
            assert_eq!(ids.of(View::new(text.as_bytes()), 0..text.len(), false), *number);
            assert_eq!(ids.text(*number).as_deref(), Some(*text));
        }
        assert_eq!(ids.of_text("", true), Id::NONE);
        let escaped = b"\\u0061";
        assert_eq!(ids.of(View::new(escaped), 0..6, false), Id(3));
        assert_eq!(ids.len(), 6);
    }
}
