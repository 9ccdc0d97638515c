//! Read UTF-16 as UTF-8: PowerShell writes files anew in it.

use serde::{Deserialize, Serialize};

/// The order of the two bytes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// How many bytes are looked at where there is no byte order mark.
pub(crate) const PREFIX: usize = 16;

/// Return the order of the bytes if a file that begins with these is in UTF-16, and None if it is not; return
/// None for both if more bytes must be known. `ended` says that there are no more.
///
/// It is if it begins with a byte order mark, or if every second of the first 16 bytes is zero and no other.
pub(crate) fn order_of(begin: &[u8], ended: bool) -> Option<Option<ByteOrder>> {
    match begin {
        [0xff, 0xfe, ..] => return Some(Some(ByteOrder::Little)),
        [0xfe, 0xff, ..] => return Some(Some(ByteOrder::Big)),
        [0xff] | [0xfe] | [] if !ended => return None,
        _ => {}
    }
    let begin = &begin[..begin.len().min(PREFIX)];
    let zeros_at =
        |remainder: usize| begin.iter().enumerate().all(|(at, byte)| (*byte == 0) == (at % 2 == remainder));
    let order = match (zeros_at(1), zeros_at(0)) {
        (true, false) => ByteOrder::Little,
        (false, true) => ByteOrder::Big,
        _ => return Some(None),
    };
    match begin.len() {
        PREFIX => Some(Some(order)),
        _ if ended => Some(None),
        _ => None,
    }
}

/// Return the bytes as UTF-8, without their byte order mark, if they are a text in UTF-16.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(order_of(bytes, true)??);
    let mut text = Vec::with_capacity(bytes.len() / 2);
    decoder.push(bytes, &mut text);
    decoder.finish(&mut text);
    Some(text)
}

/// A decoder of UTF-16 that comes in pieces cut anywhere.
///
/// A surrogate without its other half, and half a unit at the end, become U+FFFD. A byte order mark at the
/// start is dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Decoder {
    order: ByteOrder,
    /// How many bytes were pushed.
    taken: u64,
    /// The first byte of a unit.
    half: Option<u8>,
    /// The first surrogate of a pair.
    high: Option<u16>,
}

impl Decoder {
    pub(crate) fn new(order: ByteOrder) -> Decoder {
        Decoder { order, taken: 0, half: None, high: None }
    }

    /// Return how many bytes were pushed.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Append the text of more bytes to `into`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], into: &mut Vec<u8>) {
        into.reserve(bytes.len() / 2 + 4);
        let mut first_unit = self.taken < 2;
        self.taken += bytes.len() as u64;
        if let (Some(first), Some((second, rest))) = (self.half, bytes.split_first()) {
            self.half = None;
            self.unit([first, *second], &mut first_unit, into);
            bytes = rest;
        }
        let (units, rest) = bytes.as_chunks();
        for unit in units {
            self.unit(*unit, &mut first_unit, into);
        }
        if let [half] = rest {
            self.half = Some(*half);
        }
    }

    #[inline]
    fn unit(&mut self, bytes: [u8; 2], first: &mut bool, into: &mut Vec<u8>) {
        let unit = match self.order {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        };
        let is_bom = std::mem::take(first) && unit == 0xfeff;
        if unit < 0x80 && self.high.is_none() {
            return into.push(unit as u8);
        }
        if is_bom {
            return;
        }
        let high = self.high.take();
        if let (Some(high), 0xdc00..0xe000) = (high, unit) {
            let code = 0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
            return append(code, into);
        }
        if high.is_some() {
            append(REPLACEMENT, into);
        }
        match unit {
            0xd800..0xdc00 => self.high = Some(unit),
            _ => append(u32::from(unit), into),
        }
    }

    /// Append what is left, once all bytes were pushed.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) {
        if self.high.take().is_some() {
            append(REPLACEMENT, into);
        }
        if self.half.take().is_some() {
            append(REPLACEMENT, into);
        }
    }
}

const REPLACEMENT: u32 = char::REPLACEMENT_CHARACTER as u32;

/// Append the character with this code, or U+FFFD if there is none.
fn append(code: u32, into: &mut Vec<u8>) {
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Return how many bytes a text in UTF-8 has in UTF-16.
pub(crate) fn length(text: &[u8]) -> u64 {
    let units = |byte: &u8| u64::from(byte & 0xc0 != 0x80) + u64::from(*byte >= 0xf0);
    2 * text.iter().map(units).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(units: &[u16], order: ByteOrder) -> Vec<u8> {
        let bytes = |unit: &u16| match order {
            ByteOrder::Little => unit.to_le_bytes(),
            ByteOrder::Big => unit.to_be_bytes(),
        };
        units.iter().flat_map(bytes).collect()
    }

    #[test]
    fn the_order_of_bytes() {
        use ByteOrder::{Big, Little};
        let little = bytes_of(&"{\"type\":\"x\"}".encode_utf16().collect::<Vec<_>>(), Little);
        let big = bytes_of(&"{\"type\":\"x\"}".encode_utf16().collect::<Vec<_>>(), Big);
        for (bytes, order) in [
            (&b"\xff\xfe"[..], Some(Little)),
            (b"\xfe\xffx", Some(Big)),
            (&little, Some(Little)),
            (&big, Some(Big)),
            (&little[..PREFIX], Some(Little)),
            (&little[..PREFIX - 1], None),
            (&little[1..], Some(Big)),
            (b"{}", None),
            (b"\xff", None),
            (b"", None),
            (&[0; 64], None),
        ] {
            assert_eq!(order_of(bytes, true), Some(order), "{bytes:?}");
            let known = (0..=bytes.len()).find_map(|length| order_of(&bytes[..length], false));
            assert!(known.is_none_or(|known| known == order), "{bytes:?}");
        }
        assert_eq!(order_of(b"{}", false), Some(None));
        assert_eq!(order_of(b"{\0\"\0", false), None);
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_standard_library_gives(
            units in prop::collection::vec(
                prop_oneof![
                    any::<u16>(),
                    prop::sample::select(vec![0x41, 0x0a, 0, 0xd83d, 0xde00, 0xd800, 0xdfff, 0xfeff, 0xfffe]),
                ],
                0..40,
            ),
            odd in any::<bool>(),
            big in any::<bool>(),
            piece in 1..9_usize,
        ) {
            let order = if big { ByteOrder::Big } else { ByteOrder::Little };
            let mut bytes = bytes_of(&units, order);
            bytes.extend(odd.then_some(b'x'));
            let mut decoder = Decoder::new(order);
            let mut text = Vec::new();
            bytes.chunks(piece).for_each(|piece| decoder.push(piece, &mut text));
            decoder.finish(&mut text);
            prop_assert_eq!(decoder.taken(), bytes.len() as u64);
            let has_mark = units.first() == Some(&0xfeff);
            let mut expected = String::from_utf16_lossy(&units[usize::from(has_mark)..]);
            prop_assert_eq!(length(expected.as_bytes()), 2 * (units.len() - usize::from(has_mark)) as u64);
            expected.extend(odd.then_some(char::REPLACEMENT_CHARACTER));
            prop_assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }
}
