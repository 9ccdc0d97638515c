//! The fast reader of plain lines: one whole record, and nothing else, from the line's start to its LF.
//!
//! It does not decide what a line is. It *proves* that a line is plain, by the rules of [`crate::grammar`], and
//! stops at the first one that it cannot prove to be; that one is read by [`crate::line`], byte by byte. So
//! whatever is rare (padding, damage, nesting deeper than 63, keys spelled with escapes) needs no code here,
//! and the two can only differ where this one proves something false. In outline:
//!
//! ```text
//! at the line's start there is a {
//! for each member:
//!     a key, which is very likely one of two that followed the last key in earlier lines, and a colon
//!     a value:
//!         a string:     to its closing quote, a block of 64 bytes at a time
//!         { or [:       to the bracket that closes it, likewise; only brackets outside strings are looked at
//!         else:         a number or literal, whole
//!     a comma, or } and LF
//! ```
//!
//! Blocks are always whole and lie within `readable` bytes, so nothing is read beyond the region's end. A
//! control character in or between values ends the proof, LF among them: a raw LF cannot stand inside an object,
//! so a cut line never swallows the next.
//!
//! All bytes are read through [`View`], once each: those of a mapped file may change meanwhile, and then the
//! proof may hold of no single moment; what is taken from it is copied before it is looked at.

use crate::phrases::Phrases;
use crate::record::{Bytes, Key, Record, View};
use crate::structure::{BLOCK, Block, Scalar, Text, Width, escaped};
use crate::value::Values;
use std::ops::Range;

/// So many bytes must be readable from a place between tokens: the longest key of the memory, an opening quote
/// and a block.
pub(crate) const AHEAD: usize = 2 * BLOCK;

/// So much of one value is looked at before its bytes are given back, if they take room.
const STRIDE: usize = 4 * 1024 * 1024;

/// Bytes to be read, and how many of those behind them may be loaded with them.
#[derive(Clone, Copy)]
pub(crate) struct Region<'a> {
    view: View<'a>,
    /// The view's length rounded up to what may be loaded; a multiple of [`BLOCK`].
    readable: usize,
    /// Gives bytes of a map back that were looked at and take room; they can still be read.
    release: Option<Release>,
}

/// Is told the range, aligned to nothing.
pub(crate) type Release = fn(View);

impl<'a> Region<'a> {
    /// # Safety
    /// `readable` bytes from the view's start on can be loaded for 'a, and the start is aligned to [`BLOCK`].
    pub(crate) unsafe fn new(view: View<'a>, readable: usize) -> Region<'a> {
        debug_assert!(view.len() <= readable && readable.is_multiple_of(BLOCK));
        debug_assert!(view.start().addr().is_multiple_of(BLOCK));
        Region { view, readable, release: None }
    }

    /// A region whose bytes take room while they are looked at.
    pub(crate) fn released_by(self, release: Release) -> Region<'a> {
        Region { release: Some(release), ..self }
    }

    /// How far a value that begins at `from` is looked at before anything is given back.
    #[inline(always)]
    fn limit(self, from: usize) -> usize {
        self.readable.min(from + STRIDE)
    }

    /// The next such place, once blocks up to `at` were looked at; None if no more can be loaded.
    #[cold]
    #[inline(never)]
    fn next_limit(self, at: usize) -> Option<usize> {
        if at + BLOCK > self.readable {
            return None;
        }
        self.give_back(at.saturating_sub(STRIDE)..at.min(self.view.len()));
        Some(self.limit(at))
    }

    pub(crate) fn give_back(self, range: Range<usize>) {
        if let Some(release) = self.release {
            release(self.view.part(range));
        }
    }

    /// Where this byte is in a range.
    pub(crate) fn find(self, byte: u8, mut range: Range<usize>) -> Option<usize> {
        loop {
            let end = range.end.min(range.start + STRIDE);
            if let Some(found) = self.view.part(range.start..end).find(byte, 0) {
                return Some(range.start + found);
            }
            if end == range.end {
                return None;
            }
            self.give_back(range.start..end);
            range.start = end;
        }
    }

