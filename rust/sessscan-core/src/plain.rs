//! The fast reader of plain lines. A plain line is one whole record, from the line's start to its LF.
//!
//! The reader does not decide what a line is. It *proves* that a line is plain, by the rules of
//! [`crate::grammar`], and stops at the first line for which it cannot. That one is read byte by byte, by
//! [`crate::line`]. So whatever is rare (padding, damage, nesting deeper than 63, keys written with escapes)
//! needs no code here, and the two readers can differ only where this one proves something false. In outline:
//!
//! ```text
//! at the line's start there is a {
//! for each member:
//!     a key, which is very likely one of two that followed the last key in earlier lines, and a colon
//!     a value:
//!         a string:     to its closing quote, a block of 64 bytes at a time
//!         { or [:       to the bracket that closes it, also by blocks; brackets inside strings do not count
//!         otherwise:    a whole number or literal
//!     a comma, or } and LF
//! ```
//!
//! Blocks are whole and lie within the region's readable bytes. A control character in or between values ends
//! the proof. LF is one, so an object ends on the line on which it begins, and a cut line never includes the
//! next one.
//!
//! Bytes are read through raw pointers ([`crate::bytes::View`]), since those of a mapped file may change
//! meanwhile. The proof then may not hold for the file at any one moment, so values are copied before they
//! are used, and the copy is checked.

mod keys;
mod repeated;

use crate::bytes::{AHEAD, Buffer, Region, STRIDE};
use crate::extent::{container, string};
use crate::record::{KeyNames, Record, RecordBytes, Slot};
use crate::structure::{BLOCK, Block, Isa, Scalar};
use crate::value::plain::PlainRegion;
use keys::KeyMemory;
use repeated::{RepeatedMembers, Values};

/// A reader of plain lines, which remembers keys and members, since the next lines are likely to have the
/// same.
pub(crate) struct PlainReader {
    isa: Isa,
    names: KeyNames,
    keys: KeyMemory,
    /// None if this reader is the one that proves repeated members.
    repeated: Option<RepeatedMembers>,
    scratch: Vec<u8>,
}

