//! Sixty-four bytes as one AVX-512 register, whose comparisons directly give masks.

use super::avx2::{avx2_spells, clmul_prefix_xor};
use super::block::{BLOCK, Block, Text};
use super::utf8;
use std::arch::x86_64::*;

/// One register of 64 bytes.
///
/// Invariant: a value exists only if the processor has AVX-512BW, AVX2, BMI2 and carry-less multiplication.
/// The first value is made by `load`, whose caller promises that.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512i);

/// Return 64 copies of a byte.
///
/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn all(byte: u8) -> __m512i {
    // SAFETY: the caller promises that the processor has AVX-512F.
    unsafe { _mm512_set1_epi8(byte as i8) }
}

impl Block for Avx512 {
    // It was not measured with these instructions, which make a mask at once.
    const PASSES_TEXT: bool = false;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Avx512 {
        // SAFETY: the caller promises 64 readable bytes, and a processor with AVX-512.
        Avx512(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        unsafe { _mm512_cmpeq_epi8_mask(self.0, all(byte)) }
    }

    #[inline(always)]
    fn differs(self, other: Avx512) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        unsafe { _mm512_cmpneq_epi8_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn control(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        unsafe { _mm512_cmplt_epu8_mask(self.0, all(0x20)) }
    }

    #[inline(always)]
    fn high(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        unsafe { _mm512_movepi8_mask(self.0) }
    }

    #[inline(always)]
    fn unusual(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        unsafe { _mm512_cmplt_epi8_mask(self.0, all(0x20)) }
    }

    #[inline(always)]
    fn stops(self) -> u64 {
        self.equal(b'"') | self.equal(b'\\') | self.unusual()
    }

    #[inline(always)]
    unsafe fn spells(here: *const u8, text: &Text) -> bool {
        // SAFETY: the caller promises `Text::LENGTH` = 32 readable bytes, and a processor with AVX-512 and
        // AVX2.
        unsafe { avx2_spells(here, text) }
    }

    #[inline(always)]
    fn at_least(self, byte: u8) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        unsafe { _mm512_cmpge_epu8_mask(self.0, all(byte)) }
    }

    unsafe fn utf8_errors(from: *const u8) -> (u64, bool) {
        // Not inlined: most text is ASCII, and the code around this is hot.
        #[target_feature(enable = "avx512bw,avx512f,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
        #[inline(never)]
        unsafe fn errors(from: *const u8) -> (u64, bool) {
            // SAFETY: the caller promises that 64 bytes and the three before them are readable, so that each
            // load begins and ends within them, and that the processor has AVX-512BW. Each table has the 16
            // bytes that are loaded.
            unsafe {
                let [block, one, two, three] =
                    [0, 1, 2, 3].map(|back| _mm512_loadu_si512(from.sub(back).cast()));
                let half = |bytes| _mm512_and_si512(bytes, all(0x0f));
                let high_half = |bytes| half(_mm512_srli_epi16(bytes, 4));
                let look_up = |table: &[u8; 16], halves| {
                    _mm512_shuffle_epi8(
                        _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast())),
                        halves,
                    )
                };
                let wrong = _mm512_and_si512(
                    _mm512_and_si512(
                        look_up(&utf8::FIRST_HIGH, high_half(one)),
                        look_up(&utf8::FIRST_LOW, half(one)),
                    ),
                    look_up(&utf8::SECOND_HIGH, high_half(block)),
                );
                let due = _mm512_or_si512(
                    _mm512_subs_epu8(two, all(0xe0 - utf8::TWO_CONTINUATIONS)),
                    _mm512_subs_epu8(three, all(0xf0 - utf8::TWO_CONTINUATIONS)),
                );
                let errors = _mm512_xor_si512(wrong, _mm512_and_si512(due, all(utf8::TWO_CONTINUATIONS)));
                (_mm512_test_epi8_mask(errors, errors), Avx512(block).high() >> (BLOCK - 3) != 0)
            }
        }
        // SAFETY: the caller promises the same readable bytes, and a processor with these instructions.
        unsafe { errors(from) }
    }

    #[inline(always)]
    fn brackets(self) -> (u64, u64) {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        let folded = Avx512(unsafe { _mm512_or_si512(self.0, all(0x20)) });
        (folded.equal(b'{'), folded.equal(b'}'))
    }

    #[inline(always)]
    fn curly(self) -> u64 {
        // SAFETY: `self` exists, so the processor has AVX-512BW (invariant of `Avx512`).
        unsafe { _mm512_test_epi8_mask(self.0, all(0x20)) }
    }

    #[inline(always)]
    fn prefix_xor(self, mask: u64) -> u64 {
        // SAFETY: `self` exists, so the processor has carry-less multiplication (invariant of `Avx512`).
        unsafe { clmul_prefix_xor(mask) }
    }

    #[inline(always)]
    fn gather(self, of: u64, mask: u64) -> u64 {
        // SAFETY: `self` exists, so the processor has BMI2 (invariant of `Avx512`).
        unsafe { _pext_u64(of, mask) }
    }
}
