//! What every instruction set does with sixty-four bytes.

/// How many bytes a block has, and a mask bits.
pub(crate) const BLOCK: usize = 64;

/// A short text to be compared with, and which of its bytes count.
#[repr(align(32))]
pub(crate) struct Text {
    pub(crate) bytes: [u8; Text::LENGTH],
    pub(crate) mask: [u8; Text::LENGTH],
}

impl Text {
    pub(crate) const LENGTH: usize = 32;
}

/// Sixty-four bytes.
pub(crate) trait Block: Copy {
    /// Loads a block, from any alignment.
    ///
    /// # Safety
    /// All 64 bytes are readable, and the processor has the instructions.
    unsafe fn load(from: *const u8) -> Self;

    /// Where this byte is.
    fn equal(self, byte: u8) -> u64;

    /// Where the bytes are not those of another block.
    fn differs(self, other: Self) -> u64;

    /// Where the bytes below 0x20 are.
    fn control(self) -> u64;

    /// Where the bytes from 0x80 are.
    fn high(self) -> u64;

    /// Where the bytes from `byte` on are, which is no ASCII.
    fn at_least(self, byte: u8) -> u64;

    /// Where, of the 64 bytes from a place on, those are that cannot stand behind the three before them, if all is UTF-8;
    /// and whether a character may go on behind them.
    ///
    /// The sequences of table 3-7 of the Unicode standard, read the other way round: after a byte that begins one there
    /// are as many continuations as it says, and no others, and some first bytes narrow down the second.
    ///
    /// # Safety
    /// These bytes and three before them are readable, and the processor has the instructions.
    #[inline(always)]
    unsafe fn utf8_errors(from: *const u8) -> (u64, bool) {
        // SAFETY: what the caller promises.
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

    /// Where the bytes below 0x20 or from 0x80 are: as signed numbers, all below 0x20.
    fn unusual(self) -> u64 {
        self.control() | self.high()
    }

    /// Where a string may end or not be plain: quotes, backslashes, and what is unusual.
    fn stops(self) -> u64 {
        self.equal(b'"') | self.equal(b'\\') | self.unusual()
    }

    /// Where the opening brackets are, and the closing ones: square or curly.
    fn brackets(self) -> (u64, u64);

    /// Where, among brackets, the curly ones are.
    fn curly(self) -> u64;

    /// Whether a text is here.
    ///
    /// # Safety
    /// As many bytes as the text has are readable, and the processor has the instructions.
    #[inline(always)]
    unsafe fn spells(here: *const u8, text: &Text) -> bool {
        // SAFETY: what the caller promises.
        let here = unsafe { here.cast::<[u8; Text::LENGTH]>().read() };
        (0..Text::LENGTH).fold(0, |differs, at| differs | (here[at] ^ text.bytes[at]) & text.mask[at]) == 0
    }

    /// Each bit becomes the parity of itself and those below: what is inside quotes, from where they are.
    fn prefix_xor(mask: u64) -> u64 {
        let mut parity = mask;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        parity
    }

    /// The bits of `of` where `mask` has bits, moved together at the low end.
    #[inline(always)]
    fn gather(of: u64, mut mask: u64) -> u64 {
        let mut gathered = 0;
        let mut place = 1;
        while mask != 0 {
            if of & mask & mask.wrapping_neg() != 0 {
                gathered |= place;
            }
            mask &= mask - 1;
            place <<= 1;
        }
        gathered
    }
}
