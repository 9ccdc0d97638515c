//! Find where a string or container ends, a block at a time.
//!
//! A container is an object or array. On the way to the end this proves that strings hold UTF-8 without
//! control characters, and that brackets match in kind.

use crate::bytes::Region;
use crate::structure::{BLOCK, Block, escaped};

/// Return the end of the string whose opening quote is at `at`, and whether the string is known to have no
/// escapes.
#[inline(always)]
pub(crate) fn string<B: Block>(region: Region, at: usize) -> Option<(usize, bool)> {
    let from = at + 1;
    let stop = region.block::<B>(from).stops();
    // A quote before everything else that stops ends the string, and there was no escape.
    let end = from + stop.trailing_zeros() as usize;
    if region.byte(end) == b'"' && stop != 0 {
        return Some((end + 1, true));
    }
    Some((long_string::<B>(region, from)?, false))
}

/// Return the end of the string that is open at `from`.
#[inline(always)]
fn long_string<B: Block>(region: Region, from: usize) -> Option<usize> {
    let mut blocks = BlockReader::from(region, from);
    loop {
        let BlockMasks { at, quotes, wrong, .. } = blocks.next::<B>(region)?;
        if quotes | wrong != 0 {
            let end = quotes.trailing_zeros();
            return (end < wrong.trailing_zeros()).then_some(at + end as usize + 1);
        }
    }
}

/// Return the end of the container whose opening bracket is at `from`.
///
/// What a block holds is hard to predict, so there are few branches here: whether a string goes on through
/// the whole block, whether the container may end in it, and whether something is wrong.
#[inline(always)]
pub(crate) fn container<B: Block>(region: Region, from: usize) -> Option<usize> {
    // All ones while a string is open at the block's start.
    let mut open_string = 0_u64;
    let mut open_brackets = Brackets::default();
    let mut blocks = BlockReader::from(region, from);
    loop {
        let BlockMasks { at, block, counts, backslashes, quotes, wrong } = blocks.next::<B>(region)?;
        if open_string & !(quotes | wrong) == u64::MAX {
            // The whole block lies inside the open string.
            continue;
        }
        let strings = block.prefix_xor(quotes) ^ open_string;
        // Brackets count only before the first byte that is wrong.
        let valid = wrong.wrapping_sub(1) & !wrong;
        let (opening, closing) = block.brackets();
        let brackets = (opening | closing) & !strings & valid & counts;
        let outside = backslashes & !strings;
        if let Some(bit) = open_brackets.take(block, brackets, opening) {
            let proved = !open_brackets.broken && outside & (bit - 1) == 0;
            return proved.then_some(at + bit.trailing_zeros() as usize + 1);
        }
        if wrong | outside != 0 {
            return None;
        }
        open_string = (strings >> 63).wrapping_neg();
    }
}

/// A reader of the blocks of a value, one after the other.
struct BlockReader {
    at: usize,
    /// How far blocks may be read before `Region::next_limit` is called.
    limit: usize,
    /// The bits of those bytes of the next block that belong to the value.
    counts: u64,
    /// The next block's first byte is escaped.
    escape: bool,
    /// The next block may begin with the rest of a UTF-8 character.
    goes_on: bool,
}

/// Masks of what a block of a value holds, one bit a byte.
struct BlockMasks<B> {
    at: usize,
    block: B,
    /// The bytes that belong to the value.
    counts: u64,
    backslashes: u64,
    /// The quotes that are not escaped.
    quotes: u64,
    /// Control characters, and bytes that are not UTF-8.
    wrong: u64,
}

impl BlockReader {
    #[inline(always)]
    fn from(region: Region, from: usize) -> BlockReader {
        let at = from & !(BLOCK - 1);
        let counts = u64::MAX << (from - at);
        BlockReader { at, limit: region.limit(at), counts, escape: false, goes_on: false }
    }

    /// Load the next block; None if no more can be loaded or the scan was cancelled.
    #[inline(always)]
    fn next<B: Block>(&mut self, region: Region) -> Option<BlockMasks<B>> {
        let at = self.at;
        if at + BLOCK > self.limit {
            self.limit = region.next_limit(at)?;
        }
        let block = region.block::<B>(at);
        let counts = std::mem::replace(&mut self.counts, u64::MAX);
        let mut wrong = 0;
        if block.unusual() & counts != 0 || self.goes_on {
            (wrong, self.goes_on) = self::wrong(region, at, block);
            wrong &= counts;
        }
        let backslashes = block.equal(b'\\') & counts;
        let quotes = block.equal(b'"') & counts & !escaped(backslashes, &mut self.escape);
        self.at += BLOCK;
        Some(BlockMasks { at, block, counts, backslashes, quotes, wrong })
    }
}

