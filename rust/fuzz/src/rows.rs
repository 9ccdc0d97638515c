//! Check how bytes are read as a registry row.

use crate::{is_json, members, object_end};
use sessscan_core::{RowKind, RowState, classify_bytes, prefix_members, row_text};

/// Check the classification of these bytes as a row, and the members of their readable part.
///
/// The kind agrees with `serde_json`, the offset is the first invalid byte, and each prefix has the first
/// members of the whole.
pub fn check(data: &[u8]) {
    for stem in [None, Some(&b"local_1"[..])] {
        check_state(data, stem, classify_bytes(data, stem));
    }
    check_members(data);
}

fn check_state(data: &[u8], stem: Option<&[u8]>, state: RowState) {
    assert_eq!(state.size, data.len() as u64);
    let (from, to) = (state.offset as usize, (state.offset + state.length) as usize);
    assert!(to <= data.len());
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    match state.kind {
        RowKind::Empty => assert!(data.is_empty()),
        RowKind::ZeroFilled => assert!(!data.is_empty() && zero(data)),
        RowKind::Bom => assert!(data.starts_with(b"\xef\xbb\xbf")),
        RowKind::Utf16 => {
            let marked = data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff");
            let every_second =
                |first: usize| data.len() >= 16 && (0..16).all(|at| (data[at] == 0) == (at % 2 == first));
            assert!(marked || every_second(0) || every_second(1));
            assert!(std::str::from_utf8(&row_text(data)).is_ok());
            assert_eq!((from, to), (0, data.len()));
        }
        RowKind::Ok | RowKind::IdMismatch => {
            assert!(is_json(data));
            if let Some(members) = members(data) {
                let is = |key: &str, of: fn(u8) -> bool| {
                    let value = members.iter().rfind(|(name, _)| name == key).map(|(_, value)| value);
                    value.is_some_and(|value| of(value.as_bytes()[0]))
                };
                assert!(is("sessionId", |byte| byte == b'"'));
                assert!(is("createdAt", |byte| byte == b'-' || byte.is_ascii_digit()));
                assert!(is("lastActivityAt", |byte| byte == b'-' || byte.is_ascii_digit()));
                let (_, id) = members.iter().rfind(|(name, _)| name == "sessionId").expect("it is there");
                let id: Option<String> = serde_json::from_str(id).ok();
                if let (Some(id), Some(stem)) = (id, stem) {
                    assert_eq!(state.kind == RowKind::Ok, id.as_bytes() == stem);
                }
            }
            assert!(state.kind == RowKind::Ok || stem.is_some());
        }
        RowKind::NotARow => assert!(is_json(data)),
        RowKind::Truncated => {
            assert!(!is_json(data));
            assert!(from > 0 && to == data.len() && zero(&data[from..]));
            assert!(can_be_completed(&data[..from]), "no document begins with the first {from} bytes");
        }
        RowKind::NotJson => {
            assert!(!is_json(data) && to == data.len() && from < to);
            assert!(can_be_completed(&data[..from]), "no document begins with the first {from} bytes");
            assert!(from == 0 || !zero(&data[from..]));
            // This holds for a complete document with something after it too: the document ends at `from`.
            assert!(!can_be_completed(&data[..=from]), "a document begins with the byte at {from} too");
        }
        RowKind::Linked | RowKind::Oversize => panic!("impossible for bytes of this length: {state:?}"),
    }
    if is_json(data) {
        assert!(matches!(state.kind, RowKind::Ok | RowKind::IdMismatch | RowKind::NotARow));
    }
}

fn check_members(data: &[u8]) {
    let found = prefix_members(data);
    for (key, value) in &found {
        assert!(key.starts_with(b"\"") && is_json(key), "no key: {:?}", String::from_utf8_lossy(key));
        assert!(is_json(value), "no value: {:?}", String::from_utf8_lossy(value));
    }
    let document = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let blank = document.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    if let Some(end) = object_end(document, blank)
        && let Some(members) = members(&document[blank..end])
    {
        let values = found.iter().map(|(_, value)| *value);
        assert!(values.eq(members.iter().map(|(_, value)| value.as_bytes())));
        let keys = found.iter().map(|(key, _)| serde_json::from_slice::<String>(key).expect("a key"));
        assert!(keys.eq(members.iter().map(|(key, _)| key.clone())));
    }
    // A prefix has the first of the same members.
    let cut = data.iter().fold(data.len(), |sum, byte| sum.wrapping_mul(31) ^ usize::from(*byte))
        % (data.len() + 1);
    let fewer = prefix_members(&data[..cut]);
    assert!(fewer.len() <= found.len() && fewer == found[..fewer.len()], "cut at {cut}");
}

/// Return whether bytes are a JSON document or its beginning, by trying endings that complete it.
fn can_be_completed(prefix: &[u8]) -> bool {
    let closers = closers(prefix);
    ENDS.iter().any(|end| {
        let mut document = prefix.to_vec();
        document.extend_from_slice(end);
        document.extend_from_slice(&closers);
        is_json(&document)
    })
}

/// Endings that may be missing where a document was cut, before the closing brackets.
#[rustfmt::skip]
const ENDS: [&[u8]; 25] = [
    b"", b"0",                                             // nothing; a value or digit
    b"\"", b"\":0", b":0", b"\"\":0",                      // the end of a string or key, a value, a member
    b"n\"", b"n\":0",                                      // the end of an escape, in a string or key
    b"0000\"", b"000\"", b"00\"", b"0\"",                  // the end of a \u escape in a string
    b"0000\":0", b"000\":0", b"00\":0", b"0\":0",          // the same in a key
    b"rue", b"ue", b"alse", b"lse", b"se", b"e", b"ull", b"ll", b"l", // the end of a literal
];

/// Return the brackets that close those that are open.
fn closers(prefix: &[u8]) -> Vec<u8> {
    let mut open = Vec::new();
    let mut in_string = false;
    let mut bytes = prefix.iter();
    while let Some(byte) = bytes.next() {
        match (in_string, byte) {
            (_, b'"') => in_string = !in_string,
            (true, b'\\') => drop(bytes.next()),
            (false, b'{') => open.push(b'}'),
            (false, b'[') => open.push(b']'),
            (false, b'}' | b']') => drop(open.pop()),
            _ => {}
        }
    }
    open.reverse();
    open
}
