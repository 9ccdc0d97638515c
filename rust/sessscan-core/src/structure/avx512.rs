//! Sixty-four bytes as one AVX-512 register, whose comparisons give masks at once.

use super::avx2::{avx2_spells, clmul_prefix_xor};
use super::block::{BLOCK, Block, Text};
use super::utf8;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512i);

// SAFETY, for every block of this file: `load` is only called where the processor has AVX-512BW (and carry-less
// multiplication), as `plain::read_lines` makes sure, and without a loaded block there is nothing to call the
// other functions with.

#[inline(always)]
fn all(byte: u8) -> __m512i {
    // SAFETY: see above.
    unsafe { _mm512_set1_epi8(byte as i8) }
}

impl Block for Avx512 {
    #[inline(always)]
    unsafe fn load(from: *const u8) -> Avx512 {
        // SAFETY: the caller promises 64 readable bytes; see above.
        Avx512(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_cmpeq_epi8_mask(self.0, all(byte)) }
    }

    #[inline(always)]
    fn differs(self, other: Avx512) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_cmpneq_epi8_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn control(self) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_cmplt_epu8_mask(self.0, all(0x20)) }
    }

    #[inline(always)]
    fn high(self) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_movepi8_mask(self.0) }
    }

    #[inline(always)]
    fn unusual(self) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_cmplt_epi8_mask(self.0, all(0x20)) }
    }

    #[inline(always)]
    fn stops(self) -> u64 {
        self.equal(b'"') | self.equal(b'\\') | self.unusual()
    }

    #[inline(always)]
    unsafe fn spells(here: *const u8, text: &Text) -> bool {
        // SAFETY: what the caller promises.
        unsafe { avx2_spells(here, text) }
    }

    #[inline(always)]
    fn at_least(self, byte: u8) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_cmpge_epu8_mask(self.0, all(byte)) }
    }

    unsafe fn utf8_errors(from: *const u8) -> (u64, bool) {
        // Most text has no need of it, and what is around it is in a hurry.
        #[target_feature(enable = "avx512bw,avx512f,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
        #[inline(never)]
        unsafe fn errors(from: *const u8) -> (u64, bool) {
            // SAFETY: what the caller promises; see above. Each table is as long as what it is loaded to.
            unsafe {
                let [block, one, two, three] =
                    [0, 1, 2, 3].map(|back| _mm512_loadu_si512(from.sub(back).cast()));
                let half = |bytes| _mm512_and_si512(bytes, all(0x0f));
                let high_half = |bytes| half(_mm512_srli_epi16(bytes, 4));
                let said = |table: &[u8; 16], halves| {
                    _mm512_shuffle_epi8(
                        _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast())),
                        halves,
                    )
                };
                let wrong = _mm512_and_si512(
                    _mm512_and_si512(
                        said(&utf8::FIRST_HIGH, high_half(one)),
                        said(&utf8::FIRST_LOW, half(one)),
                    ),
                    said(&utf8::SECOND_HIGH, high_half(block)),
                );
                let due = _mm512_or_si512(
                    _mm512_subs_epu8(two, all(0xe0 - utf8::GOES_ON)),
                    _mm512_subs_epu8(three, all(0xf0 - utf8::GOES_ON)),
                );
                let errors = _mm512_xor_si512(wrong, _mm512_and_si512(due, all(utf8::GOES_ON)));
                (_mm512_test_epi8_mask(errors, errors), Avx512(block).high() >> (BLOCK - 3) != 0)
            }
        }
        // SAFETY: what the caller promises; see above.
        unsafe { errors(from) }
    }

    #[inline(always)]
    fn brackets(self) -> (u64, u64) {
        // SAFETY: see above.
        let folded = Avx512(unsafe { _mm512_or_si512(self.0, all(0x20)) });
        (folded.equal(b'{'), folded.equal(b'}'))
    }

    #[inline(always)]
    fn curly(self) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_test_epi8_mask(self.0, all(0x20)) }
    }

    #[inline(always)]
    fn prefix_xor(mask: u64) -> u64 {
        clmul_prefix_xor(mask)
    }

    #[inline(always)]
    fn gather(of: u64, mask: u64) -> u64 {
        // SAFETY: see above; BMI2 comes with it.
        unsafe { _pext_u64(of, mask) }
    }
}
