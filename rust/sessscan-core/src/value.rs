//! Looking into a JSON value whose extent is known: the members of an object, the elements of an array.
//!
//! A value that turns out not to be what its extent promised (possible below depth 1, where
//! [`Strictness::Structure`](crate::Strictness) checks brackets only) reads as absent.

use crate::text;
use std::borrow::Cow;

/// Calls `visit` with the raw key and raw value of each member of an object; None if it is none.
pub(crate) fn members<'a>(raw: &'a [u8], mut visit: impl FnMut(Cow<'a, str>, &'a [u8])) -> Option<()> {
    let mut rest = skip_space(raw.strip_prefix(b"{")?);
    if rest.first() == Some(&b'}') {
        return Some(());
    }
    loop {
        let (key, after) = split_value(rest)?;
        rest = skip_space(skip_space(after).strip_prefix(b":")?);
        let (value, after) = split_value(rest)?;
        visit(string(key)?, value);
        match skip_space(after) {
            [b',', more @ ..] => rest = skip_space(more),
            [b'}', ..] => return Some(()),
            _ => return None,
        }
    }
}

/// Calls `visit` with each raw element of an array; None if it is none.
pub(crate) fn elements<'a>(raw: &'a [u8], mut visit: impl FnMut(&'a [u8])) -> Option<()> {
    let mut rest = skip_space(raw.strip_prefix(b"[")?);
    if rest.first() == Some(&b']') {
        return Some(());
    }
    loop {
        let (value, after) = split_value(rest)?;
        visit(value);
        match skip_space(after) {
            [b',', more @ ..] => rest = skip_space(more),
            [b']', ..] => return Some(()),
            _ => return None,
        }
    }
}

/// The text of a raw value that is a string.
pub(crate) fn string(raw: &[u8]) -> Option<Cow<'_, str>> {
    text::decode(raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?)
}

fn skip_space(raw: &[u8]) -> &[u8] {
    let blank = raw.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    &raw[blank..]
}

/// Splits a value off the front.
fn split_value(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match raw.first()? {
        b'"' => string_length(raw)?,
        b'{' | b'[' => {
            let mut depth = 0_usize;
            let mut at = 0;
            loop {
                match raw.get(at)? {
                    b'"' => at += string_length(&raw[at..])? - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break at;
                }
            }
        }
        _ => {
            raw.iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b':') && **byte > b' ').count()
        }
    };
    (length > 0).then(|| raw.split_at(length))
}

/// The length of the string at the front, its quotes included.
fn string_length(raw: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', raw.get(at..)?)?;
        if raw[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_apart() {
        let mut seen = Vec::new();
        members(br#"{ "a" : [1,{"b":"]\""}] ,"c":null,"a":"x"}"#, |key, value| {
            seen.push((key.into_owned(), String::from_utf8_lossy(value).into_owned()));
        })
        .unwrap();
        assert_eq!(
            seen,
            [("a", r#"[1,{"b":"]\""}]"#), ("c", "null"), ("a", "\"x\"")].map(|(k, v)| (k.into(), v.into()))
        );

        let mut count = 0;
        elements(br#"[1, "[", {}]"#, |_| count += 1).unwrap();
        assert_eq!(count, 3);
        for broken in [&b"{\"a\" 1}"[..], b"{\"a\":}", b"{,}", b"[1 2]", b"[", b"{\"a\":1", b"1"] {
            assert!(members(broken, |_, _| ()).is_none() && elements(broken, |_| ()).is_none());
        }
    }
}
