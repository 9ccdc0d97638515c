//! How a registry row reads.

use crate::{is_json, members, object_end};
use sessscan_core::{RowKind, RowState, classify_bytes, prefix_members};

/// Bytes as a row: the verdict is what `serde_json` says, its place is the first wrong byte, and the members that can be
/// read from what is left are those of the whole.
pub fn hold(data: &[u8]) {
    for stem in [None, Some(&b"local_1"[..])] {
        verdict(data, stem, classify_bytes(data, stem));
    }
    read_what_is_left(data);
}

fn verdict(data: &[u8], stem: Option<&[u8]>, state: RowState) {
    assert_eq!(state.size, data.len() as u64);
    let (from, to) = (state.offset as usize, (state.offset + state.length) as usize);
    assert!(to <= data.len());
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    match state.kind {
        RowKind::Empty => assert!(data.is_empty()),
        RowKind::ZeroFilled => assert!(!data.is_empty() && zero(data)),
        RowKind::Bom => assert!(data.starts_with(b"\xef\xbb\xbf")),
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
            assert!(can_be_completed(&data[..from]), "nothing completes it up to {from}");
        }
        RowKind::NotJson => {
            assert!(!is_json(data) && to == data.len() && from < to);
            assert!(can_be_completed(&data[..from]), "nothing completes it up to {from}");
            assert!(from == 0 || !zero(&data[from..]));
            // A whole document may be followed by what is none: then the document ends here.
            assert!(!can_be_completed(&data[..=from]), "it goes on at {from}");
        }
        RowKind::Linked | RowKind::Oversize => panic!("{state:?} of a few bytes"),
    }
    if is_json(data) {
        assert!(matches!(state.kind, RowKind::Ok | RowKind::IdMismatch | RowKind::NotARow));
    }
}

fn read_what_is_left(data: &[u8]) {
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
    // Cut anywhere, it has the first of the same members.
    let cut = data.iter().fold(data.len(), |sum, byte| sum.wrapping_mul(31) ^ usize::from(*byte))
        % (data.len() + 1);
    let fewer = prefix_members(&data[..cut]);
    assert!(fewer.len() <= found.len() && fewer == found[..fewer.len()], "cut at {cut}");
}

/// Whether bytes are the beginning of a JSON document, or one: what makes it whole is found by trying.
fn can_be_completed(prefix: &[u8]) -> bool {
    let closers = closers(prefix);
    ENDS.iter().any(|end| {
        let mut document = prefix.to_vec();
        document.extend_from_slice(end);
        document.extend_from_slice(&closers);
        is_json(&document)
    })
}

/// What can be missing where a document was cut, before the brackets that are open are closed.
#[rustfmt::skip]
const ENDS: [&[u8]; 25] = [
    b"", b"0",                                             // a value, a digit
    b"\"", b"\":0", b":0", b"\"\":0",                      // a string, a key, what follows one, both
    b"n\"", b"n\":0",                                      // the rest of an escape, of one in a key
    b"0000\"", b"000\"", b"00\"", b"0\"",                  // of a \u
    b"0000\":0", b"000\":0", b"00\":0", b"0\":0",          // of one in a key
    b"rue", b"ue", b"alse", b"lse", b"se", b"e", b"ull", b"ll", b"l", // of a literal
];

/// The brackets that close what is open.
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
