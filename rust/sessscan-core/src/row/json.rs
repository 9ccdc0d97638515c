//! Walk a JSON document in one pass: report how it ends and the members of its outermost object.
//!
//! Unlike a parser of values, this tells a document that was cut off from an invalid one, and at which byte.
//! It accepts what the app's `JSON.parse` (RFC 8259) accepts after decoding: bytes that are not UTF-8 become
//! U+FFFD and may stand in a string, and lone surrogate escapes and numbers of any size are valid. Each level
//! of nesting takes one bit and no stack.

use std::ops::Range;

/// How a document ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All of the bytes are one JSON document, which may be an object.
    Whole { object: bool },
    /// The bytes are the beginning of a longer document.
    Incomplete,
    /// The bytes before this offset can begin a document; with the byte at it they cannot.
    Invalid(usize),
    /// A whole document, which may be an object, is followed by something else at this offset.
    Trailing { at: usize, object: bool },
}

/// A complete member of the outermost object: the positions of its key (with the quotes) and its value.
pub(crate) struct Member {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// Why the walk stopped inside the document.
enum Stop {
    Incomplete,
    Invalid(usize),
}

/// Walk through `data` and call `visit` for each complete member of the outermost object, in order.
pub(crate) fn walk(data: &[u8], visit: impl FnMut(Member)) -> End {
    match document(data, visit) {
        Ok((mut at, object)) => match blank(data, &mut at) {
            Err(_) => End::Whole { object },
            Ok(_) => End::Trailing { at, object },
        },
        Err(Stop::Incomplete) => End::Incomplete,
        Err(Stop::Invalid(at)) => End::Invalid(at),
    }
}

/// Return where the document ends and whether it is an object.
fn document(data: &[u8], mut visit: impl FnMut(Member)) -> Result<(usize, bool), Stop> {
    let mut brackets = Brackets::default();
    let mut object = false;
    let mut at = 0;
    // The position of the current member's key at depth 1, and where its value begins.
    let (mut key, mut value) = (0..0, 0);
    loop {
        // A value begins here.
        let byte = blank(data, &mut at)?;
        if brackets.depth == 1 {
            value = at;
        }
        match byte {
            b'{' => {
                object |= brackets.depth == 0;
                brackets.push(true);
                at += 1;
                if blank(data, &mut at)? != b'}' {
                    self::key(data, &mut at, (brackets.depth == 1).then_some(&mut key))?;
                    continue;
                }
                brackets.pop();
                at += 1;
            }
            b'[' => {
                brackets.push(false);
                at += 1;
                if blank(data, &mut at)? != b']' {
                    continue;
                }
                brackets.pop();
                at += 1;
            }
            b'"' => at = string(data, at + 1)?,
            _ => at = scalar(data, at, brackets.depth > 0)?,
        }
        // A value has ended here, and perhaps with it the containers around it.
        loop {
            if brackets.depth == 0 {
                return Ok((at, object));
            }
            if brackets.depth == 1 && object {
                visit(Member { key: key.clone(), value: value..at });
            }
            match (blank(data, &mut at)?, brackets.in_object()) {
                (b',', true) => {
                    at += 1;
                    self::key(data, &mut at, (brackets.depth == 1).then_some(&mut key))?;
                    break;
                }
                (b',', false) => {
                    at += 1;
                    break;
                }
                (b'}', true) | (b']', false) => brackets.pop(),
                _ => return Err(Stop::Invalid(at)),
            }
            at += 1;
        }
    }
}

/// Skip white space and return the byte after it.
#[inline(always)]
fn blank(data: &[u8], at: &mut usize) -> Result<u8, Stop> {
    loop {
        match data.get(*at) {
            Some(b' ' | b'\n' | b'\r' | b'\t') => *at += 1,
            Some(&byte) => return Ok(byte),
            None => return Err(Stop::Incomplete),
        }
    }
}

/// Skip a key and the colon after it, and store the key's position in `note`.
#[inline(always)]
fn key(data: &[u8], at: &mut usize, note: Option<&mut Range<usize>>) -> Result<(), Stop> {
    if blank(data, at)? != b'"' {
        return Err(Stop::Invalid(*at));
    }
    let begin = *at;
    *at = string(data, begin + 1)?;
    if let Some(key) = note {
        *key = begin..*at;
    }
    if blank(data, at)? != b':' {
        return Err(Stop::Invalid(*at));
    }
    *at += 1;
    Ok(())
}

/// Check the number or literal that begins at `begin`, and return where it ends.
fn scalar(data: &[u8], begin: usize, nested: bool) -> Result<usize, Stop> {
    match data[begin] {
        b'-' | b'0'..=b'9' => number(data, begin, nested),
        b't' => literal(data, begin, b"true"),
        b'f' => literal(data, begin, b"false"),
        b'n' => literal(data, begin, b"null"),
        _ => Err(Stop::Invalid(begin)),
    }
}

fn literal(data: &[u8], begin: usize, word: &[u8]) -> Result<usize, Stop> {
    for (ahead, &letter) in word.iter().enumerate() {
        match data.get(begin + ahead) {
            Some(&byte) if byte == letter => {}
            Some(_) => return Err(Stop::Invalid(begin + ahead)),
            None => return Err(Stop::Incomplete),
        }
    }
    Ok(begin + word.len())
}

/// Check a number and return where it ends. Inside a container it is complete only if something follows.
fn number(data: &[u8], begin: usize, nested: bool) -> Result<usize, Stop> {
    let mut at = begin + usize::from(data[begin] == b'-');
    match data.get(at) {
        Some(b'0') => at += 1,
        _ => at = digits(data, at)?,
    }
    if data.get(at) == Some(&b'.') {
        at = digits(data, at + 1)?;
    }
    if matches!(data.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(data.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(data, at)?;
    }
    match data.get(at) {
        None if nested => Err(Stop::Incomplete),
        Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') => Ok(at),
        Some(_) if nested => Err(Stop::Invalid(at)),
        _ => Ok(at),
    }
}

/// Skip digits, at least one, and return where they end.
fn digits(data: &[u8], begin: usize) -> Result<usize, Stop> {
    let count = data[begin.min(data.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (count, data.get(begin)) {
        (0, None) => Err(Stop::Incomplete),
        (0, Some(_)) => Err(Stop::Invalid(begin)),
        _ => Ok(begin + count),
    }
}

/// Check a string from after its opening quote, and return the position after its closing quote.
fn string(data: &[u8], mut at: usize) -> Result<usize, Stop> {
    loop {
        at = special(data, at).ok_or(Stop::Incomplete)?;
        match data[at] {
            b'"' => return Ok(at + 1),
            b'\\' => at = escape(data, at + 1)?,
            _ => return Err(Stop::Invalid(at)),
        }
    }
}

fn escape(data: &[u8], at: usize) -> Result<usize, Stop> {
    match data.get(at) {
        None => Err(Stop::Incomplete),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => {
            for digit in at + 1..at + 5 {
                match data.get(digit) {
                    None => return Err(Stop::Incomplete),
                    Some(byte) if byte.is_ascii_hexdigit() => {}
                    Some(_) => return Err(Stop::Invalid(digit)),
                }
            }
            Ok(at + 5)
        }
        Some(_) => Err(Stop::Invalid(at)),
    }
}

/// Find the first quote, backslash or control character from `at` on, eight bytes at a time.
#[inline(always)]
fn special(data: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Sets the high bit of each zero byte, and of no byte below the first zero byte.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    while let Some(bytes) = data[at..].first_chunk() {
        let word = u64::from_le_bytes(*bytes);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let hits = control | zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        if hits != 0 {
            return Some(at + hits.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let tail = data[at..].iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')?;
    Some(at + tail)
}

/// The open brackets, one bit each: 1 for an object, 0 for an array.
#[derive(Default)]
struct Brackets {
    /// The innermost 64 levels; the lowest bit is the innermost.
    near: u64,
    /// The levels outside those, 64 an element.
    far: Vec<u64>,
    depth: usize,
}

impl Brackets {
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.far.push(self.near);
        }
        self.near = self.near << 1 | u64::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.near >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.near = self.far.pop().unwrap_or_default();
        }
    }

    fn in_object(&self) -> bool {
        self.near & 1 == 1
    }
}

#[cfg(test)]
mod tests;