    pub(crate) fn view(self) -> View<'a> {
        self.view
    }

    pub(crate) fn readable(self) -> usize {
        self.readable
    }

    /// The byte at `at`, which is known to be readable.
    #[inline(always)]
    fn byte(self, at: usize) -> u8 {
        debug_assert!(at < self.readable);
        // SAFETY: within `readable`, as each caller has checked.
        unsafe { self.view.start().add(at).read() }
    }

    /// The 64 bytes from `at`, which are known to be readable.
    #[inline(always)]
    pub(crate) fn block<B: Block>(self, at: usize) -> B {
        debug_assert!(at + BLOCK <= self.readable);
        // SAFETY: within `readable`, as each caller has checked; `read_lines` chose a B that the processor has.
        unsafe { B::load(self.view.start().add(at)) }
    }

    /// Whether this text is at `at`, from where so many bytes are known to be readable.
    #[inline(always)]
    fn spells<B: Block>(self, at: usize, text: &Text) -> bool {
        debug_assert!(at + Text::LENGTH <= self.readable);
        // SAFETY: within `readable`, as each caller has checked; `read_lines` chose a B that the processor has.
        unsafe { B::spells(self.view.start().add(at), text) }
    }

    /// The eight bytes from `at`, which are known to be readable.
    #[inline(always)]
    fn word(self, at: usize) -> u64 {
        debug_assert!(at + 8 <= self.readable);
        // SAFETY: within `readable`, as each caller has checked.
        u64::from_le(unsafe { self.view.start().add(at).cast::<u64>().read_unaligned() })
    }
}

/// Reads plain lines. Remembers which keys follow which, since the next lines will be alike.
pub(crate) struct PlainReader {
    width: Width,
    keys: KeyMemory,
    /// None where one is proved.
    phrases: Option<Phrases>,
    scratch: Vec<u8>,
}

