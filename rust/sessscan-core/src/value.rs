//! Read what is inside a JSON value: the members of an object, the elements of an array.
//!
//! Below depth 1, [`Strictness::Structure`](crate::Strictness) checks brackets only, so a value may turn out
//! not to be JSON. It then counts as absent.

pub(crate) mod long;
pub(crate) mod plain;

use crate::bytes::STRIDE;
use crate::text;
use std::ops::Range;

/// Bytes that hold JSON values.
pub(crate) trait Values {
    /// How many bytes of a text are decoded at a time.
    const PIECE: usize;

    /// Return the byte at a position; None if the values end before it.
    fn byte(&self, at: usize) -> Option<u8>;

    /// Return the end of the string, object or array that begins at a position.
    fn end(&self, at: usize) -> Option<usize>;

    /// Return the end of the string that begins at a position, and whether it is known to have no escapes.
    fn string_end(&self, at: usize) -> Option<(usize, bool)> {
        self.end(at).map(|end| (end, false))
    }

    /// Return whether the bytes of a range are `text`.
    fn equals(&self, range: Range<usize>, text: &[u8]) -> bool {
        range.len() == text.len() && range.zip(text).all(|(at, byte)| self.byte(at) == Some(*byte))
    }

    /// Replace the content of `into` with a copy of a range, and return it.
    fn copy<'s>(&self, range: Range<usize>, into: &'s mut Vec<u8>) -> &'s [u8];

    /// Return whether a range between two quotes can be decoded.
    fn decodes(&self, range: Range<usize>) -> bool;

    /// Note that many bytes were read, which can be given back; return false if the scan was cancelled.
    fn passed(&self, _read: Range<usize>) -> bool {
        true
    }
}

/// Values that are read byte by byte.
impl Values for [u8] {
    /// A text is decoded whole, since it may hold bytes that are not UTF-8.
    const PIECE: usize = usize::MAX;

    fn byte(&self, at: usize) -> Option<u8> {
        self.get(at).copied()
    }

    fn end(&self, start: usize) -> Option<usize> {
        if self.get(start) == Some(&b'"') {
            return string_end(self, start);
        }
        let mut depth = 0_usize;
        let mut at = start;
        loop {
            match self.get(at)? {
                b'"' => at = string_end(self, at)? - 1,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }

    fn copy<'s>(&self, range: Range<usize>, into: &'s mut Vec<u8>) -> &'s [u8] {
        into.clear();
        into.extend_from_slice(&self[range]);
        into
    }

    fn decodes(&self, range: Range<usize>) -> bool {
        text::decode(&self[range]).is_some()
    }
}

