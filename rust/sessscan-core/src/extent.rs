//! Where a string or a container ends, found a block at a time and proved on the way: what is inside is text, its brackets
//! match in kind.

use crate::bytes::Region;
use crate::structure::{BLOCK, Block, escaped};

/// The end of the string whose opening quote is at `at`, and whether it is known to have no escapes.
#[inline(always)]
pub(crate) fn string<B: Block>(region: Region, at: usize) -> Option<(usize, bool)> {
    let from = at + 1;
    let stop = region.block::<B>(from).stops();
    // Where a quote comes before anything else, neither end nor escape is in doubt.
    let end = from + stop.trailing_zeros() as usize;
    if region.byte(end) == b'"' && stop != 0 {
        return Some((end + 1, true));
    }
    Some((long_string::<B>(region, from)?, false))
}

/// The end of the string that `from` is inside of.
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

/// The end of the container whose bracket is at `from`.
///
/// What a block looks like is hard to foresee, so there are few branches here: whether a string goes on all
/// through it, whether brackets stand in it, whether the container ends.
#[inline(always)]
pub(crate) fn container<B: Block>(region: Region, from: usize) -> Option<usize> {
    // All ones while a string is open at the block's start.
    let mut open_string = 0_u64;
    let mut open_brackets = Brackets::default();
    let mut blocks = BlockReader::from(region, from);
    loop {
        let BlockMasks { at, block, counts, backslashes, quotes, wrong } = blocks.next::<B>(region)?;
        if open_string & !(quotes | wrong) == u64::MAX {
            // The string that was open is open still: nothing else can be in the block.
            continue;
        }
        let strings = B::prefix_xor(quotes) ^ open_string;
        // What comes first decides: the closing bracket that we look for, or what is no text.
        let valid = wrong.wrapping_sub(1) & !wrong;
        let (opening, closing) = block.brackets();
        let brackets = (opening | closing) & !strings & valid & counts;
        let outside = backslashes & !strings;
        if let Some(bit) = open_brackets.take::<B>(brackets, opening, block.curly()) {
            let proved = !open_brackets.broken && outside & (bit - 1) == 0;
            return proved.then_some(at + bit.trailing_zeros() as usize + 1);
        }
        if wrong | outside != 0 {
            return None;
        }
        open_string = (strings >> 63).wrapping_neg();
    }
}

/// The blocks of a value, one after the other.
struct BlockReader {
    at: usize,
    /// How far they are looked at before the region is asked.
    limit: usize,
    /// Where, in the next block, the value's bytes are.
    counts: u64,
    /// Its first byte is escaped.
    escape: bool,
    /// It may go on with a character that was begun.
    goes_on: bool,
}

/// What a block has of a value, bit by bit.
struct BlockMasks<B> {
    at: usize,
    block: B,
    counts: u64,
    backslashes: u64,
    /// Those that are not escaped.
    quotes: u64,
    /// Control characters, and what is not UTF-8.
    wrong: u64,
}

impl BlockReader {
    #[inline(always)]
    fn from(region: Region, from: usize) -> BlockReader {
        let at = from & !(BLOCK - 1);
        let counts = u64::MAX << (from - at);
        BlockReader { at, limit: region.limit(at), counts, escape: false, goes_on: false }
    }

    /// The next one; None if no more can be loaded.
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

/// Where in the block at `at` there are control characters or what is not UTF-8, and whether a character may go on in the
/// next block. Bytes before the value at hand are ASCII.
#[inline(always)]
fn wrong<B: Block>(region: Region, at: usize, block: B) -> (u64, bool) {
    // SAFETY: within the region, as the caller has checked.
    let start = unsafe { region.view().start().add(at) };
    let mut copy = [0; 3 + BLOCK];
    let start = if at > 0 { start } else { with_room_before(start, &mut copy) };
    // SAFETY: a block and three bytes before it are readable; the block is one that the processor has.
    let (errors, goes_on) = unsafe { B::utf8_errors(start) };
    (block.control() | errors, goes_on)
}

/// A copy of the block at the region's start, before which nothing can be read.
#[cold]
#[inline(never)]
fn with_room_before(start: *const u8, copy: &mut [u8; 3 + BLOCK]) -> *const u8 {
    // SAFETY: a block is readable from there, as the caller has checked.
    copy[3..].copy_from_slice(&unsafe { start.cast::<[u8; BLOCK]>().read() });
    // Of all of it: the three bytes before are read too.
    copy.as_ptr().wrapping_add(3)
}

/// The open brackets of a container.
///
/// How many brackets a block has is hard to foresee, so they are only counted, and put by to be matched when there
/// are many or the container may end.
#[derive(Default)]
struct Brackets {
    depth: u32,
    /// The brackets put by, the first lowest: which of them open, and which are curly.
    opening: u64,
    curly: u64,
    put_by: u32,
    /// The kinds of the open brackets, the innermost lowest, of those that were matched.
    kinds: u64,
    matched_depth: u32,
    /// One was closed by the other kind, or they are too many.
    broken: bool,
}

impl Brackets {
    /// Takes the brackets of a block; the bit of the one that closes the container.
    #[inline(always)]
    fn take<B: Block>(&mut self, brackets: u64, opening: u64, curly: u64) -> Option<u64> {
        let count = brackets.count_ones();
        let opens = (brackets & opening).count_ones();
        let closes = count - opens;
        if closes < self.depth && self.put_by + count < u64::BITS {
            // The shift is by less than 64, since this many bits more have room.
            self.opening |= B::gather(opening, brackets) << self.put_by;
            self.curly |= B::gather(curly, brackets) << self.put_by;
            self.put_by += count;
            self.depth = self.depth + opens - closes;
            return None;
        }
        self.take_each(brackets, opening, curly)
    }

    /// The same one by one.
    #[inline(always)]
    fn take_each(&mut self, mut brackets: u64, opening: u64, curly: u64) -> Option<u64> {
        let (mut by_opening, mut by_curly) = (self.opening, self.curly);
        for _ in 0..self.put_by {
            self.step(by_opening & 1, by_curly & 1);
            by_opening >>= 1;
            by_curly >>= 1;
        }
        (self.opening, self.curly, self.put_by) = (0, 0, 0);
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

    /// Takes one bracket, which opens (1) or closes (0), and is curly (1) or square (0). Without a branch.
    #[inline(always)]
    fn step(&mut self, opens: u64, curly: u64) {
        let closes = opens ^ 1;
        self.broken |= closes & (self.kinds ^ curly) != 0;
        self.kinds = (self.kinds << opens | opens & curly) >> closes;
        self.matched_depth = self.matched_depth + opens as u32 - closes as u32;
        self.broken |= self.matched_depth >= 64;
    }
}
