//! Sixty-four bytes as eight words of eight, for any processor.

use super::block::Block;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Eight words, each with its first byte lowest.
#[derive(Clone, Copy)]
pub(crate) struct Scalar([u64; 8]);

impl Scalar {
    /// Mask the bytes whose highest bit is set in what `of` makes of their word.
    #[inline(always)]
    fn mask(self, of: impl Fn(u64) -> u64) -> u64 {
        self.0.iter().enumerate().fold(0, |mask, (at, word)| {
            // The multiplication gathers the eight bits in the highest byte; no two of them are added on the
            // way.
            let gathered = ((of(*word) & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            mask | gathered << (8 * at)
        })
    }
}

/// Return the high bit of each byte that is zero.
#[inline(always)]
fn zero(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word)
}

impl Block for Scalar {
    // It needs one mask more than a string's blocks do.
    const PASSES_TEXT: bool = false;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Scalar {
        // SAFETY: the caller promises 64 readable bytes; the read needs no alignment.
        Scalar(unsafe { from.cast::<[u64; 8]>().read_unaligned() }.map(u64::from_le))
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        self.mask(|word| zero(word ^ (LOW * u64::from(byte))))
    }

    #[inline(always)]
    fn differs(self, other: Scalar) -> u64 {
        Scalar(std::array::from_fn(|word| self.0[word] ^ other.0[word])).mask(|word| !zero(word))
    }

    #[inline(always)]
    fn control(self) -> u64 {
        self.mask(|word| zero(word & (LOW * 0xe0)))
    }

    #[inline(always)]
    fn high(self) -> u64 {
        self.mask(|word| word)
    }

    #[inline(always)]
    fn at_least(self, byte: u8) -> u64 {
        // `byte` has the high bit, so of the bytes that have it too the seven lower bits decide: they carry
        // into it.
        self.mask(|word| word & ((word & !HIGH) + LOW * u64::from(0x100 - u16::from(byte))))
    }

    #[inline(always)]
    fn brackets(self) -> (u64, u64) {
        let folded = |word: u64| word | (LOW * 0x20);
        (
            self.mask(|word| zero(folded(word) ^ (LOW * u64::from(b'{')))),
            self.mask(|word| zero(folded(word) ^ (LOW * u64::from(b'}')))),
        )
    }

    #[inline(always)]
    fn curly(self) -> u64 {
        self.mask(|word| word << 2)
    }
}
