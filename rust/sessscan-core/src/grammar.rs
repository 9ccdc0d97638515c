//! The byte-by-byte parser of JSON objects, with which the fast scanner must agree.
//!
//! This defines when an object is complete. It is a pushdown automaton that takes one byte at a time, and has
//! two strictnesses:
//!
//! * [`Strictness::Structure`]: strings are closed, brackets match in kind, and the grammar of the object
//!   itself (depth 1) holds. Deeper values need only nest.
//! * [`Strictness::Full`]: every byte of every value conforms to RFC 8259.
//!
//! Three things end an object in both: a control character inside a string, any control character but tab and
//! CR between its tokens, and a backslash outside a string. The last two do not occur between the tokens of
//! JSON. They are errors at any depth because of a record that was cut inside a string and is followed by a
//! whole one: read with strings and structure exchanged, the two could look like one object.
//!
//! The automaton goes on after an error. It marks or drops the containers that the error makes wrong, and
//! parses those that begin later. So one pass over a spliced line finds every object in it (see
//! `line::tail`), in time linear in the line's length.

use crate::text;
use serde::{Deserialize, Serialize};

/// How much of an object is checked before it counts as complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strictness {
    /// Strings, brackets and the grammar at depth 1.
    #[default]
    Structure,
    /// Every byte, by RFC 8259.
    Full,
}

/// What the grammar allows next in a container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    KeyOrEnd,
    Key,
    Colon,
    Value,
    ValueOrEnd,
    CommaOrEnd,
}

/// An open container.
#[derive(Clone, Copy)]
struct Frame {
    object: bool,
    expect: Expect,
    /// Its own grammar is wrong, or, with [`Strictness::Full`], that of something in it.
    bad: bool,
}

/// How deep containers may nest. A quarter of this many bytes is what a line of brackets takes.
const DEEPEST: usize = 1 << 25;

/// The open containers, in two bits each but for the innermost.
///
/// A container in which another one is open expects a comma or its end next, whatever was before.
#[derive(Default)]
struct Stack {
    innermost: Option<Frame>,
    /// Of each container around it, the outermost first: whether it is an object, and whether it is bad.
    around: Vec<u64>,
    /// How many there are around it.
    count: usize,
}

impl Stack {
    /// How many containers a word of `around` has.
    const PER_WORD: usize = u64::BITS as usize / 2;

    fn len(&self) -> usize {
        self.count + usize::from(self.innermost.is_some())
    }

    fn clear(&mut self) {
        self.innermost = None;
        self.count = 0;
    }

    fn last_mut(&mut self) -> Option<&mut Frame> {
        self.innermost.as_mut()
    }

    /// Open another container; return false if it would be too deep.
    fn push(&mut self, frame: Frame) -> bool {
        if let Some(outer) = self.innermost.replace(frame) {
            if self.count == DEEPEST {
                return false;
            }
            let (word, bit) = (self.count / Stack::PER_WORD, 2 * (self.count % Stack::PER_WORD));
            if word == self.around.len() {
                self.around.push(0);
            }
            let bits = u64::from(outer.object) | u64::from(outer.bad) << 1;
            self.around[word] = self.around[word] & !(3 << bit) | bits << bit;
            self.count += 1;
        }
        true
    }

    fn pop(&mut self) -> Option<Frame> {
        let outer = self.count.checked_sub(1).map(|count| {
            self.count = count;
            self.around_at(count)
        });
        std::mem::replace(&mut self.innermost, outer)
    }

    fn around_at(&self, at: usize) -> Frame {
        let bits = self.around[at / Stack::PER_WORD] >> (2 * (at % Stack::PER_WORD));
        Frame { object: bits & 1 != 0, expect: Expect::CommaOrEnd, bad: bits & 2 != 0 }
    }

    /// Return the outermost container.
    fn first(&self) -> Option<Frame> {
        if self.count == 0 { self.innermost } else { Some(self.around_at(0)) }
    }
}

/// What kind of token the last byte was in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lexical {
    Between,
    Scalar(Scalar),
    String(Escape),
}

/// The position inside an escape sequence of a string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    No,
    Backslash,
    /// Inside `\u`, with this many hex digits to come.
    Hex(u8),
}

/// The state inside a number or inside `true`, `false` or `null`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Literal(&'static [u8]),
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    ESign,
    Exponent,
    Wrong,
}

