//! The fast reader of lines whose every byte counts. It proves that a line is one record that conforms to
//! RFC 8259, and finds on its way the values that the conversation needs.
//!
//! Like [`crate::plain`] it does not decide what a line is: at the first line for which its proof fails, it
//! stops, and [`crate::line`] reads that one byte by byte. In contrast to it, the grammar is checked at every
//! depth, since the official readers drop a line that is wrong anywhere.
//!
//! A block of 64 bytes becomes masks; outside of strings, each quote, bracket, comma and colon and each first
//! byte of a number or literal is a token, and an automaton takes one after the other.

use super::facts::{Facts, Field, Role, field_named, is_odd_escape, role_of};
use crate::bytes::{AHEAD, Region, STRIDE};
use crate::extent::{BlockMasks, BlockReader};
use crate::plain::scalar;
use crate::structure::{BLOCK, Block, Isa, Scalar};

/// What the grammar allows next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    KeyOrEnd,
    Key,
    Colon,
    Value,
    ValueOrEnd,
    CommaOrEnd,
}

/// The deepest container whose members may be kept: a record's message's content's block.
const DEEPEST: usize = 4;

/// How deep containers may nest in a line that is proved.
const MOST_OPEN: usize = 63;

/// The length of the longest key that is looked up, and in words of eight bytes.
const LONGEST: usize = 23;
const WORDS: usize = 3;

/// Reads lines from `at` on, which must be a line's start, as long as they can be proved. Returns the start of
/// the first one that cannot. `sink` is called with the record's values, its start, its end and the next line's start.
pub(crate) fn read_lines(
    isa: Isa,
    region: Region,
    at: usize,
    facts: &mut Facts,
    sink: impl FnMut(&Facts, usize, usize, usize),
) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::structure::{Avx2, Avx512};

        #[target_feature(enable = "avx512bw,avx512f,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
        fn avx512(
            region: Region,
            at: usize,
            facts: &mut Facts,
            sink: impl FnMut(&Facts, usize, usize, usize),
        ) -> usize {
            lines::<Avx512>(region, at, facts, sink)
        }

        #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
        fn avx2(
            region: Region,
            at: usize,
            facts: &mut Facts,
            sink: impl FnMut(&Facts, usize, usize, usize),
        ) -> usize {
            lines::<Avx2>(region, at, facts, sink)
        }

        match isa {
            // SAFETY: `Isa::available` found these instructions in this processor.
            Isa::Avx512 => return unsafe { avx512(region, at, facts, sink) },
            // SAFETY: `Isa::available` found these instructions in this processor.
            Isa::Avx2 => return unsafe { avx2(region, at, facts, sink) },
            _ => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    if isa == Isa::Neon {
        return lines::<crate::structure::Neon>(region, at, facts, sink);
    }
    let _ = isa;
    lines::<Scalar>(region, at, facts, sink)
}

#[inline(always)]
fn lines<B: Block>(
    region: Region,
    mut at: usize,
    facts: &mut Facts,
    mut sink: impl FnMut(&Facts, usize, usize, usize),
) -> usize {
    let mut kept = at;
    while let Some((end, next)) = line::<B>(region, at, facts) {
        sink(facts, at, end, next);
        at = next;
        if at - kept > STRIDE {
            region.give_back(kept..at);
            kept = at;
        }
    }
    at
}

/// Return the end of the record that begins at `line`, and the start of the next line.
#[inline(always)]
fn line<B: Block>(region: Region, line: usize, facts: &mut Facts) -> Option<(usize, usize)> {
    if line + AHEAD >= region.readable() || region.byte(line) != b'{' {
        return None;
    }
    facts.clear();
    let end = record::<B>(region, line, facts)?;
    if end + 1 >= region.readable() {
        return None;
    }
    let at = end + usize::from(region.byte(end) == b'\r');
    if at >= region.view().len() || region.byte(at) != b'\n' {
        return None;
    }
    Some((end, at + 1))
}