impl PlainReader {
    /// Return the region as the bytes of records that this reader proved plain.
    pub(crate) fn bytes<'a>(&self, region: Region<'a>) -> RecordBytes<'a> {
        RecordBytes {
            line: region.line(0..region.view().len()),
            plain: Some(PlainRegion::new(region, self.isa)),
        }
    }

    pub(crate) fn new(isa: Isa, names: KeyNames) -> PlainReader {
        let repeated = Some(RepeatedMembers::new(prove, isa, names.clone()));
        PlainReader { repeated, ..PlainReader::without_repeated(isa, names) }
    }

    pub(crate) fn without_repeated(isa: Isa, names: KeyNames) -> PlainReader {
        PlainReader { isa, names, keys: KeyMemory::new(), repeated: None, scratch: Vec::new() }
    }

    /// Read lines from `at` on, which must be a line's start, as long as they are plain. Return the start of
    /// the first line that is not plain or not whole.
    ///
    /// `sink` is called with each record, its line's start and the next line's start.
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

            match self.isa {
                // SAFETY: `Isa::available` found these instructions in this processor.
                Isa::Avx512 => return unsafe { avx512(self, region, at, sink) },
                // SAFETY: `Isa::available` found these instructions in this processor.
                Isa::Avx2 => return unsafe { avx2(self, region, at, sink) },
                _ => {}
            }
        }
        #[cfg(target_arch = "aarch64")]
        if self.isa == Isa::Neon {
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
        if let Some(repeated) = &mut self.repeated {
            repeated.forget_positions();
        }
        let mut record = Record::new(self.bytes(region));
        let mut kept = at;
        while let Some(next) = self.line::<B>(region, at, &mut record) {
            sink(&record, at, next);
            at = next;
            if at - kept > STRIDE {
                region.give_back(kept..at);
                kept = at;
            }
        }
        at
    }

    /// Return the start of the next line if the one at `line` is plain.
    #[inline(always)]
    fn line<B: Block>(&mut self, region: Region, line: usize, record: &mut Record) -> Option<usize> {
        record.clear();
        if line + AHEAD >= region.readable() || region.byte(line) != b'{' {
            return None;
        }
        let mut at = line + 1;
        let mut last = KeyMemory::START;
        if let Some(repeated) = &mut self.repeated {
            repeated.begin_line();
        }
        loop {
            let (key, mut value);
            if let Some(id) = self.keys.expected::<B>(last, region, at) {
                let known = &self.keys.known[usize::from(id)];
                (key, value, last) = (known.key, at + known.length, id);
            } else {
                (key, value, last) = self.unexpected_key::<B>(region, at, last)?;
            }
            if let Some(repeated) = &mut self.repeated {
                let start = value - self.keys.known[usize::from(last)].length;
                if let Some(after) = repeated.read::<B>(last, region, start, record) {
                    repeated.note(last, start, true);
                    (at, last) = (after.at, after.last);
                    if after.ends_line {
                        // The bytes behind the region's end are not the line's, even if they match.
                        if at > region.view().len() {
                            return None;
                        }
                        repeated.end_line(region, at);
                        return Some(at);
                    }
                    continue;
                }
                repeated.note(last, start, false);
            }
            // No `match`: a jump through a table is harder to predict than a branch.
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
            if end + AHEAD >= region.readable() {
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
        if at >= region.view().len() || region.byte(at) != b'\n' {
            return None;
        }
        if let Some(repeated) = &mut self.repeated {
            repeated.end_line(region, at + 1);
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

    /// Read a key that did not follow `last` before. Return the key, the position after its colon, and its
    /// index in the memory.
    #[inline(always)]
    fn unexpected_key<B: Block>(&mut self, region: Region, at: usize, last: u8) -> Option<(Slot, usize, u8)> {
        let at = if region.byte(at) <= b' ' { skip_blanks(region, at)? } else { at };
        if let Some(id) = self.keys.known_at::<B>(region, at) {
            self.keys.follows(last, id);
            let known = &self.keys.known[usize::from(id)];
            return Some((known.key, at + known.length, id));
        }
        if region.byte(at) != b'"' {
            return None;
        }
        let block = region.block::<B>(at + 1);
        let stop = block.stops();
        let length = stop.trailing_zeros() as usize;
        // The bytes behind the region's end are not the line's, even if they look like a key.
        if length == BLOCK || at + 1 + length >= region.view().len() || region.byte(at + 1 + length) != b'"' {
            return None;
        }
        self.new_key(region, at, length, last)
    }

    #[cold]
    #[inline(never)]
    fn new_key(&mut self, region: Region, at: usize, length: usize, last: u8) -> Option<(Slot, usize, u8)> {
        let name = region.view().copy(at + 1..at + 1 + length, &mut self.scratch);
        let key = self.names.slot_of(name);
        let colon = skip_blanks(region, at + length + 2)?;
        if region.byte(colon) != b':' {
            return None;
        }
        // A key with blanks before its colon is remembered without them, so it is found only where it has
        // none.
        let id = self.keys.learn(name, key);
        self.keys.follows(last, id);
        Some((key, colon + 1, id))
    }
}

/// Prove that members are plain, as a line of their own with brackets around them, and return their values.
///
/// If they end their line, they include its closing bracket and its LF.
fn prove(members: &[u8], ends_line: bool, isa: Isa, names: &KeyNames) -> Option<Values> {
    let mut line = Buffer::new();
    line.append(b"{");
    line.append(if ends_line { members } else { members.strip_suffix(b",")? });
    line.append(if ends_line { b"" } else { b"}\n" });
    let whole = line.bytes().len();
    // Readable bytes behind the line's end, as the reader wants them.
    line.append(&[b' '; AHEAD]);
    let mut values = None;
    let mut reader = PlainReader::without_repeated(isa, names.clone());
    let end = reader.read_lines(line.region(), 0, |record, _, _| {
        let value = |key| {
            let range = record.range(key)?;
            Some((key, range.start - 1..range.end - 1, record.is_plain(key)))
        };
        values = Some(Slot::all().filter_map(value).collect());
    });
    values.filter(|_| end == whole)
}

/// Return the position of the first byte from `at` on that is no blank, if [`AHEAD`] bytes can be read from
/// there.
#[cold]
fn skip_blanks(region: Region, mut at: usize) -> Option<usize> {
    while at + AHEAD <= region.readable() {
        if !matches!(region.byte(at), b' ' | b'\t' | b'\r') {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Return the end of the number or literal at `at`, from where [`AHEAD`] bytes must be readable. A number
/// with 32 or more digits in a row is not proved.
#[inline(always)]
pub(crate) fn scalar(region: Region, at: usize) -> Option<usize> {
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
    // Three runs of at most this many digits stay within the readable bytes.
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
