//! How a registry row reads.

use crate::is_json;

/// Whether bytes are the beginning of a JSON document, or one: what makes it whole is found by trying.
pub fn can_be_completed(prefix: &[u8]) -> bool {
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