impl PlainReader {
    /// A region whose lines this reader proves to be plain.
    pub(crate) fn bytes<'a>(&self, region: Region<'a>) -> Bytes<'a> {
        Bytes { view: region.view, plain: Some(Plain { region, width: self.width }) }
    }

    pub(crate) fn new(width: Width) -> PlainReader {
        PlainReader { phrases: Some(Phrases::new(width)), ..PlainReader::without_phrases(width) }
    }

    pub(crate) fn without_phrases(width: Width) -> PlainReader {
        PlainReader { width, keys: KeyMemory::new(), phrases: None, scratch: Vec::new() }
    }

    /// Reads lines from `at` on, where one begins, while they are plain; where the first one begins that is not,
    /// or is not whole.
    ///
    /// `sink` gets each record, where it begins and where the next line does.
    pub(crate) fn read_lines<'a>(
        &mut self,
        region: Region<'a>,
        at: usize,
        sink: impl FnMut(&Record<'a>, usize, usize),
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        {
            use crate::structure::{Avx2, Avx512};

            #[target_feature(enable = "avx512bw,avx512f,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
            fn avx512<'a>(
                reader: &mut PlainReader,
                region: Region<'a>,
                at: usize,
                sink: impl FnMut(&Record<'a>, usize, usize),
            ) -> usize {
                reader.lines::<Avx512>(region, at, sink)
            }

            #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
            fn avx2<'a>(
                reader: &mut PlainReader,
                region: Region<'a>,
                at: usize,
                sink: impl FnMut(&Record<'a>, usize, usize),
            ) -> usize {
                reader.lines::<Avx2>(region, at, sink)
            }

            match self.width {
                // SAFETY: `Width::available` found these instructions in this processor.
                Width::Avx512 => return unsafe { avx512(self, region, at, sink) },
                // SAFETY: likewise.
                Width::Avx2 => return unsafe { avx2(self, region, at, sink) },
                _ => {}
            }
        }
        #[cfg(target_arch = "aarch64")]
        if self.width == Width::Neon {
            return self.lines::<crate::structure::Neon>(region, at, sink);
        }
        self.lines::<Scalar>(region, at, sink)
    }

    #[inline(always)]
    fn lines<'a, B: Block>(
        &mut self,
        region: Region<'a>,
        mut at: usize,
        mut sink: impl FnMut(&Record<'a>, usize, usize),
    ) -> usize {
        if let Some(phrases) = &mut self.phrases {
            phrases.turn_page();
        }
        let mut record = Record::new(self.bytes(region));
        while let Some(next) = self.line::<B>(region, at, &mut record) {
            sink(&record, at, next);
            at = next;
        }
        at
    }

    /// Where the next line begins, if the one at `line` is plain.
    #[inline(always)]
    fn line<B: Block>(&mut self, region: Region, line: usize, record: &mut Record) -> Option<usize> {
        record.clear();
        if line + AHEAD >= region.readable || region.byte(line) != b'{' {
            return None;
        }
        let mut at = line + 1;
        let mut last = KeyMemory::START;
        if let Some(phrases) = &mut self.phrases {
            phrases.begin_line();
        }
        loop {
            let (key, mut value);
            if let Some(place) = self.keys.expected::<B>(last, region, at) {
                let known = &self.keys.known[usize::from(place)];
                (key, value, last) = (known.key, at + known.length, place);
            } else {
                (key, value, last) = self.unexpected_key::<B>(region, at, last)?;
            }
            if let Some(phrases) = &mut self.phrases {
                let start = value - self.keys.known[usize::from(last)].length;
                if let Some(after) = phrases.read::<B>(last, region, start, record) {
                    phrases.note(last, start, true);
                    (at, last) = (after.at, after.last);
                    if after.ends_line {
                        // Behind the region's end there may be anything, an LF too.
                        if at > region.view.len() {
                            return None;
                        }
                        phrases.end_line(region, at);
                        return Some(at);
                    }
                    continue;
                }
                phrases.note(last, start, false);
            }
            // No `match`: a jump through a table is harder to foresee than a branch.
            let first = region.byte(value);
            let (mut end, without_escapes) = if first == b'"' {
                string::<B>(region, value)?
            } else if first | 0x20 == b'{' {
                (container::<B>(region, value)?, false)
            } else if first > b' ' {
                (scalar(region, value)?, false)
            } else {
                value = skip_blanks(region, value)?;
                self.value_after_blanks::<B>(region, value)?
            };
            record.set(key, value..end, without_escapes);
            if end + AHEAD >= region.readable {
                return None;
            }
            if region.byte(end) <= b' ' {
                end = skip_blanks(region, end)?;
            }
            at = end + 1;
            if region.byte(end) != b',' {
                if region.byte(end) != b'}' {
                    return None;
                }
                break;
            }
        }
        if region.byte(at) == b'\r' {
            at += 1;
        }
        if at >= region.view.len() || region.byte(at) != b'\n' {
            return None;
        }
        if let Some(phrases) = &mut self.phrases {
            phrases.end_line(region, at + 1);
        }
        Some(at + 1)
    }

    #[cold]
    #[inline(always)]
    fn value_after_blanks<B: Block>(&mut self, region: Region, value: usize) -> Option<(usize, bool)> {
        match region.byte(value) {
            b'"' => string::<B>(region, value),
            b'{' | b'[' => Some((container::<B>(region, value)?, false)),
            _ => Some((scalar(region, value)?, false)),
        }
    }

    /// A key that was never seen, or not here: the key, the place after its colon, its place in the memory.
    #[inline(always)]
    fn unexpected_key<B: Block>(&mut self, region: Region, at: usize, last: u8) -> Option<(Key, usize, u8)> {
        let at = if region.byte(at) <= b' ' { skip_blanks(region, at)? } else { at };
        if let Some(place) = self.keys.known_at::<B>(region, at) {
            self.keys.follows(last, place);
            let known = &self.keys.known[usize::from(place)];
            return Some((known.key, at + known.length, place));
        }
        if region.byte(at) != b'"' {
            return None;
        }
        let block = region.block::<B>(at + 1);
        let stop = block.stops();
        let length = stop.trailing_zeros() as usize;
        // Behind the region's end there may be anything, keys too.
        if length == BLOCK || at + 1 + length >= region.view.len() || region.byte(at + 1 + length) != b'"' {
            return None;
        }
        self.new_key(region, at, length, last)
    }

    #[cold]
    #[inline(never)]
    fn new_key(&mut self, region: Region, at: usize, length: usize, last: u8) -> Option<(Key, usize, u8)> {
        let name = region.view.copy(at + 1..at + 1 + length, &mut self.scratch);
        let key = Key::of(name);
        let colon = skip_blanks(region, at + length + 2)?;
        if region.byte(colon) != b':' {
            return None;
        }
        // Were there blanks before the colon, it is remembered for nothing: it is looked for without.
        let place = self.keys.learn(name, key);
        self.keys.follows(last, place);
        Some((key, colon + 1, place))
    }
}

