//! The slow twin: JSON objects byte by byte, on a stack.
//!
//! This is the definition of "complete" that the fast scanner is held to. It is one pushdown automaton,
//! fed a byte at a time, which knows two strictnesses:
//!
//! * [`Strictness::Structure`]: strings are closed, brackets match in kind, and the grammar of the object
//!   itself (depth 1) holds. What stands deeper need only nest.
//! * [`Strictness::Full`]: every byte of every value is what RFC 8259 says.
//!
//! Three things end an object in both: a control character inside a string, any control character but tab
//! and CR between its tokens, and a backslash outside a string. The last two are not needed to find where
//! an object ends in well-formed text; they make sure that a record cut inside a string and followed by a
//! whole one can never pass, with the roles of string and structure exchanged, as a single object.
//!
//! The automaton goes on after an error: containers that the error spoils are marked or dropped, and
//! those that begin later get their own chance. That is what lets one pass over a spliced line find every
//! object in it (see `line::tail`) in time linear in the line.

use crate::text;
use serde::{Deserialize, Serialize};

/// How much of an object is looked at before it counts as complete.
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
struct Frame {
    /// Where its bracket stands.
    open: usize,
    object: bool,
    expect: Expect,
    /// Its own grammar is broken; with [`Strictness::Full`] also when that of something in it is.
    bad: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lexical {
    Between,
    Scalar(Scalar),
    String(Escape),
}

/// Where in an escape sequence of a string we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    No,
    Backslash,
    /// This many hex digits of a `\u` are still to come.
    Hex(u8),
}

/// The automaton of numbers and of `true`, `false` and `null`.
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

/// What a byte meant, for those who take objects apart as they go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that changes the outermost container.
    Nothing,
    /// A key of the outermost object begins (at its quote).
    KeyBegins,
    /// A value of the outermost object begins.
    ValueBegins,
    /// The byte before was the last one of a scalar value of the outermost object.
    ScalarEnded,
    /// A string, or a container, that is a key or a value of the outermost object ends with this byte.
    Ended,
    /// A container was closed; `depth` containers are open still.
    Closed {
        /// Where it was opened.
        open: usize,
        /// It is an object, and complete.
        complete: bool,
    },
    /// Every open container was spoiled and dropped.
    Dropped,
}

/// The automaton. Feed it the bytes of a line from any place that is outside a string.
pub(crate) struct Machine {
    strictness: Strictness,
    lexical: Lexical,
    stack: Vec<Frame>,
}

impl Machine {
    pub(crate) fn new(strictness: Strictness) -> Machine {
        Machine { strictness, lexical: Lexical::Between, stack: Vec::new() }
    }

    /// Back to the state of a new one, keeping the memory.
    pub(crate) fn reset(&mut self) {
        self.lexical = Lexical::Between;
        self.stack.clear();
    }

    /// How many containers are open.
    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    pub(crate) fn in_string(&self) -> bool {
        matches!(self.lexical, Lexical::String(_))
    }

    /// How many of these bytes, the next ones, can be passed over: they leave it as it is, being what a string holds.
    pub(crate) fn skip(&self, bytes: &[u8]) -> usize {
        /// So much is looked at more than once, which is then at hand.
        const PIECE: usize = 4096;
        if self.lexical == Lexical::String(Escape::No) {
            text::plain(&bytes[..bytes.len().min(PIECE)])
        } else {
            0
        }
    }

    /// Whether the outermost container can no longer become complete.
    pub(crate) fn hopeless(&self) -> bool {
        self.stack.first().is_none_or(|root| root.bad)
    }

    /// Takes the byte at position `at`.
    pub(crate) fn step(&mut self, at: usize, byte: u8) -> Step {
        match self.lexical {
            Lexical::String(escape) => self.in_a_string(escape, byte),
            Lexical::Scalar(scalar) if !ends_scalar(byte) => {
                self.lexical = Lexical::Scalar(scalar.next(byte));
                Step::Nothing
            }
            Lexical::Scalar(scalar) => {
                self.lexical = Lexical::Between;
                if !scalar.whole() {
                    self.spoil();
                }
                let ended = self.stack.len() == 1;
                match self.between(at, byte) {
                    Step::Nothing if ended => Step::ScalarEnded,
                    step => step,
                }
            }
            Lexical::Between => self.between(at, byte),
        }
    }

    fn in_a_string(&mut self, escape: Escape, byte: u8) -> Step {
        if byte < 0x20 {
            // The string goes on for whoever reads it from the other phase; nothing that holds it is left.
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
                self.spoil_fully();
                Escape::No
            }
            (Escape::Hex(_), _) => {
                // Not a digit: the escape is wrong, but this byte still closes or escapes as any other.
                self.spoil_fully();
                return self.in_a_string(Escape::No, byte);
            }
        };
        self.lexical = Lexical::String(next);
        Step::Nothing
    }

    fn between(&mut self, at: usize, byte: u8) -> Step {
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
                self.stack.push(Frame { open: at, object, expect, bad: false });
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
            0..0x20 if self.stack.is_empty() => Step::Nothing,
            0..0x20 => self.drop_all(),
            _ => {
                self.begin_value();
                self.lexical = Lexical::Scalar(Scalar::begin(byte));
                if self.stack.len() == 1 { Step::ValueBegins } else { Step::Nothing }
            }
        }
    }

    /// Notes that a string begins in the innermost container; true if it stands where a key does.
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
            self.spoil();
        }
        match self.stack.len() {
            // An object that is a value of the outermost one is of interest to both who ask.
            1 if !object => Step::Ended,
            _ => Step::Closed { open: frame.open, complete: object && !bad },
        }
    }

    /// The innermost container is not what the grammar says.
    fn spoil(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.bad = true;
        }
    }

    /// The same for what only the full grammar forbids.
    fn spoil_fully(&mut self) {
        if self.strictness == Strictness::Full {
            self.spoil();
        }
    }

    fn drop_all(&mut self) -> Step {
        self.stack.clear();
        Step::Dropped
    }
}

fn ends_scalar(byte: u8) -> bool {
    byte <= 0x20 || matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']' | b'\\')
}
