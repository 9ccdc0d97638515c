//! Looking into a value of a line that was proved to be plain, at the fast reader's pace.

use super::Values;
use crate::bytes::{AHEAD, Region, STRIDE};
use crate::extent::{container, string};
use crate::structure::{Block, Isa, Scalar};
use crate::text;
use std::ops::Range;

/// Bytes of lines that were proved to be plain.
#[derive(Clone, Copy)]
pub(crate) struct PlainRegion<'a> {
    region: Region<'a>,
    isa: Isa,
}

impl<'a> PlainRegion<'a> {
    pub(crate) fn new(region: Region<'a>, isa: Isa) -> PlainRegion<'a> {
        PlainRegion { region, isa }
    }

    /// To look into a value that ends at `end`, if blocks can be loaded from all of it.
    pub(crate) fn values(self, end: usize) -> Option<PlainValues<'a>> {
        (end + AHEAD < self.region.readable()).then_some(PlainValues { bytes: self, end })
    }
}

/// A value of a plain line, and those inside it, to be passed over as the fast reader does.
pub(crate) struct PlainValues<'a> {
    bytes: PlainRegion<'a>,
    end: usize,
}

impl Values for PlainValues<'_> {
    /// Enough to tell who wrote a text.
    const PIECE: usize = 32;

    fn byte(&self, at: usize) -> Option<u8> {
        (at < self.end).then(|| self.bytes.region.byte(at))
    }

    fn end(&self, at: usize) -> Option<usize> {
        #[inline(always)]
        fn end<B: Block>(region: Region, at: usize) -> Option<usize> {
            match region.byte(at) {
                b'"' => string::<B>(region, at).map(|(end, _)| end),
                _ => container::<B>(region, at),
            }
        }

        let PlainRegion { region, isa } = self.bytes;
        let end = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                #[target_feature(enable = "avx512bw,avx512f,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
                fn avx512(region: Region, at: usize) -> Option<usize> {
                    end::<crate::structure::Avx512>(region, at)
                }
                // SAFETY: `Isa::available` found these instructions in this processor.
                unsafe { avx512(region, at) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
                fn avx2(region: Region, at: usize) -> Option<usize> {
                    end::<crate::structure::Avx2>(region, at)
                }
                // SAFETY: likewise.
                unsafe { avx2(region, at) }
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => end::<crate::structure::Neon>(region, at),
            _ => end::<Scalar>(region, at),
        };
        end.filter(|end| *end <= self.end)
    }

    fn copy<'s>(&self, range: Range<usize>, into: &'s mut Vec<u8>) -> &'s [u8] {
        self.bytes.region.view().copy(range, into)
    }

    fn decodes(&self, range: Range<usize>) -> bool {
        /// Longer than any escape.
        const PIECE: usize = 4096;
        let mut piece = Vec::with_capacity(PIECE);
        let Range { start: mut at, end } = range;
        let mut kept = at;
        while at < end {
            let piece = self.copy(at..end.min(at + PIECE), &mut piece);
            let decodable = text::decodable(piece);
            // What is cut off by the end of a piece is whole in the next one.
            if decodable == 0 || (decodable < piece.len() && at + piece.len() == end) {
                return false;
            }
            at += decodable;
            if at - kept > STRIDE {
                if self.bytes.region.is_cancelled() {
                    return false;
                }
                self.bytes.region.give_back(kept..at);
                kept = at;
            }
        }
        true
    }
}
