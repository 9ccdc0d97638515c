//! Sixty-four bytes as four NEON registers.

use super::block::Block;
use std::arch::aarch64::*;

/// Four registers of 16 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Neon([uint8x16_t; 4]);

impl Neon {
    /// Mask the bytes that `of` turns into all ones. It must turn the others into zero.
    #[inline(always)]
    fn mask(self, of: impl Fn(uint8x16_t) -> uint8x16_t) -> u64 {
        const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        // Each byte keeps its own bit of eight; adding neighbours three times gathers them.
        // SAFETY: NEON is part of the aarch64 targets of the standard library; `BITS` has the 16 bytes
        // loaded.
        unsafe {
            let bits = vld1q_u8(BITS.as_ptr());
            let [a, b, c, d] = self.0.map(|quarter| vandq_u8(of(quarter), bits));
            let pairs = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
            vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0)
        }
    }
}

impl Block for Neon {
    // It was not measured with these instructions.
    const PASSES_TEXT: bool = false;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Neon {
        // SAFETY: the caller promises 64 readable bytes; NEON is part of the aarch64 targets of the standard
        // library.
        Neon(unsafe {
            [vld1q_u8(from), vld1q_u8(from.add(16)), vld1q_u8(from.add(32)), vld1q_u8(from.add(48))]
        })
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        // SAFETY: NEON is part of the aarch64 targets of the standard library.
        self.mask(|quarter| unsafe { vceqq_u8(quarter, vdupq_n_u8(byte)) })
    }

    #[inline(always)]
    fn differs(self, other: Neon) -> u64 {
        // SAFETY: NEON is part of the aarch64 targets of the standard library.
        let bits =
            [0, 1, 2, 3].map(|quarter| unsafe { vmvnq_u8(vceqq_u8(self.0[quarter], other.0[quarter])) });
        Neon(bits).mask(|quarter| quarter)
    }

    #[inline(always)]
    fn control(self) -> u64 {
        // SAFETY: NEON is part of the aarch64 targets of the standard library.
        self.mask(|quarter| unsafe { vcltq_u8(quarter, vdupq_n_u8(0x20)) })
    }

    #[inline(always)]
    fn high(self) -> u64 {
        // SAFETY: NEON is part of the aarch64 targets of the standard library.
        self.mask(|quarter| unsafe { vcgeq_u8(quarter, vdupq_n_u8(0x80)) })
    }

    #[inline(always)]
    fn at_least(self, byte: u8) -> u64 {
        // SAFETY: NEON is part of the aarch64 targets of the standard library.
        self.mask(|quarter| unsafe { vcgeq_u8(quarter, vdupq_n_u8(byte)) })
    }

    #[inline(always)]
    fn brackets(self) -> (u64, u64) {
        // SAFETY: NEON is part of the aarch64 targets of the standard library.
        let folded = Neon(self.0.map(|quarter| unsafe { vorrq_u8(quarter, vdupq_n_u8(0x20)) }));
        (folded.equal(b'{'), folded.equal(b'}'))
    }

    #[inline(always)]
    fn curly(self) -> u64 {
        // SAFETY: NEON is part of the aarch64 targets of the standard library.
        self.mask(|quarter| unsafe { vtstq_u8(quarter, vdupq_n_u8(0x20)) })
    }
}