/// Return a mask of the control characters and of the bytes that are not UTF-8 in the block at `at`, and
/// whether a character may go on in the next block.
///
/// The bytes before the value are ASCII, so that the three bytes before its first block begin no character.
#[inline(always)]
fn wrong<B: Block>(region: Region, at: usize, block: B) -> (u64, bool) {
    // SAFETY: `BlockReader::next` loaded the block at `at`, so the pointer stays within the region's readable
    // bytes.
    let start = unsafe { region.view().start().add(at) };
    let mut copy = [0; 3 + BLOCK];
    let start = if at > 0 { start } else { with_room_before(start, &mut copy) };
    // SAFETY: a block from `start` is readable, since `BlockReader::next` loaded it, and so are three bytes
    // before it: `at` is a multiple of BLOCK greater than 0, or the block was copied behind three bytes. The
    // processor has the instructions of B, of which `block` was loaded.
    let (errors, goes_on) = unsafe { B::utf8_errors(start) };
    (block.control() | errors, goes_on)
}

/// Copy the block at the region's start, before which no bytes are readable. Return a pointer to the copy,
/// before which three bytes of `copy` are.
#[cold]
#[inline(never)]
fn with_room_before(start: *const u8, copy: &mut [u8; 3 + BLOCK]) -> *const u8 {
    // SAFETY: `wrong` is called for blocks that `BlockReader::next` loaded, so this block is readable.
    copy[3..].copy_from_slice(&unsafe { start.cast::<[u8; BLOCK]>().read() });
    // From a pointer to all of `copy`, since the three bytes before are read too.
    copy.as_ptr().wrapping_add(3)
}

/// The open brackets of a container.
///
/// How many brackets a block has is hard to predict, so they are only counted at first. They wait to be
/// matched until there are many or the container may end.
#[derive(Default)]
struct Brackets {
    depth: u32,
    /// The brackets that wait, the first in the lowest bit: which of them open, and which are curly.
    opening: u64,
    curly: u64,
    waiting: u32,
    /// The kinds of the open brackets among those matched, the innermost in the lowest bit.
    kinds: u64,
    /// How many of the brackets matched are open.
    matched_depth: u32,
    /// A bracket was closed by the other kind, or more than 63 are open.
    broken: bool,
}

impl Brackets {
    /// Add the brackets of a block. Return the bit of the bracket that closes the container, if there is one.
    #[inline(always)]
    fn take<B: Block>(&mut self, block: B, brackets: u64, opening: u64) -> Option<u64> {
        let curly = block.curly();
        let count = brackets.count_ones();
        let opens = (brackets & opening).count_ones();
        let closes = count - opens;
        if closes < self.depth && self.waiting + count < u64::BITS {
            // `waiting + count < 64`, so the shift is by less than 64.
            self.opening |= block.gather(opening, brackets) << self.waiting;
            self.curly |= block.gather(curly, brackets) << self.waiting;
            self.waiting += count;
            self.depth = self.depth + opens - closes;
            return None;
        }
        self.take_each(brackets, opening, curly)
    }

    /// Match the brackets that wait, then those of a block, one by one.
    #[inline(always)]
    fn take_each(&mut self, mut brackets: u64, opening: u64, curly: u64) -> Option<u64> {
        let (mut by_opening, mut by_curly) = (self.opening, self.curly);
        for _ in 0..self.waiting {
            self.step(by_opening & 1, by_curly & 1);
            by_opening >>= 1;
            by_curly >>= 1;
        }
        (self.opening, self.curly, self.waiting) = (0, 0, 0);
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            self.step(u64::from(opening & bit != 0), u64::from(curly & bit != 0));
            if self.matched_depth == 0 {
                return Some(bit);
            }
            brackets ^= bit;
        }
        self.depth = self.matched_depth;
        None
    }

    /// Match one bracket, which opens (1) or closes (0), and is curly (1) or square (0). Without a branch.
    #[inline(always)]
    fn step(&mut self, opens: u64, curly: u64) {
        let closes = opens ^ 1;
        self.broken |= closes & (self.kinds ^ curly) != 0;
        self.kinds = (self.kinds << opens | opens & curly) >> closes;
        self.matched_depth = self.matched_depth + opens as u32 - closes as u32;
        self.broken |= self.matched_depth >= 64;
    }
}