/// The automaton: the open containers, and what is known of those whose members may be kept.
struct Walk<'a> {
    expect: Expect,
    depth: usize,
    /// Which of the open containers are objects, the innermost in the lowest bit.
    objects: u64,
    roles: [Role; DEEPEST + 1],
    fields: [Option<Field>; DEEPEST + 1],
    starts: [usize; DEEPEST + 1],
    key: usize,
    facts: &'a mut Facts,
}

impl Walk<'_> {
    /// Note that a value begins.
    #[inline(always)]
    fn value(&mut self, at: usize) -> Option<()> {
        if !matches!(self.expect, Expect::Value | Expect::ValueOrEnd) {
            return None;
        }
        self.expect = Expect::CommaOrEnd;
        if self.depth <= DEEPEST {
            self.starts[self.depth] = at;
        }
        Some(())
    }

    #[inline(always)]
    fn open(&mut self, at: usize, object: bool) -> Option<()> {
        self.value(at)?;
        if self.depth == MOST_OPEN {
            return None;
        }
        if self.depth < DEEPEST {
            let role = if self.depth == 0 {
                Role::Record
            } else {
                role_of(self.roles[self.depth], self.fields[self.depth], object)
            };
            self.roles[self.depth + 1] = role;
            self.fields[self.depth + 1] = None;
            if role == Role::Block {
                self.facts.begin_block();
            }
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(object);
        self.expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Some(())
    }

    /// Note that a member ends before `at`.
    #[inline(always)]
    fn end_member(&mut self, region: Region, at: usize) {
        if self.depth <= DEEPEST
            && let Some(field) = self.fields[self.depth].take()
        {
            let start = self.starts[self.depth];
            let mut end = at;
            while end > start && region.byte(end - 1) == b' ' {
                end -= 1;
            }
            self.facts.set(field, start..end);
        }
    }

    /// Note the field whose key ends before the colon at `at`. None if the key cannot be read here.
    #[inline(always)]
    fn name(&mut self, region: Region, at: usize) -> Option<()> {
        let role = self.roles[self.depth];
        if role == Role::Other {
            return Some(());
        }
        // Another process may have changed the bytes meanwhile.
        let mut end = at - 1;
        while end > self.key && region.byte(end) != b'"' {
            end -= 1;
        }
        if end == self.key {
            return None;
        }
        let length = end - self.key - 1;
        let start = self.key + 1;
        if start + size_of::<[u64; WORDS]>() > region.readable() {
            return None;
        }
        let mut name = [0; 8 * WORDS];
        for (at, word) in name.as_chunks_mut().0.iter_mut().enumerate() {
            *word = region.word(start + 8 * at).to_le_bytes();
        }
        let field = if length <= LONGEST { field_named(role, &name[..length]) } else { None };
        if field.is_none() && self.key_has_escapes(region, end) {
            return None;
        }
        self.fields[self.depth] = field;
        if let Some(field) = field {
            self.facts.begin(field);
        }
        Some(())
    }

    fn key_has_escapes(&self, region: Region, end: usize) -> bool {
        (self.key + 1..end).any(|at| region.byte(at) == b'\\')
    }
}

