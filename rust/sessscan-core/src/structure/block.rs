//! The block of 64 bytes that each instruction set implements.

/// How many bytes a block has, and how many bits a mask.
pub(crate) const BLOCK: usize = 64;

/// A short text to compare bytes with, and a mask of the bytes of it that count.
#[repr(align(32))]
pub(crate) struct Text {
    pub(crate) bytes: [u8; Text::LENGTH],
    pub(crate) mask: [u8; Text::LENGTH],
}

impl Text {
    pub(crate) const LENGTH: usize = 32;
}

/// Sixty-four bytes, and masks of them with one bit a byte, the first byte's lowest.
pub(crate) trait Block: Copy {
    /// Load a block, from any alignment.
    ///
    /// # Safety
    /// All 64 bytes are readable, and the processor has the instructions of the implementation.
    unsafe fn load(from: *const u8) -> Self;

    /// Mask the bytes that equal `byte`.
    fn equal(self, byte: u8) -> u64;

    /// Mask the bytes that are not those of another block.
    fn differs(self, other: Self) -> u64;

    /// Mask the bytes below 0x20.
    fn control(self) -> u64;

    /// Mask the bytes from 0x80.
    fn high(self) -> u64;

    /// Mask the bytes from `byte` on, which must be 0x80 or more.
    fn at_least(self, byte: u8) -> u64;

    /// Mask the bytes that cannot follow the three before them in UTF-8, of the 64 bytes at `from`. Also
    /// return whether a character may go on behind the 64 bytes.
    ///
    /// These are the sequences of table 3-7 of the Unicode standard, seen from their later bytes: a first
    /// byte is followed by as many continuations as it requires and by no others, and some first bytes
    /// restrict the second.
    ///
    /// # Safety
    /// The 64 bytes and the three before them are readable, and the processor has the instructions of the
    /// implementation.
    #[inline(always)]
    unsafe fn utf8_errors(from: *const u8) -> (u64, bool) {
        // SAFETY: the caller promises that 64 bytes and the three before them are readable, so that each load
        // begins and ends within them, and that the processor has the instructions.
        let [block, one, two, three] = [0, 1, 2, 3].map(|back| unsafe { Self::load(from.sub(back)) });
        let begins = one.at_least(0xc0);
        let due = begins | two.at_least(0xe0) | three.at_least(0xf0);
        let continues = block.high() & !block.at_least(0xc0);
        let never = one.at_least(0xf5) | begins & !one.at_least(0xc2);
        let (from_90, from_a0) = (block.at_least(0x90), block.at_least(0xa0));
        let narrow = one.equal(0xe0) & !from_a0
            | one.equal(0xed) & from_a0
            | one.equal(0xf0) & !from_90
            | one.equal(0xf4) & from_90;
        ((due ^ continues) | never | narrow, block.high() >> (BLOCK - 3) != 0)
    }

    /// Mask the bytes below 0x20 or from 0x80: as signed numbers, all bytes below 0x20.
    fn unusual(self) -> u64 {
        self.control() | self.high()
    }

    /// Mask the bytes at which a string may end or not be plain: quotes, backslashes and unusual bytes.
    fn stops(self) -> u64 {
        self.equal(b'"') | self.equal(b'\\') | self.unusual()
    }

    /// Whether [`Block::may_end_a_string`] takes less time than the masks of a block.
    const PASSES_TEXT: bool;

    /// Return whether a string that is open before the 64 bytes at `from` may end in them: there is a quote
    /// without a backslash before it, or there are two backslashes side by side. Also return whether any byte
    /// is unusual.
    ///
    /// # Safety
    /// The 64 bytes and the one before them are readable, and the processor has the instructions of the
    /// implementation.
    #[inline(always)]
    unsafe fn may_end_a_string(from: *const u8) -> (bool, bool) {
        // SAFETY: the caller promises that 64 bytes and the one before them are readable, and that the
        // processor has the instructions.
        let (block, before) = unsafe { (Self::load(from), Self::load(from.sub(1))) };
        let before = before.equal(b'\\');
        let ends = block.equal(b'"') & !before | block.equal(b'\\') & before;
        (ends != 0, block.unusual() != 0)
    }

    /// Mask the opening brackets and the closing ones, square or curly.
    fn brackets(self) -> (u64, u64);

    /// Mask the curly brackets. The bits of bytes that are no brackets mean nothing.
    fn curly(self) -> u64;

    /// Return whether the bytes at `here` are a text.
    ///
    /// # Safety
    /// [`Text::LENGTH`] bytes are readable, and the processor has the instructions of the implementation.
    #[inline(always)]
    unsafe fn spells(here: *const u8, text: &Text) -> bool {
        // SAFETY: the caller promises that this many bytes are readable; they need no alignment.
        let here = unsafe { here.cast::<[u8; Text::LENGTH]>().read() };
        (0..Text::LENGTH).fold(0, |differs, at| differs | (here[at] ^ text.bytes[at]) & text.mask[at]) == 0
    }

    /// Set each bit to the parity of itself and the bits below. Applied to a mask of quotes, this masks what
    /// is inside them.
    fn prefix_xor(self, mask: u64) -> u64 {
        let mut parity = mask;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        parity
    }

    /// Move those bits of `of` where `mask` has ones together at the low end.
    #[inline(always)]
    fn gather(self, of: u64, mut mask: u64) -> u64 {
        let mut gathered = 0;
        let mut bit = 1;
        while mask != 0 {
            if of & mask & mask.wrapping_neg() != 0 {
                gathered |= bit;
            }
            mask &= mask - 1;
            bit <<= 1;
        }
        gathered
    }
}
