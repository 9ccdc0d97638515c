//! Tables that tell from halves of bytes which pairs of bytes are not UTF-8. A vector instruction looks up 16
//! or more halves at once.
//!
//! There are eight kinds of error. Three tables, for the high and the low half of a byte and for the high
//! half of the next byte, say which kinds each half allows. A pair has the errors that all three allow. The
//! kinds follow from table 3-7 of the Unicode standard; the method is that of Keiser and Lemire ("Validating
//! UTF-8 in less than one instruction per byte", 2021).

/// Two continuation bytes in a row. They are right in a character of three or four bytes, which these two
/// bytes do not tell.
pub(super) const TWO_CONTINUATIONS: u8 = 0x80;

/// A kind of error: its bit, and for each of the three halves a mask of the values that it can have.
struct ErrorKind {
    bit: u8,
    first_high: u16,
    first_low: u16,
    second_high: u16,
}

const ANY: u16 = 0xffff;
/// The high halves of continuation bytes: 8, 9, a and b.
const CONTINUES: u16 = 0x0f00;

const fn from(half: u32) -> u16 {
    u16::MAX << half
}

const fn one(half: u32) -> u16 {
    1 << half
}

const ERROR_KINDS: [ErrorKind; 8] = [
    // A character is cut off.
    ErrorKind { bit: 0x01, first_high: from(0xc), first_low: ANY, second_high: !CONTINUES },
    // A continuation without a beginning.
    ErrorKind { bit: 0x02, first_high: !from(8), first_low: ANY, second_high: CONTINUES },
    // Two bytes where one is enough: c0 and c1.
    ErrorKind { bit: 0x04, first_high: one(0xc), first_low: one(0) | one(1), second_high: CONTINUES },
    // Three bytes where two are enough: e0 80 to e0 9f.
    ErrorKind { bit: 0x08, first_high: one(0xe), first_low: one(0), second_high: one(8) | one(9) },
    // Surrogates: ed a0 to ed bf.
    ErrorKind { bit: 0x10, first_high: one(0xe), first_low: one(0xd), second_high: one(0xa) | one(0xb) },
    // Four bytes where three are enough, f0 80 to f0 8f; and beyond f4: f5 80 and so on.
    ErrorKind { bit: 0x20, first_high: one(0xf), first_low: one(0) | from(5), second_high: one(8) },
    // Beyond U+10FFFF: f4 90 and so on.
    ErrorKind { bit: 0x40, first_high: one(0xf), first_low: from(4), second_high: CONTINUES & from(9) },
    ErrorKind { bit: TWO_CONTINUATIONS, first_high: CONTINUES, first_low: ANY, second_high: CONTINUES },
];

/// Return, for each value of one of the three halves, the kinds of error that it allows.
const fn table(position: usize) -> [u8; 16] {
    let mut table = [0; 16];
    let mut kind = 0;
    while kind < ERROR_KINDS.len() {
        let ErrorKind { bit, first_high, first_low, second_high } = ERROR_KINDS[kind];
        let halves = [first_high, first_low, second_high][position];
        let mut half = 0;
        while half < table.len() {
            if halves >> half & 1 == 1 {
                table[half] |= bit;
            }
            half += 1;
        }
        kind += 1;
    }
    table
}

pub(super) const FIRST_HIGH: [u8; 16] = table(0);
pub(super) const FIRST_LOW: [u8; 16] = table(1);
pub(super) const SECOND_HIGH: [u8; 16] = table(2);