impl Scalar {
    fn begin(byte: u8) -> Scalar {
        match byte {
            b't' => Scalar::Literal(b"rue"),
            b'f' => Scalar::Literal(b"alse"),
            b'n' => Scalar::Literal(b"ull"),
            b'-' => Scalar::Minus,
            b'0' => Scalar::Zero,
            b'1'..=b'9' => Scalar::Integer,
            _ => Scalar::Wrong,
        }
    }

    fn next(self, byte: u8) -> Scalar {
        match (self, byte) {
            (Scalar::Literal([first, rest @ ..]), _) if *first == byte => Scalar::Literal(rest),
            (Scalar::Minus, b'0') => Scalar::Zero,
            (Scalar::Minus, b'1'..=b'9') | (Scalar::Integer, b'0'..=b'9') => Scalar::Integer,
            (Scalar::Zero | Scalar::Integer, b'.') => Scalar::Point,
            (Scalar::Point | Scalar::Fraction, b'0'..=b'9') => Scalar::Fraction,
            (Scalar::Zero | Scalar::Integer | Scalar::Fraction, b'e' | b'E') => Scalar::E,
            (Scalar::E, b'+' | b'-') => Scalar::ESign,
            (Scalar::E | Scalar::ESign | Scalar::Exponent, b'0'..=b'9') => Scalar::Exponent,
            _ => Scalar::Wrong,
        }
    }

    fn whole(self) -> bool {
        matches!(
            self,
            Scalar::Literal([]) | Scalar::Zero | Scalar::Integer | Scalar::Fraction | Scalar::Exponent
        )
    }
}

/// What a byte means for the outermost container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that changes the outermost container.
    Nothing,
    /// A key of the outermost object begins, at its quote.
    KeyBegins,
    /// A value of the outermost object begins.
    ValueBegins,
    /// A scalar value of the outermost object ended with the byte before this one.
    ScalarEnded,
    /// A string or array that is a key or value of the outermost container ends with this byte.
    Ended,
    /// A container ends with this byte, and is not an array at depth 2.
    Closed {
        /// The container is an object, and complete.
        complete: bool,
    },
    /// All open containers were dropped because of an error.
    Dropped,
}

/// The automaton. It takes the bytes of a line from any position outside a string.
pub(crate) struct Machine {
    strictness: Strictness,
    lexical: Lexical,
    stack: Stack,
}

impl Machine {
    pub(crate) fn new(strictness: Strictness) -> Machine {
        Machine { strictness, lexical: Lexical::Between, stack: Stack::default() }
    }

    /// Return to the state of a new automaton, but keep the allocated memory.
    pub(crate) fn reset(&mut self) {
        self.lexical = Lexical::Between;
        self.stack.clear();
    }

    /// Return how many containers are open.
    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    pub(crate) fn in_string(&self) -> bool {
        matches!(self.lexical, Lexical::String(_))
    }

    /// Return how many of the next bytes can be skipped, because they are inside a string and change no
    /// state.
    pub(crate) fn skip(&self, bytes: &[u8]) -> usize {
        /// At most this much, so that what is checked again later is still in the cache.
        const PIECE: usize = 4096;
        if self.lexical == Lexical::String(Escape::No) {
            text::plain(&bytes[..bytes.len().min(PIECE)])
        } else {
            0
        }
    }

    /// Return whether the outermost container can no longer become complete.
    pub(crate) fn cannot_complete(&self) -> bool {
        self.stack.first().is_none_or(|root| root.bad)
    }

    /// Take the next byte.
    pub(crate) fn step(&mut self, byte: u8) -> Step {
        match self.lexical {
            Lexical::String(escape) => self.in_a_string(escape, byte),
            Lexical::Scalar(scalar) if !ends_scalar(byte) => {
                self.lexical = Lexical::Scalar(scalar.next(byte));
                Step::Nothing
            }
            Lexical::Scalar(scalar) => {
                self.lexical = Lexical::Between;
                if !scalar.whole() {
                    self.mark_wrong();
                }
                let ended = self.stack.len() == 1;
                match self.between(byte) {
                    Step::Nothing if ended => Step::ScalarEnded,
                    step => step,
                }
            }
            Lexical::Between => self.between(byte),
        }
    }