/// The end of the string whose opening quote is at `at`, and whether it is known to have no escapes.
#[inline(always)]
fn string<B: Block>(region: Region, at: usize) -> Option<(usize, bool)> {
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
    let mut carry = false;
    let mut goes_on = false;
    let mut at = from & !(BLOCK - 1);
    let mut mask = u64::MAX << (from - at);
    let mut limit = region.limit(at);
    loop {
        if at + BLOCK > limit {
            limit = region.next_limit(at)?;
        }
        let block = region.block::<B>(at);
        let mut wrong = 0;
        if block.unusual() & mask != 0 || goes_on {
            (wrong, goes_on) = self::wrong(region, at, block);
            wrong &= mask;
        }
        let quotes = block.equal(b'"') & mask & !escaped(block.equal(b'\\') & mask, &mut carry);
        if quotes | wrong != 0 {
            let end = quotes.trailing_zeros();
            if wrong.trailing_zeros() <= end {
                return None;
            }
            return Some(at + end as usize + 1);
        }
        mask = u64::MAX;
        at += BLOCK;
    }
}

/// The end of the container whose bracket is at `from`.
///
/// What a block looks like is hard to foresee, so there are few branches here: whether a string goes on all
/// through it, whether brackets stand in it, whether the container ends.
#[inline(always)]
fn container<B: Block>(region: Region, from: usize) -> Option<usize> {
    let mut carry = false;
    // All ones while a string is open at the block's start.
    let mut open_string = 0_u64;
    let mut open = Open::default();
    let mut goes_on = false;
    let mut at = from & !(BLOCK - 1);
    let mut mask = u64::MAX << (from - at);
    let mut limit = region.limit(at);
    loop {
        if at + BLOCK > limit {
            limit = region.next_limit(at)?;
        }
        let block = region.block::<B>(at);
        let mut wrong = 0;
        if block.unusual() & mask != 0 || goes_on {
            (wrong, goes_on) = self::wrong(region, at, block);
            wrong &= mask;
        }
        let backslashes = block.equal(b'\\') & mask;
        let quotes = block.equal(b'"') & mask & !escaped(backslashes, &mut carry);
        mask = u64::MAX;
        if open_string & !(quotes | wrong) == u64::MAX {
            // The string that was open is open still: nothing else can be in the block.
            at += BLOCK;
            continue;
        }
        let strings = B::prefix_xor(quotes) ^ open_string;
        // What comes first decides: the closing bracket that we look for, or what is no text.
        let valid = wrong.wrapping_sub(1) & !wrong;
        let (opening, closing) = block.brackets();
        let mut brackets = (opening | closing) & !strings & valid;
        if at < from {
            brackets &= u64::MAX << (from - at);
        }
        let outside = backslashes & !strings;
        if let Some(bit) = open.take::<B>(brackets, opening, block.curly()) {
            if open.broken || outside & (bit - 1) != 0 {
                return None;
            }
            return Some(at + bit.trailing_zeros() as usize + 1);
        }
        if wrong | outside != 0 {
            return None;
        }
        open_string = (strings >> 63).wrapping_neg();
        at += BLOCK;
    }
}