fn string_end(raw: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', raw.get(at..)?)?;
        if raw[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Call `visit` with the decoded key and the value's range of each member of the object at `at`.
///
/// None if it is no object.
pub(crate) fn members<V: Values + ?Sized>(
    values: &V,
    at: usize,
    mut visit: impl FnMut(&[u8], Range<usize>),
) -> Option<()> {
    let mut at = begin(values, at, b'{')?;
    if values.byte(at)? == b'}' {
        return Some(());
    }
    loop {
        let key = value(values, at)?;
        at = skip_space(values, key.end);
        if values.byte(at)? != b':' {
            return None;
        }
        let value = value(values, skip_space(values, at + 1))?;
        at = skip_space(values, value.end);
        named(values, inside(values, key)?, |key| visit(key, value))?;
        match values.byte(at)? {
            b',' => at = skip_space(values, at + 1),
            b'}' => return Some(()),
            _ => return None,
        }
    }
}

/// Return the range of the value of the last member with this name.
pub(crate) fn member<V: Values + ?Sized>(values: &V, object: usize, name: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    members(values, object, |key, value| {
        if key == name {
            found = Some(value);
        }
    })?;
    found
}

/// Call `visit` with the range of each element of the array at `at`; None if it is no array.
pub(crate) fn elements<V: Values + ?Sized>(
    values: &V,
    at: usize,
    mut visit: impl FnMut(Range<usize>),
) -> Option<()> {
    let mut at = begin(values, at, b'[')?;
    if values.byte(at)? == b']' {
        return Some(());
    }
    loop {
        let element = value(values, at)?;
        at = skip_space(values, element.end);
        visit(element);
        match values.byte(at)? {
            b',' => at = skip_space(values, at + 1),
            b']' => return Some(()),
            _ => return None,
        }
    }
}

/// Return the range between the quotes, if the value is a string.
pub(crate) fn inside<V: Values + ?Sized>(values: &V, value: Range<usize>) -> Option<Range<usize>> {
    let quotes = value.len() >= 2
        && values.byte(value.start) == Some(b'"')
        && values.byte(value.end - 1) == Some(b'"');
    quotes.then(|| value.start + 1..value.end - 1)
}

/// Call `with` with the decoded bytes between two quotes; None if they cannot be decoded.
///
/// Bytes that are not UTF-8 may be passed on as they are, since no name that is looked for has any.
fn named<V: Values + ?Sized, R>(values: &V, range: Range<usize>, with: impl FnOnce(&[u8]) -> R) -> Option<R> {
    let mut short = [0; 16];
    if range.len() <= short.len() {
        let name = &mut short[..range.len()];
        for (byte, at) in name.iter_mut().zip(range.clone()) {
            *byte = values.byte(at)?;
        }
        if !name.contains(&b'\\') {
            return Some(with(name));
        }
    }
    /// More bytes than any name that is looked for has, each of its characters written as an escape.
    const LONGEST: usize = 256;
    if range.len() > LONGEST {
        return values.decodes(range).then(|| with(b"another"));
    }
    let mut long = Vec::new();
    text::decode(values.copy(range, &mut long)).map(|name| with(name.as_bytes()))
}

/// Return whether a value is a string that equals `text` when decoded.
pub(crate) fn spells<V: Values + ?Sized>(values: &V, value: Range<usize>, text: &[u8]) -> bool {
    inside(values, value).and_then(|range| named(values, range, |name| name == text)).unwrap_or(false)
}

/// Return the text of a value, if it is a string.
pub(crate) fn string<V: Values + ?Sized>(values: &V, value: Range<usize>) -> Option<String> {
    let mut scratch = Vec::new();
    let raw = values.copy(inside(values, value)?, &mut scratch);
    text::decode(raw).map(|text| text.into_owned())
}

/// Decode a range between two quotes piece by piece, until `take` returns true.
pub(crate) fn decode_pieces<V: Values + ?Sized>(
    values: &V,
    range: Range<usize>,
    scratch: &mut Vec<u8>,
    mut take: impl FnMut(&str) -> bool,
) {
    /// The pieces of a long text grow to this size.
    const LARGEST: usize = 64 * 1024;
    let (mut at, mut kept) = (range.start, range.start);
    let mut size = V::PIECE;
    while at < range.end {
        let piece = values.copy(at..range.end.min(at.saturating_add(size)), scratch);
        let whole = at + piece.len() == range.end;
        let cut = if whole { piece.len() } else { text::whole_characters(piece) };
        let Some(text) = text::decode(&piece[..cut]) else { return };
        if take(&text) {
            return;
        }
        at += cut;
        if at - kept > STRIDE {
            if !values.passed(kept..at) {
                return;
            }
            kept = at;
        }
        size = size.max(LARGEST.min(size.saturating_mul(2)));
    }
}

fn begin<V: Values + ?Sized>(values: &V, at: usize, bracket: u8) -> Option<usize> {
    (values.byte(at)? == bracket).then(|| skip_space(values, at + 1))
}

#[inline(always)]
pub(crate) fn skip_space<V: Values + ?Sized>(values: &V, mut at: usize) -> usize {
    while matches!(values.byte(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// Return the range of the value that begins at a position.
#[inline(always)]
pub(crate) fn value<V: Values + ?Sized>(values: &V, start: usize) -> Option<Range<usize>> {
    let end = match values.byte(start)? {
        b'"' | b'{' | b'[' => values.end(start)?,
        _ => {
            let mut end = start;
            while values
                .byte(end)
                .is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b':') && byte > b' ')
            {
                end += 1;
            }
            end
        }
    };
    (end > start).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements() {
        let raw = &br#"{ "a" : [1,{"b":"]\""}] ,"c":null,"a":"x"}"#[..];
        let mut seen = Vec::new();
        members(raw, 0, |key, value| {
            seen.push((
                String::from_utf8_lossy(key).into_owned(),
                String::from_utf8_lossy(&raw[value]).into_owned(),
            ));
        })
        .unwrap();
        assert_eq!(
            seen,
            [("a", r#"[1,{"b":"]\""}]"#), ("c", "null"), ("a", "\"x\"")].map(|(k, v)| (k.into(), v.into()))
        );

        let mut count = 0;
        elements(&br#"[1, "[", {}]"#[..], 0, |_| count += 1).unwrap();
        assert_eq!(count, 3);
        for broken in [&b"{\"a\" 1}"[..], b"{\"a\":}", b"{,}", b"[1 2]", b"[", b"{\"a\":1", b"1"] {
            assert!(members(broken, 0, |_, _| ()).is_none() && elements(broken, 0, |_| ()).is_none());
        }
    }
}
