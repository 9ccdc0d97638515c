//! Decode JSON strings as the CLI's own reader does, and fold white space as Python does.

use std::borrow::Cow;

/// Decode what is between the quotes of a JSON string.
///
/// Bytes that are not UTF-8, and lone surrogate escapes, become U+FFFD. None if an escape is not one of
/// JSON's.
pub(crate) fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    let Some(first) = memchr::memchr(b'\\', raw) else {
        return Some(lossy(raw));
    };
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut next = Some(first);
    while let Some(at) = next {
        out.push_str(&lossy(&rest[..at]));
        rest = escape(&rest[at + 1..], &mut out)?;
        next = memchr::memchr(b'\\', rest);
    }
    out.push_str(&lossy(rest));
    Some(Cow::Owned(out))
}

fn lossy(raw: &[u8]) -> Cow<'_, str> {
    match simdutf8::basic::from_utf8(raw) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(raw),
    }
}

/// Decode the escape at the start of `rest`, which follows its backslash. Return what is behind it.
fn escape<'a>(rest: &'a [u8], out: &mut String) -> Option<&'a [u8]> {
    let (&kind, mut rest) = rest.split_first()?;
    out.push(match kind {
        b'"' | b'\\' | b'/' => kind as char,
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = hex(rest)?;
            rest = &rest[4..];
            match unit {
                0xd800..0xdc00 => match low_surrogate(rest) {
                    Some(low) => {
                        rest = &rest[6..];
                        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?
                    }
                    None => char::REPLACEMENT_CHARACTER,
                },
                _ => char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
            }
        }
        _ => return None,
    });
    Some(rest)
}

/// Return the code unit of a low surrogate's escape at the start of `rest`.
fn low_surrogate(rest: &[u8]) -> Option<u32> {
    let unit = hex(rest.strip_prefix(b"\\u")?)?;
    (0xdc00..0xe000).contains(&unit).then_some(unit)
}

fn hex(rest: &[u8]) -> Option<u32> {
    rest.get(..4)?.iter().try_fold(0, |unit, &digit| Some(unit << 4 | (digit as char).to_digit(16)?))
}

/// Return how many bytes from the start, which is inside a string, are text and escapes of two characters.
pub(crate) fn plain(raw: &[u8]) -> usize {
    let stops = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Without a branch for each byte, so that the compiler can use vector instructions.
    let free = |chunk: &&[u8; 32]| !chunk.iter().fold(false, |any, byte| any | stops(*byte));
    let mut at = 0;
    loop {
        at += 32 * raw[at..].as_chunks().0.iter().take_while(free).count();
        at += raw[at..].iter().take_while(|byte| !stops(**byte)).count();
        match raw[at..] {
            [b'\\', kind, ..] if is_short_escape(kind) => at += 2,
            _ => return at,
        }
    }
}