/// Bytes of lines that were proved to be plain.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    region: Region<'a>,
    width: Width,
}

impl<'a> Plain<'a> {
    /// To look into a value that ends at `end`, if blocks can be loaded from all of it.
    pub(crate) fn values(self, end: usize) -> Option<PlainValues<'a>> {
        (end + AHEAD < self.region.readable).then_some(PlainValues { bytes: self, end })
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
        self.bytes.region.view.copy(range, into)
    }

    fn decodes(&self, range: Range<usize>) -> bool {
        let region = self.bytes.region;
        let mut at = range.start;
        for start in range.clone().step_by(STRIDE) {
            let stride = start..range.end.min(start + STRIDE);
            while at < stride.end
                && let Some(found) = region.view.part(at..stride.end).find(b'\\', 0)
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

/// Where in the block at `at` there are control characters or what is not UTF-8, and whether a character may go on in the
/// next block. Bytes before the value at hand are ASCII.
#[cold]
#[inline(always)]
fn wrong<B: Block>(region: Region, at: usize, block: B) -> (u64, bool) {
    let mut first = [0; 3 + BLOCK];
    let start = if at == 0 {
        // Nothing before it can be read.
        (0..BLOCK).for_each(|at| first[3 + at] = region.byte(at));
        // SAFETY: within the array.
        unsafe { first.as_ptr().add(3) }
    } else {
        // SAFETY: within the region, as the caller has checked.
        unsafe { region.view.start().add(at) }
    };
    // SAFETY: a block and three bytes before it are readable; the block is one that the processor has.
    let (errors, goes_on) = unsafe { B::utf8_errors_at(start) };
    (block.control() | errors, goes_on)
}

/// The open brackets of a container.
///
/// How many brackets a block has is hard to foresee, so they are only counted, and put by to be matched when there
/// are many or the container may end.
#[derive(Default)]
struct Open {
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

impl Open {
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

/// The place of the first byte from `at` on that is no blank, if so much can be read from there.
#[cold]
fn skip_blanks(region: Region, mut at: usize) -> Option<usize> {
    while at + AHEAD <= region.readable {
        if !matches!(region.byte(at), b' ' | b'\t' | b'\r') {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The end of the number or literal at `at`, where [`AHEAD`] bytes can be read. Longer numbers are not for here.
#[inline(always)]
fn scalar(region: Region, at: usize) -> Option<usize> {
    const WORD: u64 = 0xffff_ffff;
    let literal = |text: [u8; 4], at: usize| region.word(at) & WORD == u64::from(u32::from_le_bytes(text));
    if literal(*b"null", at) || literal(*b"true", at) {
        Some(at + 4)
    } else if literal(*b"fals", at) && region.byte(at + 4) == b'e' {
        Some(at + 5)
    } else {
        number(region, at)
    }
}

fn number(region: Region, start: usize) -> Option<usize> {
    // So many digits at the most, three times, stay within what can be read.
    let digits = |from: usize| (from..from + AHEAD / 4).find(|at| !region.byte(*at).is_ascii_digit());
    let whole = start + usize::from(region.byte(start) == b'-');
    let mut end = digits(whole)?;
    if end == whole || (region.byte(whole) == b'0' && end > whole + 1) {
        return None;
    }
    if region.byte(end) == b'.' {
        let fraction = end + 1;
        end = digits(fraction)?;
        if end == fraction {
            return None;
        }
    }
    if matches!(region.byte(end), b'e' | b'E') {
        let exponent = end + 1 + usize::from(matches!(region.byte(end + 1), b'+' | b'-'));
        end = digits(exponent)?;
        if end == exponent {
            return None;
        }
    }
    Some(end)
}

/// The keys seen so far, and which of them followed which.
struct KeyMemory {
    /// As many as a byte can tell apart, so that no index need be checked. Those not yet known are as the start is.
    known: Box<[KnownKey; 256]>,
    count: usize,
    /// Places of keys, by hash. 0 is none.
    places: [u8; KeyMemory::SLOTS],
}

/// A key as compact JSON spells it, with its quotes and its colon.
struct KnownKey {
    text: Text,
    length: usize,
    key: Key,
    /// The two keys that followed last.
    next: [u8; 2],
}

impl KeyMemory {
    /// What comes before a line's first key.
    const START: u8 = 0;
    /// Twice as many, so that a search for a key soon comes to an empty slot.
    const SLOTS: usize = 512;

    fn new() -> KeyMemory {
        // Nothing is spelled like the start, so that it is never found.
        const START: KnownKey = KnownKey {
            text: Text { bytes: [1; Text::LENGTH], mask: [0xff; Text::LENGTH] },
            length: 0,
            key: Key::Other,
            next: [KeyMemory::START; 2],
        };
        KeyMemory { known: Box::new([START; 256]), count: 1, places: [KeyMemory::START; KeyMemory::SLOTS] }
    }

    /// The key at `at` if it is one of those that followed `last`.
    #[inline(always)]
    fn expected<B: Block>(&mut self, last: u8, region: Region, at: usize) -> Option<u8> {
        let [first, second] = self.known[usize::from(last)].next;
        if region.spells::<B>(at, &self.known[usize::from(first)].text) {
            return Some(first);
        }
        if region.spells::<B>(at, &self.known[usize::from(second)].text) {
            self.known[usize::from(last)].next = [second, first];
            return Some(second);
        }
        None
    }

    /// The key at `at`, if it is known.
    #[inline(always)]
    fn known_at<B: Block>(&self, region: Region, at: usize) -> Option<u8> {
        let mut slot = KeyMemory::hash(region.word(at));
        loop {
            match self.places[slot] {
                KeyMemory::START => return None,
                place if region.spells::<B>(at, &self.known[usize::from(place)].text) => return Some(place),
                _ => slot = (slot + 1) % KeyMemory::SLOTS,
            }
        }
    }

    /// A hash of the first seven bytes of a key, or of those before its closing quote.
    #[inline(always)]
    fn hash(first: u64) -> usize {
        const LOW: u64 = 0x0101_0101_0101_0101;
        let name = first >> 8;
        let quotes = name ^ (LOW * u64::from(b'"'));
        // The lowest byte that is a quote has its high bit set; so may higher ones that are none.
        let ends = quotes.wrapping_sub(LOW) & !quotes & (LOW << 7);
        let name = name & (ends ^ ends.wrapping_sub(1)) >> 8;
        (name.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
    }

    fn follows(&mut self, last: u8, place: u8) {
        let next = &mut self.known[usize::from(last)].next;
        *next = [place, next[0]];
    }

    /// Remembers a key; its place, or `START` if there is none left.
    fn learn(&mut self, name: &[u8], key: Key) -> u8 {
        let length = name.len() + 3;
        if length > Text::LENGTH || self.count == self.known.len() {
            return KeyMemory::START;
        }
        let mut bytes = [0; Text::LENGTH];
        bytes[0] = b'"';
        bytes[1..=name.len()].copy_from_slice(name);
        bytes[length - 2..length].copy_from_slice(b"\":");
        let mask = std::array::from_fn(|at| if at < length { 0xff } else { 0 });
        let place = self.count as u8;
        self.known[self.count] =
            KnownKey { text: Text { bytes, mask }, length, key, next: [KeyMemory::START; 2] };
        self.count += 1;
        let first = u64::from_le_bytes(std::array::from_fn(|at| bytes[at]));
        let mut slot = KeyMemory::hash(first);
        while self.places[slot] != KeyMemory::START {
            slot = (slot + 1) % KeyMemory::SLOTS;
        }
        self.places[slot] = place;
        place
    }
}
