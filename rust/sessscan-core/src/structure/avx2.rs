//! Sixty-four bytes as two AVX2 registers.

use super::block::{BLOCK, Block, Text};
use super::utf8;
use std::arch::x86_64::*;

/// Two registers of 32 bytes.
///
/// Invariant: a value exists only if the processor has AVX2, BMI2 and carry-less multiplication. The first
/// value is made by `load`, whose caller promises that.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256i, __m256i);

impl Avx2 {
    #[inline(always)]
    fn mask(self, of: impl Fn(__m256i) -> __m256i) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        let (low, high) = unsafe { (_mm256_movemask_epi8(of(self.0)), _mm256_movemask_epi8(of(self.1))) };
        u64::from(low as u32) | u64::from(high as u32) << 32
    }
}

/// Return 32 copies of a byte.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn all(byte: u8) -> __m256i {
    // SAFETY: the caller promises that the processor has AVX2.
    unsafe { _mm256_set1_epi8(byte as i8) }
}

impl Block for Avx2 {
    const PASSES_TEXT: bool = true;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Avx2 {
        // SAFETY: the caller promises 64 readable bytes, and a processor with AVX2.
        unsafe { Avx2(_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())) }
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        self.mask(|half| unsafe { _mm256_cmpeq_epi8(half, all(byte)) })
    }

    #[inline(always)]
    fn differs(self, other: Avx2) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        let same = unsafe { Avx2(_mm256_cmpeq_epi8(self.0, other.0), _mm256_cmpeq_epi8(self.1, other.1)) };
        !same.mask(|half| half)
    }

    #[inline(always)]
    fn control(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        self.mask(|half| unsafe { _mm256_cmpeq_epi8(_mm256_min_epu8(half, all(0x1f)), half) })
    }

    #[inline(always)]
    fn high(self) -> u64 {
        self.mask(|half| half)
    }

    #[inline(always)]
    fn unusual(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        self.mask(|half| unsafe { _mm256_cmpgt_epi8(all(0x20), half) })
    }

    #[inline(always)]
    fn stops(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        self.mask(|half| unsafe {
            let ends =
                _mm256_or_si256(_mm256_cmpeq_epi8(half, all(b'"')), _mm256_cmpeq_epi8(half, all(b'\\')));
            _mm256_or_si256(ends, _mm256_cmpgt_epi8(all(0x20), half))
        })
    }

    #[inline(always)]
    unsafe fn may_end_a_string(from: *const u8) -> (bool, bool) {
        // SAFETY: the caller promises that 64 bytes and the one before them are readable, so that each load
        // begins and ends within them, and that the processor has AVX2.
        unsafe {
            let ends = |half, from: *const u8| {
                let before = _mm256_cmpeq_epi8(_mm256_loadu_si256(from.sub(1).cast()), all(b'\\'));
                // Behind a backslash another one counts, elsewhere a quote.
                let (quotes, backslashes) =
                    (_mm256_cmpeq_epi8(half, all(b'"')), _mm256_cmpeq_epi8(half, all(b'\\')));
                _mm256_blendv_epi8(quotes, backslashes, before)
            };
            let block = Avx2::load(from);
            let ends = _mm256_or_si256(ends(block.0, from), ends(block.1, from.add(32)));
            // As signed numbers, all unusual bytes are below 0x20.
            let unusual = _mm256_cmpgt_epi8(all(0x20), _mm256_min_epi8(block.0, block.1));
            (_mm256_movemask_epi8(ends) != 0, _mm256_movemask_epi8(unusual) != 0)
        }
    }

    #[inline(always)]
    unsafe fn spells(here: *const u8, text: &Text) -> bool {
        // SAFETY: the caller promises `Text::LENGTH` = 32 readable bytes, and a processor with AVX2.
        unsafe { avx2_spells(here, text) }
    }

    #[inline(always)]
    fn at_least(self, byte: u8) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        self.mask(|half| unsafe { _mm256_cmpeq_epi8(_mm256_max_epu8(half, all(byte)), half) })
    }

    unsafe fn utf8_errors(from: *const u8) -> (u64, bool) {
        // Not inlined: most text is ASCII, and the code around this is hot.
        #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
        #[inline(never)]
        unsafe fn errors(from: *const u8) -> (u64, bool) {
            // SAFETY: the caller promises that 64 bytes and the three before them are readable, so that each
            // load begins and ends within them, and that the processor has AVX2. Each table has the 16 bytes
            // that are loaded.
            unsafe {
                let half = |bytes| _mm256_and_si256(bytes, all(0x0f));
                let high_half = |bytes| half(_mm256_srli_epi16(bytes, 4));
                let look_up = |table: &[u8; 16], halves| {
                    _mm256_shuffle_epi8(
                        _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())),
                        halves,
                    )
                };
                let right = |from: *const u8| {
                    let [block, one, two, three] =
                        [0, 1, 2, 3].map(|back| _mm256_loadu_si256(from.sub(back).cast()));
                    let wrong = _mm256_and_si256(
                        _mm256_and_si256(
                            look_up(&utf8::FIRST_HIGH, high_half(one)),
                            look_up(&utf8::FIRST_LOW, half(one)),
                        ),
                        look_up(&utf8::SECOND_HIGH, high_half(block)),
                    );
                    let due = _mm256_or_si256(
                        _mm256_subs_epu8(two, all(0xe0 - utf8::TWO_CONTINUATIONS)),
                        _mm256_subs_epu8(three, all(0xf0 - utf8::TWO_CONTINUATIONS)),
                    );
                    let errors = _mm256_xor_si256(wrong, _mm256_and_si256(due, all(utf8::TWO_CONTINUATIONS)));
                    _mm256_cmpeq_epi8(errors, _mm256_setzero_si256())
                };
                let errors = !Avx2(right(from), right(from.add(32))).high();
                (errors, Avx2::load(from).high() >> (BLOCK - 3) != 0)
            }
        }
        // SAFETY: the caller promises the same readable bytes, and a processor with these instructions.
        unsafe { errors(from) }
    }

    #[inline(always)]
    fn brackets(self) -> (u64, u64) {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`).
        let folded = unsafe { Avx2(_mm256_or_si256(self.0, all(0x20)), _mm256_or_si256(self.1, all(0x20))) };
        (folded.equal(b'{'), folded.equal(b'}'))
    }

    #[inline(always)]
    fn curly(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX2 (invariant of `Avx2`). Bit 5 of each byte is
        // moved to bit 7, of which the mask is made.
        self.mask(|half| unsafe { _mm256_slli_epi16(half, 2) })
    }

    #[inline(always)]
    fn prefix_xor(self, mask: u64) -> u64 {
        // SAFETY: `self` exists, so the processor has carry-less multiplication (invariant of `Avx2`).
        unsafe { clmul_prefix_xor(mask) }
    }

    #[inline(always)]
    fn gather(self, of: u64, mask: u64) -> u64 {
        // SAFETY: `self` exists, so the processor has BMI2 (invariant of `Avx2`).
        unsafe { _pext_u64(of, mask) }
    }
}

/// Set each bit to the parity of itself and the bits below, by carry-less multiplication with all ones.
///
/// # Safety
/// The processor has carry-less multiplication.
#[inline(always)]
pub(super) unsafe fn clmul_prefix_xor(mask: u64) -> u64 {
    // SAFETY: the caller promises that the processor has carry-less multiplication; SSE2 is part of x86-64.
    unsafe {
        let product = _mm_clmulepi64_si128(_mm_set_epi64x(0, mask as i64), _mm_set1_epi8(-1), 0);
        _mm_cvtsi128_si64(product) as u64
    }
}

/// Return whether the 32 bytes at `here` are a text.
///
/// # Safety
/// 32 bytes from `here` are readable, and the processor has AVX2.
#[inline(always)]
pub(super) unsafe fn avx2_spells(here: *const u8, text: &Text) -> bool {
    // SAFETY: the caller promises 32 readable bytes at `here`, which need no alignment, and AVX2. A `Text` is
    // aligned to 32 bytes and consists of two arrays of 32 bytes, so both are aligned to 32.
    unsafe {
        let bytes = _mm256_load_si256(text.bytes.as_ptr().cast());
        let mask = _mm256_load_si256(text.mask.as_ptr().cast());
        _mm256_testz_si256(_mm256_xor_si256(_mm256_loadu_si256(here.cast()), bytes), mask) != 0
    }
}
