//! What may not stand side by side in UTF-8, told by halves of bytes: a vector of sixteen bytes can be asked for sixteen or
//! more halves at once.
//!
//! Each half (the high and the low one of a byte, the high one of the next) allows some of eight ways to be wrong, and what
//! all three allow is so. From table 3-7 of the Unicode standard; the method is Keiser's and Lemire's ("Validating UTF-8 in
//! less than one instruction per byte", 2021).

/// A byte goes on with a character behind one that does too: right where a character of three or four bytes has them, which
/// these two bytes do not tell.
pub(super) const GOES_ON: u8 = 0x80;

/// The ways to be wrong: the high halves and the low ones of the first byte, and the high ones of the second. Those of the
/// second byte are a set of 8, 9, a and b, or all others.
struct Way {
    bit: u8,
    first_high: u16,
    first_low: u16,
    second_high: u16,
}

const ANY: u16 = 0xffff;
const CONTINUES: u16 = 0x0f00;

const fn from(half: u32) -> u16 {
    u16::MAX << half
}

const fn one(half: u32) -> u16 {
    1 << half
}

const WAYS: [Way; 8] = [
    // A character is cut off.
    Way { bit: 0x01, first_high: from(0xc), first_low: ANY, second_high: !CONTINUES },
    // One goes on that did not begin.
    Way { bit: 0x02, first_high: !from(8), first_low: ANY, second_high: CONTINUES },
    // Two bytes where one does: c0 and c1.
    Way { bit: 0x04, first_high: one(0xc), first_low: one(0) | one(1), second_high: CONTINUES },
    // Three bytes where two do: e0 80 to e0 9f.
    Way { bit: 0x08, first_high: one(0xe), first_low: one(0), second_high: one(8) | one(9) },
    // Surrogates: ed a0 to ed bf.
    Way { bit: 0x10, first_high: one(0xe), first_low: one(0xd), second_high: one(0xa) | one(0xb) },
    // Four bytes where three do, f0 80 to f0 8f; and beyond f4: f5 80 and so on.
    Way { bit: 0x20, first_high: one(0xf), first_low: one(0) | from(5), second_high: one(8) },
    // Beyond U+10FFFF: f4 90 and so on.
    Way { bit: 0x40, first_high: one(0xf), first_low: from(4), second_high: CONTINUES & from(9) },
    Way { bit: GOES_ON, first_high: CONTINUES, first_low: ANY, second_high: CONTINUES },
];

/// For each half, which ways it allows.
const fn table(place: usize) -> [u8; 16] {
    let mut table = [0; 16];
    let mut way = 0;
    while way < WAYS.len() {
        let Way { bit, first_high, first_low, second_high } = WAYS[way];
        let halves = [first_high, first_low, second_high][place];
        let mut half = 0;
        while half < table.len() {
            if halves >> half & 1 == 1 {
                table[half] |= bit;
            }
            half += 1;
        }
        way += 1;
    }
    table
}

pub(super) const FIRST_HIGH: [u8; 16] = table(0);
pub(super) const FIRST_LOW: [u8; 16] = table(1);
pub(super) const SECOND_HIGH: [u8; 16] = table(2);
