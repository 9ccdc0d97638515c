//! Looking into a value of a line that was proved to be plain, at the fast reader's pace.

use super::extent::{container, string};
use super::region::{AHEAD, Region, STRIDE};
use crate::structure::{Block, Scalar, Width};
use crate::value::Values;
use std::ops::Range;

/// Bytes of lines that were proved to be plain.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(super) region: Region<'a>,
    pub(super) width: Width,
}

impl<'a> Plain<'a> {
    /// To look into a value that ends at `end`, if blocks can be loaded from all of it.
    pub(crate) fn values(self, end: usize) -> Option<PlainValues<'a>> {
        (end + AHEAD < self.region.readable()).then_some(PlainValues { bytes: self, end })
    }
}

/// A value of a plain line, and those inside it, to be passed over as the fast reader does.
pub(crate) struct PlainValues<'a> {
    bytes: Plain<'a>,
    end: usize,
}

impl Values for PlainValues<'_> {
    /// Enough to tell who wrote a text.
    const PIECE: usize = 128;

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

        let Plain { region, width } = self.bytes;
        let end = match width {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512 => {
                #[target_feature(enable = "avx512bw,avx512f,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
                fn avx512(region: Region, at: usize) -> Option<usize> {
                    end::<crate::structure::Avx512>(region, at)
                }
                // SAFETY: `Width::available` found these instructions in this processor.
                unsafe { avx512(region, at) }
            }
            #[cfg(target_arch = "x86_64")]
            Width::Avx2 => {
                #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
                fn avx2(region: Region, at: usize) -> Option<usize> {
                    end::<crate::structure::Avx2>(region, at)
                }
                // SAFETY: likewise.
                unsafe { avx2(region, at) }
            }
            #[cfg(target_arch = "aarch64")]
            Width::Neon => end::<crate::structure::Neon>(region, at),
            _ => end::<Scalar>(region, at),
        };
        end.filter(|end| *end <= self.end)
    }

    fn copy<'s>(&self, range: Range<usize>, into: &'s mut Vec<u8>) -> &'s [u8] {
        self.bytes.region.view().copy(range, into)
    }

    fn decodes(&self, range: Range<usize>) -> bool {
        let region = self.bytes.region;
        let mut at = range.start;
        for start in range.clone().step_by(STRIDE) {
            let stride = start..range.end.min(start + STRIDE);
            while at < stride.end
                && let Some(found) = region.view().part(at..stride.end).find(b'\\', 0)
            {
                let kind = at + found + 1;
                at = kind + 1;
                let valid = kind < range.end
                    && match region.byte(kind) {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => true,
                        b'u' => {
                            at += 4;
                            let mut digits = kind + 1..at;
                            at <= range.end && digits.all(|digit| region.byte(digit).is_ascii_hexdigit())
                        }
                        _ => false,
                    };
                if !valid {
                    return false;
                }
            }
            at = at.max(stride.end);
            if stride.len() == STRIDE {
                region.give_back(stride);
            }
        }
        true
    }
}
