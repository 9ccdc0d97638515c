//! One pass over a JSON document: is it one, how far does it go, and what does it hold at depth 1?
//!
//! A parser of values cannot tell a document that was cut off from one that is wrong, nor say where; this
//! one can, at every byte. It holds to RFC 8259 as the app's `JSON.parse` does on decoded bytes: what is not
//! UTF-8 becomes U+FFFD and may stand in a string, lone surrogate escapes are fine, numbers of any size too.
//! Nesting costs a bit a level and no stack.

use std::ops::Range;

/// How a document ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is JSON from the first byte to the last; whether it is an object.
    Whole { object: bool },
    /// It is the beginning of a longer document.
    Cut,
    /// Everything before this offset may begin a document, this byte included it cannot.
    Bad(usize),
    /// A whole document ends here, and what follows is not blank; whether it is an object.
    Trailing { at: usize, object: bool },
}

/// A member of the outermost object whose value is complete: where its key (with the quotes) and value are.
pub(crate) struct Member {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// Why it goes no further.
enum Stop {
    Cut,
    Bad(usize),
}

/// Goes through `data` and calls `visit` for each member of the outermost object, in order.
pub(crate) fn walk(data: &[u8], visit: impl FnMut(Member)) -> End {
    match document(data, visit) {
        Ok((mut at, object)) => match blank(data, &mut at) {
            Err(_) => End::Whole { object },
            Ok(_) => End::Trailing { at, object },
        },
        Err(Stop::Cut) => End::Cut,
        Err(Stop::Bad(at)) => End::Bad(at),
    }
}

/// Where the document ends, and whether it is an object.
fn document(data: &[u8], mut visit: impl FnMut(Member)) -> Result<(usize, bool), Stop> {
    let mut open = Brackets::default();
    let mut object = false;
    let mut at = 0;
    // Of the member at depth 1 that is being read: its key, and where its value begins.
    let (mut key, mut value) = (0..0, 0);
    loop {
        // Here a value begins.
        let byte = blank(data, &mut at)?;
        if open.depth == 1 {
            value = at;
        }
        match byte {
            b'{' => {
                object |= open.depth == 0;
                open.push(true);
                at += 1;
                if blank(data, &mut at)? != b'}' {
                    self::key(data, &mut at, (open.depth == 1).then_some(&mut key))?;
                    continue;
                }
                open.pop();
                at += 1;
            }
            b'[' => {
                open.push(false);
                at += 1;
                if blank(data, &mut at)? != b']' {
                    continue;
                }
                open.pop();
                at += 1;
            }
            b'"' => at = string(data, at + 1)?,
            _ => at = scalar(data, at, open.depth > 0)?,
        }
        // Here one has ended, and perhaps with it those that it is in.
        loop {
            if open.depth == 0 {
                return Ok((at, object));
            }
            if open.depth == 1 && object {
                visit(Member { key: key.clone(), value: value..at });
            }
            match (blank(data, &mut at)?, open.in_object()) {
                (b',', true) => {
                    at += 1;
                    self::key(data, &mut at, (open.depth == 1).then_some(&mut key))?;
                    break;
                }
                (b',', false) => {
                    at += 1;
                    break;
                }
                (b'}', true) | (b']', false) => open.pop(),
                _ => return Err(Stop::Bad(at)),
            }
            at += 1;
        }
    }
}

/// Passes over white space; the byte behind it.
#[inline(always)]
fn blank(data: &[u8], at: &mut usize) -> Result<u8, Stop> {
    loop {
        match data.get(*at) {
            Some(b' ' | b'\n' | b'\r' | b'\t') => *at += 1,
            Some(&byte) => return Ok(byte),
            None => return Err(Stop::Cut),
        }
    }
}

/// Passes over a key and the colon behind it, and notes where the key is.
#[inline(always)]
fn key(data: &[u8], at: &mut usize, note: Option<&mut Range<usize>>) -> Result<(), Stop> {
    if blank(data, at)? != b'"' {
        return Err(Stop::Bad(*at));
    }
    let begin = *at;
    *at = string(data, begin + 1)?;
    if let Some(key) = note {
        *key = begin..*at;
    }
    if blank(data, at)? != b':' {
        return Err(Stop::Bad(*at));
    }
    *at += 1;
    Ok(())
}

/// A number or literal that begins at `begin`; where it ends.
fn scalar(data: &[u8], begin: usize, nested: bool) -> Result<usize, Stop> {
    match data[begin] {
        b'-' | b'0'..=b'9' => number(data, begin, nested),
        b't' => literal(data, begin, b"true"),
        b'f' => literal(data, begin, b"false"),
        b'n' => literal(data, begin, b"null"),
        _ => Err(Stop::Bad(begin)),
    }
}

fn literal(data: &[u8], begin: usize, word: &[u8]) -> Result<usize, Stop> {
    for (ahead, &letter) in word.iter().enumerate() {
        match data.get(begin + ahead) {
            Some(&byte) if byte == letter => {}
            Some(_) => return Err(Stop::Bad(begin + ahead)),
            None => return Err(Stop::Cut),
        }
    }
    Ok(begin + word.len())
}

/// A number says nowhere that it is complete: inside a container only what follows it does.
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
        None if nested => Err(Stop::Cut),
        Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') => Ok(at),
        Some(_) if nested => Err(Stop::Bad(at)),
        _ => Ok(at),
    }
}

/// One digit at least.
fn digits(data: &[u8], begin: usize) -> Result<usize, Stop> {
    let count = data[begin.min(data.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (count, data.get(begin)) {
        (0, None) => Err(Stop::Cut),
        (0, Some(_)) => Err(Stop::Bad(begin)),
        _ => Ok(begin + count),
    }
}

/// The rest of a string, after its opening quote; where it ends, the closing quote included.
fn string(data: &[u8], mut at: usize) -> Result<usize, Stop> {
    loop {
        at = special(data, at).ok_or(Stop::Cut)?;
        match data[at] {
            b'"' => return Ok(at + 1),
            b'\\' => at = escape(data, at + 1)?,
            _ => return Err(Stop::Bad(at)),
        }
    }
}

fn escape(data: &[u8], at: usize) -> Result<usize, Stop> {
    match data.get(at) {
        None => Err(Stop::Cut),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => {
            for digit in at + 1..at + 5 {
                match data.get(digit) {
                    None => return Err(Stop::Cut),
                    Some(byte) if byte.is_ascii_hexdigit() => {}
                    Some(_) => return Err(Stop::Bad(digit)),
                }
            }
            Ok(at + 5)
        }
        Some(_) => Err(Stop::Bad(at)),
    }
}

/// The first quote, backslash or control character from `at` on: eight bytes at a time.
#[inline(always)]
fn special(data: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Sets the high bit of each byte that is zero, and of none below the first such byte.
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

/// The open brackets, one bit each.
#[derive(Default)]
struct Brackets {
    /// Of the innermost 64 levels; the lowest bit is the innermost.
    near: u64,
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
