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
        blocks.pass_text::<B>(region);
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
        let BlockMasks { at, block, counts, backslashes, quotes, wrong, .. } = blocks.next::<B>(region)?;
        if open_string & !(quotes | wrong) == u64::MAX {
            // The whole block lies inside the open string.
            blocks.pass_text::<B>(region);
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
pub(crate) struct BlockReader {
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
pub(crate) struct BlockMasks<B> {
    pub(crate) at: usize,
    pub(crate) block: B,
    /// The bytes that belong to the value.
    pub(crate) counts: u64,
    pub(crate) backslashes: u64,
    /// The bytes that a backslash escapes.
    pub(crate) escapes: u64,
    /// The quotes that are not escaped.
    pub(crate) quotes: u64,
    /// Control characters, and bytes that are not UTF-8.
    pub(crate) wrong: u64,
}

impl BlockReader {
    #[inline(always)]
    pub(crate) fn from(region: Region, from: usize) -> BlockReader {
        let at = from & !(BLOCK - 1);
        let counts = u64::MAX << (from - at);
        BlockReader { at, limit: region.limit(at), counts, escape: false, goes_on: false }
    }

    /// Load the next block; None if no more can be loaded or the scan was cancelled.
    #[inline(always)]
    pub(crate) fn next<B: Block>(&mut self, region: Region) -> Option<BlockMasks<B>> {
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
        let escapes = escaped(backslashes, &mut self.escape);
        let quotes = block.equal(b'"') & counts & !escapes;
        self.at += BLOCK;
        Some(BlockMasks { at, block, counts, backslashes, escapes, quotes, wrong })
    }

    /// Skip the blocks that follow one inside a string, as long as they certainly lie in it too and are right.
    ///
    /// Such a block needs no masks: each of its quotes has a backslash before it, and no two backslashes stand
    /// side by side, so that each of them escapes. To ask for blocks without any quote takes fewer instructions
    /// still, but where texts hold code, that is as hard to predict as the code.
    #[inline(always)]
    fn pass_text<B: Block>(&mut self, region: Region) {
        let mut at = self.at;
        // A backslash before the block that does not escape would make each of the two conditions false.
        if !B::PASSES_TEXT || self.escape != (region.byte(at - 1) == b'\\') {
            return;
        }
        while at + BLOCK <= self.limit {
            region.fetch(at + FETCHED_AHEAD);
            let (may_end, unusual) = region.may_end_a_string::<B>(at);
            if may_end {
                break;
            }
            if unusual || self.goes_on {
                let (wrong, goes_on) = self::wrong(region, at, region.block::<B>(at));
                if wrong != 0 {
                    break;
                }
                self.goes_on = goes_on;
            }
            at += BLOCK;
        }
        self.at = at;
        self.escape = region.byte(at - 1) == b'\\';
    }
}

/// How far behind the block that is passed by the processor is asked to load bytes. It loads them ahead by
/// itself, but only up to a page's end.
const FETCHED_AHEAD: usize = 1024;

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

#[cfg(test)]
mod tests {
    use crate::bytes::{AHEAD, Buffer};
    use crate::structure::Isa;
    use crate::value::Values;
    use crate::value::plain::PlainRegion;
    use proptest::prelude::*;

    /// Find the end of the string or container at the start of bytes, one after the other.
    fn end_of(bytes: &[u8]) -> Option<usize> {
        let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                0..0x20 => return None,
                _ if std::mem::take(&mut escaped) => {}
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => open.push(byte + 2),
                b'}' | b']' if open.pop() != Some(*byte) => return None,
                b'\\' => return None,
                _ => {}
            }
            if !in_string && open.is_empty() {
                return std::str::from_utf8(&bytes[..=at]).is_ok().then_some(at + 1);
            }
        }
        None
    }

    /// Return the end of a value behind some blanks, as each kind of instructions finds it.
    fn ends(blanks: usize, value: &[u8]) -> Vec<(Isa, Option<usize>)> {
        let mut buffer = Buffer::new();
        buffer.append(&b" ".repeat(blanks));
        buffer.append(value);
        buffer.append(&[b' '; 2 * AHEAD]);
        let end = |isa| {
            let values = PlainRegion::new(buffer.region(), isa).values(blanks + value.len());
            (isa, values.expect("enough bytes follow").end(blanks))
        };
        Isa::available().into_iter().map(end).collect()
    }

    #[test]
    fn a_character_must_go_on_in_the_next_block() {
        for length in 0..300 {
            for (rest, is_right) in [("\u{a9}", true), ("a", false), ("\"", false)] {
                let mut value = [b"\"".as_slice(), &b"a".repeat(length), b"\xc3"].concat();
                value.extend(&rest.as_bytes()[rest.len() - 1..]);
                value.extend(b"a".repeat(200));
                value.push(b'"');
                for (isa, found) in ends(1, &value) {
                    assert_eq!(found, is_right.then_some(1 + value.len()), "{isa:?}, {length}, {rest}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 5_000 } else { 50_000 }))]

        #[test]
        fn ends_agree_with_a_bytewise_reader(
            blanks in 1..130_usize,
            pieces in prop::collection::vec(
                prop_oneof![
                    9 => prop::sample::select(vec!["some text, ", "a", "\\n", "\\\"", "{}[]:,", " between "]),
                    1 => prop::sample::select(vec!["\\\\", "\\\\\"", "\",\"", "é", "\u{20ac}", "😀"]),
                ],
                0..120,
            ),
            hits in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(b"\"\\\n\0\xc3\x80\xf0}".to_vec())),
                0..2,
            ),
        ) {
            let text = pieces.concat();
            for value in [format!("\"{text}\""), format!("[{{\"a\":\"{text}\"}}]")] {
                let mut value = value.into_bytes();
                for (hit, by) in &hits {
                    let at = hit.index(value.len() - 1) + 1;
                    value[at] = *by;
                }
                let expected = end_of(&value).map(|end| blanks + end);
                for (isa, found) in ends(blanks, &value) {
                    prop_assert_eq!(found, expected, "{:?}: {}", isa, String::from_utf8_lossy(&value));
                }
            }
        }
    }
}
