//! Read the values inside a value of a plain line, as fast as the fast reader.

use super::Values;
use crate::bytes::{AHEAD, Region, STRIDE};
use crate::extent::{container, string};
use crate::structure::{Block, Isa, Scalar};
use crate::text;
use std::marker::PhantomData;
use std::ops::Range;

/// A region of lines that were proved plain, and the instruction set to read it with.
#[derive(Clone, Copy)]
pub(crate) struct PlainRegion<'a> {
    region: Region<'a>,
    isa: Isa,
}

impl<'a> PlainRegion<'a> {
    pub(crate) fn new(region: Region<'a>, isa: Isa) -> PlainRegion<'a> {
        PlainRegion { region, isa }
    }

    pub(crate) fn isa(self) -> Isa {
        self.isa
    }

    /// Return the values inside a value that ends at `end`, if a block can be loaded from each of its bytes.
    pub(crate) fn values(self, end: usize) -> Option<PlainValues<'a>> {
        (end + AHEAD < self.region.readable()).then_some(PlainValues { bytes: self, end })
    }
}

/// The values inside a value of a plain line.
pub(crate) struct PlainValues<'a> {
    bytes: PlainRegion<'a>,
    end: usize,
}

/// Return the end of the string, object or array at a position.
#[inline(always)]
fn end<B: Block>(region: Region, at: usize) -> Option<usize> {
    match region.byte(at) {
        b'"' => string::<B>(region, at).map(|(end, _)| end),
        _ => container::<B>(region, at),
    }
}

impl Values for PlainValues<'_> {
    /// Enough to see who wrote a text.
    const PIECE: usize = 32;

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        (at < self.end).then(|| self.bytes.region.byte(at))
    }

    fn end(&self, at: usize) -> Option<usize> {
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
                // SAFETY: `Isa::available` found these instructions in this processor.
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
        /// How many bytes are decoded at a time; more than any escape has.
        const PIECE: usize = 4096;
        let mut piece = Vec::with_capacity(PIECE);
        let Range { start: mut at, end } = range;
        let mut kept = at;
        while at < end {
            let piece = self.copy(at..end.min(at + PIECE), &mut piece);
            let decodable = text::decodable(piece);
            // An escape that the end of a piece cuts off is whole in the next piece.
            if decodable == 0 || (decodable < piece.len() && at + piece.len() == end) {
                return false;
            }
            at += decodable;
            if at - kept > STRIDE {
                if !self.passed(kept..at) {
                    return false;
                }
                kept = at;
            }
        }
        true
    }

    fn passed(&self, read: Range<usize>) -> bool {
        self.bytes.region.give_back(read);
        !self.bytes.region.is_cancelled()
    }
}

/// The same, read with the instructions of B, which the processor has: for code that is compiled for them.
pub(crate) struct BlockValues<'a, B> {
    values: PlainValues<'a>,
    with: PhantomData<B>,
}

impl<'a, B: Block> BlockValues<'a, B> {
    #[inline(always)]
    pub(crate) fn new(values: PlainValues<'a>) -> BlockValues<'a, B> {
        BlockValues { values, with: PhantomData }
    }
}

impl<B: Block> Values for BlockValues<'_, B> {
    const PIECE: usize = PlainValues::PIECE;

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.values.byte(at)
    }

    #[inline(always)]
    fn end(&self, at: usize) -> Option<usize> {
        end::<B>(self.values.bytes.region, at).filter(|end| *end <= self.values.end)
    }

    #[inline(always)]
    fn string_end(&self, at: usize) -> Option<(usize, bool)> {
        string::<B>(self.values.bytes.region, at).filter(|(end, _)| *end <= self.values.end)
    }

    #[inline(always)]
    fn equals(&self, range: Range<usize>, text: &[u8]) -> bool {
        self.values.bytes.region.view().equals(range, text)
    }

    fn copy<'s>(&self, range: Range<usize>, into: &'s mut Vec<u8>) -> &'s [u8] {
        self.values.copy(range, into)
    }

    fn decodes(&self, range: Range<usize>) -> bool {
        self.values.decodes(range)
    }

    fn passed(&self, read: Range<usize>) -> bool {
        self.values.passed(read)
    }
}