    fn in_a_string(&mut self, escape: Escape, byte: u8) -> Step {
        if byte < 0x20 {
            // All containers are dropped, but the string goes on to its closing quote, as `line::tail` needs.
            self.lexical = Lexical::String(Escape::No);
            return self.drop_all();
        }
        let next = match (escape, byte) {
            (Escape::No, b'"') => {
                self.lexical = Lexical::Between;
                return if self.stack.len() == 1 { Step::Ended } else { Step::Nothing };
            }
            (Escape::No, b'\\') => Escape::Backslash,
            (Escape::No, _) => Escape::No,
            (Escape::Backslash, b'u') => Escape::Hex(4),
            (Escape::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Escape::No,
            (Escape::Hex(left), byte) if byte.is_ascii_hexdigit() => {
                if left == 1 {
                    Escape::No
                } else {
                    Escape::Hex(left - 1)
                }
            }
            (Escape::Backslash, _) => {
                self.mark_wrong_if_full();
                Escape::No
            }
            (Escape::Hex(_), _) => {
                // The escape is wrong, but this byte may still end the string or begin another escape.
                self.mark_wrong_if_full();
                return self.in_a_string(Escape::No, byte);
            }
        };
        self.lexical = Lexical::String(next);
        Step::Nothing
    }

    fn between(&mut self, byte: u8) -> Step {
        match byte {
            b' ' | b'\t' | b'\r' => Step::Nothing,
            b'"' => {
                let key = self.begin_string();
                self.lexical = Lexical::String(Escape::No);
                match self.stack.len() {
                    1 if key => Step::KeyBegins,
                    1 => Step::ValueBegins,
                    _ => Step::Nothing,
                }
            }
            b'{' | b'[' => {
                self.begin_value();
                let object = byte == b'{';
                let expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                if !self.stack.push(Frame { object, expect, bad: false }) {
                    return self.drop_all();
                }
                if self.stack.len() == 2 { Step::ValueBegins } else { Step::Nothing }
            }
            b'}' | b']' => self.close(byte == b'}'),
            b',' => {
                self.separate(Expect::CommaOrEnd, |object| if object { Expect::Key } else { Expect::Value });
                Step::Nothing
            }
            b':' => {
                self.separate(Expect::Colon, |_| Expect::Value);
                Step::Nothing
            }
            b'\\' => self.drop_all(),
            0..0x20 if self.stack.len() == 0 => Step::Nothing,
            0..0x20 => self.drop_all(),
            _ => {
                self.begin_value();
                self.lexical = Lexical::Scalar(Scalar::begin(byte));
                if self.stack.len() == 1 { Step::ValueBegins } else { Step::Nothing }
            }
        }
    }

    /// Note that a string begins in the innermost container. Return whether it is a key.
    fn begin_string(&mut self) -> bool {
        match self.stack.last_mut() {
            Some(frame) if matches!(frame.expect, Expect::KeyOrEnd | Expect::Key) => {
                frame.expect = Expect::Colon;
                true
            }
            _ => {
                self.begin_value();
                false
            }
        }
    }

    fn begin_value(&mut self) {
        self.separate_if(
            |expect| matches!(expect, Expect::Value | Expect::ValueOrEnd),
            |_| Expect::CommaOrEnd,
        );
    }

    fn separate(&mut self, allowed: Expect, next: impl Fn(bool) -> Expect) {
        self.separate_if(|expect| expect == allowed, next);
    }

    fn separate_if(&mut self, allowed: impl Fn(Expect) -> bool, next: impl Fn(bool) -> Expect) {
        if let Some(frame) = self.stack.last_mut() {
            if !allowed(frame.expect) {
                frame.bad = true;
            }
            frame.expect = next(frame.object);
        }
    }

    fn close(&mut self, object: bool) -> Step {
        let Some(frame) = self.stack.pop() else { return Step::Nothing };
        if frame.object != object {
            return self.drop_all();
        }
        let bad =
            frame.bad || !matches!(frame.expect, Expect::KeyOrEnd | Expect::ValueOrEnd | Expect::CommaOrEnd);
        if bad && self.strictness == Strictness::Full {
            self.mark_wrong();
        }
        match self.stack.len() {
            // Only arrays: `line::tail` needs every object that is closed, this one too.
            1 if !object => Step::Ended,
            _ => Step::Closed { complete: object && !bad },
        }
    }

    /// Mark the innermost container as wrong.
    fn mark_wrong(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.bad = true;
        }
    }

    /// Mark the innermost container as wrong if the full grammar is checked.
    fn mark_wrong_if_full(&mut self) {
        if self.strictness == Strictness::Full {
            self.mark_wrong();
        }
    }

    /// Drop all open containers.
    fn drop_all(&mut self) -> Step {
        self.stack.clear();
        Step::Dropped
    }
}

fn ends_scalar(byte: u8) -> bool {
    byte <= 0x20 || matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']' | b'\\')
}