/// Return the end of the record that begins at `from`, if every byte of it is right.
#[inline(always)]
fn record<B: Block>(region: Region, from: usize, facts: &mut Facts) -> Option<usize> {
    let mut walk = Walk {
        expect: Expect::Value,
        depth: 0,
        objects: 0,
        roles: [Role::Other; DEEPEST + 1],
        fields: [None; DEEPEST + 1],
        starts: [0; DEEPEST + 1],
        key: 0,
        facts,
    };
    // All ones while a string is open at the block's start; 1 if a number or literal is.
    let mut open_string = 0_u64;
    let mut open_scalar = 0_u64;
    let mut blocks = BlockReader::from(region, from);
    loop {
        let BlockMasks { at, block, counts, quotes, escapes, mut wrong, .. } = blocks.next::<B>(region)?;
        let strings = block.prefix_xor(quotes) ^ open_string;
        if escapes & strings != 0 {
            wrong |= wrong_escapes(region, at, block, escapes & strings, walk.facts);
        }
        if open_string & !(quotes | wrong) == u64::MAX {
            // The whole block lies inside the open string.
            continue;
        }
        let (opening, closing) = block.brackets();
        let punctuation = (opening | closing | block.equal(b',') | block.equal(b':')) & !strings;
        let scalars = !(strings | quotes | punctuation | block.equal(b' ')) & counts;
        // Only what comes before the first byte that is wrong.
        let valid = wrong.wrapping_sub(1) & !wrong;
        let first_of_scalars = scalars & !(scalars << 1 | open_scalar);
        let mut tokens = (punctuation | quotes & strings | first_of_scalars) & counts & valid;
        while tokens != 0 {
            let position = at + tokens.trailing_zeros() as usize;
            tokens &= tokens - 1;
            match region.byte(position) {
                b'"' => match walk.expect {
                    Expect::Key | Expect::KeyOrEnd => {
                        walk.key = position;
                        walk.expect = Expect::Colon;
                    }
                    _ => walk.value(position)?,
                },
                b':' => {
                    if walk.expect != Expect::Colon {
                        return None;
                    }
                    walk.expect = Expect::Value;
                    if walk.depth <= DEEPEST {
                        walk.name(region, position)?;
                    }
                }
                b',' => {
                    if walk.expect != Expect::CommaOrEnd {
                        return None;
                    }
                    walk.end_member(region, position);
                    walk.expect = if walk.objects & 1 != 0 { Expect::Key } else { Expect::Value };
                }
                bracket @ (b'{' | b'[') => walk.open(position, bracket == b'{')?,
                bracket @ (b'}' | b']') => {
                    let object = bracket == b'}';
                    let empty = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                    if walk.expect != Expect::CommaOrEnd && walk.expect != empty
                        || walk.depth == 0
                        || (walk.objects & 1 != 0) != object
                    {
                        return None;
                    }
                    walk.end_member(region, position);
                    walk.depth -= 1;
                    walk.objects >>= 1;
                    walk.expect = Expect::CommaOrEnd;
                    if walk.depth == 0 {
                        return Some(position + 1);
                    }
                }
                _ => {
                    walk.value(position)?;
                    if position + AHEAD >= region.readable() {
                        return None;
                    }
                    let end = scalar(region, position)?;
                    if !matches!(region.byte(end), b',' | b'}' | b']' | b' ') {
                        return None;
                    }
                }
            }
        }
        if wrong != 0 {
            return None;
        }
        open_string = (strings >> (BLOCK - 1)).wrapping_neg();
        open_scalar = scalars >> (BLOCK - 1);
    }
}

/// Mask the escapes of a block, of which `escapes` has each second byte, that are none of JSON's or go on
/// behind the readable bytes.
#[inline(always)]
fn wrong_escapes<B: Block>(region: Region, at: usize, block: B, escapes: u64, facts: &mut Facts) -> u64 {
    let frequent = block.equal(b'n') | block.equal(b'"') | block.equal(b'\\') | block.equal(b't');
    let mut others = escapes & !frequent;
    let mut wrong = 0;
    while others != 0 {
        let bit = others & others.wrapping_neg();
        others ^= bit;
        let position = at + bit.trailing_zeros() as usize;
        let right = match region.byte(position) {
            b'/' | b'b' | b'f' | b'r' => true,
            b'u' => unicode_escape(region, position, facts),
            _ => false,
        };
        if !right {
            wrong |= bit;
        }
    }
    wrong
}

/// Return whether the escape whose `u` is at a position is right.
#[cold]
fn unicode_escape(region: Region, at: usize, facts: &mut Facts) -> bool {
    let byte = |at: usize| if at < region.readable() { region.byte(at) } else { 0 };
    if is_odd_escape(byte, at) {
        facts.note_odd_escape(at);
    }
    (1..=4).all(|next| byte(at + next).is_ascii_hexdigit())
}