/// Return whether a backslash and this byte are an escape.
fn is_short_escape(kind: u8) -> bool {
    matches!(kind, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
}

/// Return how many bytes of a string's content come before the first escape that is wrong or cut off.
pub(crate) fn decodable(raw: &[u8]) -> usize {
    let mut after = 0;
    for at in memchr::memchr_iter(b'\\', raw) {
        if at < after {
            continue;
        }
        after = match raw[at + 1..] {
            [kind, ..] if is_short_escape(kind) => at + 2,
            [b'u', ref rest @ ..] if hex(rest).is_some() => at + 6,
            _ => return at,
        };
    }
    raw.len()
}

/// Return whether Python's `str.split` takes a character for white space: Unicode's, and the four separators
/// U+001C to U+001F.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Return how many bytes come before a character, an escape or a pair of escapes that may be cut off at the
/// end; all of them if that would be none.
///
/// What is before and behind this place decodes to what both decode to together, also where the bytes are not
/// UTF-8.
pub(crate) fn whole_characters(raw: &[u8]) -> usize {
    let mut after = 0;
    for at in memchr::memchr_iter(b'\\', raw) {
        if at < after {
            continue;
        }
        let rest = &raw[at..];
        let length = match rest {
            [_, b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..] => 12,
            [_, b'u', ..] => 6,
            _ => 2,
        };
        if length > rest.len() {
            return if at == 0 { raw.len() } else { at };
        }
        // What looks like the first of a pair may stand alone.
        let alone = length == 12 && low_surrogate(&rest[6..]).is_none();
        after = at + if alone { 6 } else { length };
    }
    // A byte that continues no character begins one, or stands alone, as does the fourth of those that do.
    let tail = raw[after..].iter().rev().take(4).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let begin = raw.len() - tail.min(3);
    match raw[after..begin].last() {
        Some(0xc0..) if tail < 4 && begin - 1 > 0 => begin - 1,
        _ => raw.len(),
    }
}

/// Text with each run of white space folded to one blank and none at its ends, cut to a number of characters.
#[derive(Clone)]
pub(crate) struct Folded {
    text: String,
    /// How many characters still fit.
    room: usize,
    /// White space was read behind the text.
    gap: bool,
}

impl Folded {
    pub(crate) fn new(room: usize) -> Folded {
        Folded { text: String::new(), room, gap: false }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.room == 0
    }

    pub(crate) fn push(&mut self, text: &str) {
        for c in text.chars() {
            if self.room == 0 {
                return;
            }
            if is_space(c) {
                self.gap = !self.text.is_empty();
                continue;
            }
            if std::mem::take(&mut self.gap) {
                self.text.push(' ');
                self.room -= 1;
            }
            if self.room > 0 {
                self.text.push(c);
                self.room -= 1;
            }
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_handles_escapes_and_wrong_bytes() {
        assert_eq!(decode(br#"a\n\"\\\/\u0041\ud83d\ude00"#).unwrap(), "a\n\"\\/A😀");
        assert_eq!(decode(br"\ud83d!\ude00\ud83d\u0041").unwrap(), "\u{fffd}!\u{fffd}\u{fffd}A");
        assert_eq!(decode(b"\xff\xe2\x82").unwrap(), "\u{fffd}\u{fffd}");
        for wrong in [&br"\q"[..], br"\u12", br"\u12g4", br"\"] {
            assert_eq!(decode(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn plain_and_decodable_stop_at_the_first_other_byte() {
        for length in 0..100 {
            for at in 0..length {
                for byte in 0..=0xff {
                    let mut raw = vec![b'x'; length];
                    raw[at] = byte;
                    let stops = byte < 0x20 || byte == b'"' || byte == b'\\';
                    assert_eq!(plain(&raw), if stops { at } else { length });
                    if at > 0 {
                        raw[at - 1] = b'\\';
                        let escape = b"\"\\/bfnrt".contains(&byte);
                        assert_eq!(plain(&raw), if escape { length } else { at - 1 });
                        assert_eq!(decodable(&raw), if escape { length } else { at - 1 });
                    }
                }
            }
        }
        let cases: [(&[u8], usize, usize); 6] = [
            (br"a\\\n", 5, 5),
            (br"a\\\", 3, 3),
            (br"\\\\\q", 4, 4),
            (br"a\\\u00e9\", 3, 9),
            (br"\u00eg\u00e9", 0, 0),
            (br"\n\u12", 2, 2),
        ];
        for (raw, plain_bytes, decodable_bytes) in cases {
            assert_eq!(
                (plain(raw), decodable(raw)),
                (plain_bytes, decodable_bytes),
                "{}",
                String::from_utf8_lossy(raw)
            );
        }
    }

    #[test]
    fn white_space_is_folded_and_the_text_cut() {
        let fold = |text: &str, room| {
            let mut folded = Folded::new(room);
            text.split_inclusive(' ').for_each(|piece| folded.push(piece));
            folded.into_text()
        };
        assert_eq!(fold(" a \n\u{1c}b\u{a0}c ", 200), "a b c");
        assert_eq!(fold("ab cd", 3), "ab ");
        assert_eq!(fold("ab cd", 2), "ab");
        assert_eq!(fold("", 2), "");
    }

    #[test]
    fn whole_characters_cuts_between_characters_and_escapes() {
        let raw = "aé\u{20ac}😀\\n\\\\\\u00e9\\ud83d\\ude00\\ud83dx\\ude00".as_bytes();
        let wrong = b"\x80\x80\xf0\x9f\x98\xf0\x9f\x98\x80\x80\x80\x80\x80\x80\xe2\xe2\x82\xac\xac\xffa\xc3\\n\xe2\x82\\u00e9\xf0";
        for raw in [raw, wrong] {
            let whole = decode(raw).unwrap();
            for length in 12..raw.len() {
                let cut = whole_characters(&raw[..length]);
                let parts = [decode(&raw[..cut]).unwrap(), decode(&raw[cut..]).unwrap()];
                assert_eq!(parts.concat(), whole, "{length}");
            }
        }
    }
}
