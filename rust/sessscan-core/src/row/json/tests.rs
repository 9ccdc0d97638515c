use super::{End, walk};
use proptest::prelude::*;
use serde::de::IgnoredAny;

fn end(data: &[u8]) -> End {
    walk(data, |_| ())
}

/// Ask serde_json whether the bytes are JSON (true), neither JSON nor its beginning (false), or a beginning
/// (None).
///
/// It checks escapes and numbers, but neither surrogates nor UTF-8.
fn oracle(data: &[u8]) -> Option<bool> {
    let error = match serde_json::from_slice::<IgnoredAny>(data) {
        Ok(_) => return Some(true),
        Err(error) => error,
    };
    // serde_json does not check the digits of an escape that is cut off, and takes a number that is cut off
    // for an invalid one. So both are completed and parsed again.
    let backslashes = |data: &[u8]| data.iter().rev().take_while(|&&byte| byte == b'\\').count();
    let in_escape = (data.len().saturating_sub(5)..data.len())
        .any(|at| data[at] == b'u' && backslashes(&data[..at]) % 2 == 1);
    let in_number = matches!(data.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E'));
    let wrong = match error.is_eof() {
        true => in_escape && refused([data, b"0000"].concat()),
        false => !in_number || refused([data, b"0"].concat()),
    };
    wrong.then_some(false)
}

fn refused(data: Vec<u8>) -> bool {
    serde_json::from_slice::<IgnoredAny>(&data).is_err_and(|error| !error.is_eof())
}

fn agree(data: &[u8]) -> Result<(), String> {
    let mine = match end(data) {
        End::Whole { .. } => Some(true),
        End::Incomplete => None,
        End::Invalid(_) | End::Trailing { .. } => Some(false),
    };
    if mine == oracle(data) { Ok(()) } else { Err(format!("{}: {:?}", data.escape_ascii(), end(data))) }
}

/// Return whether the bytes before the reported offset can begin a document, and with the byte at it cannot.
fn the_first_invalid_byte_is_reported(data: &[u8]) -> bool {
    match end(data) {
        End::Invalid(at) => end(&data[..at]) == End::Incomplete && end(&data[..=at]) == End::Invalid(at),
        End::Trailing { at, .. } => matches!(end(&data[..at]), End::Whole { .. }),
        _ => true,
    }
}

fn json() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[ -~äλ😀\u{2028}]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        r#"(\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|[a-z]){0,6}"#.prop_map(|text| format!("\"{text}\"")),
    ];
    let number = r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?";
    let leaf = prop_oneof![string.clone(), number, "true|false|null"];
    let blank = "[ \n\r\t]{0,2}";
    leaf.prop_recursive(4, 24, 5, move |inner| {
        let object =
            prop::collection::vec((string.clone(), blank, inner.clone()), 0..5).prop_map(|members| {
                let members: Vec<_> =
                    members.into_iter().map(|(key, b, value)| format!("{key}:{b}{value}{b}")).collect();
                format!("{{{}}}", members.join(","))
            });
        let array = prop::collection::vec((inner, blank), 0..5).prop_map(|items| {
            let items: Vec<_> = items.into_iter().map(|(item, b)| format!("{item}{b}")).collect();
            format!("[{}]", items.join(","))
        });
        prop_oneof![object, array]
    })
}

proptest! {
    #[test]
    fn whole_documents_are_accepted(text in json()) {
        prop_assert!(matches!(end(text.as_bytes()), End::Whole { .. }), "{}", text);
        prop_assert_eq!(oracle(text.as_bytes()), Some(true));
    }

    #[test]
    fn every_proper_prefix_of_a_container_is_cut(text in json()) {
        let text = format!("{{\"k\":{text}}}");
        for length in 0..text.len() {
            prop_assert_eq!(end(&text.as_bytes()[..length]), End::Incomplete, "{} of {}", length, text);
        }
    }

    #[test]
    fn agrees_with_serde_json_on_damage(
        text in json(),
        at: prop::sample::Index,
        byte in damage(),
        cut: prop::sample::Index,
    ) {
        let mut data = text.into_bytes();
        let at = at.index(data.len());
        data[at] = byte;
        data.truncate(1 + cut.index(data.len()));
        prop_assert_eq!(agree(&data), Ok(()));
        prop_assert!(the_first_invalid_byte_is_reported(&data), "{}", data.escape_ascii());
    }

    #[test]
    fn members_are_those_of_serde_json(text in json()) {
        let text = format!(" {{\"k\" : {text} ,\"\\u006b2\":[{{\"k\":1}}], \"k3\":12}}");
        let mut members = Vec::new();
        walk(text.as_bytes(), |member| members.push((&text[member.key], &text[member.value])));
        let expected =
            [("\"k\"", value_of(&text)), ("\"\\u006b2\"", "[{\"k\":1}]"), ("\"k3\"", "12")];
        prop_assert_eq!(members, expected);
    }
}

fn value_of(text: &str) -> &str {
    let rest = text.split_once(": ").unwrap().1;
    rest.rsplit_once(" ,\"\\u006b2\"").unwrap().0.trim_end()
}

fn damage() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(&b"{}[]\":,\\u0-.eE \n\0tfn\x1f\x7f\xff"[..]), any::<u8>()]
}

#[test]
fn agrees_with_serde_json_on_every_short_document() {
    let alphabet = br#"{}[]":,\u0-.e1 t"#;
    let mut documents = 0;
    let mut left: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(document) = left.pop() {
        documents += 1;
        if !document.is_empty() {
            agree(&document).unwrap();
            assert!(the_first_invalid_byte_is_reported(&document), "{}", document.escape_ascii());
        }
        // No longer document that begins with invalid bytes is valid.
        if document.len() < 5 && !matches!(end(&document), End::Invalid(_)) {
            left.extend(alphabet.iter().map(|&byte| [&document[..], &[byte]].concat()));
        }
    }
    assert!(documents > 30_000, "only {documents} documents");
}

#[test]
fn the_offset_of_the_first_invalid_byte() {
    for (data, expected) in [
        (&b"{\"a\":tru}"[..], End::Invalid(8)),
        (b"{\"a\":01}", End::Invalid(6)),
        (b"{\"a\":1.}", End::Invalid(7)),
        (b"{\"a\" 1}", End::Invalid(5)),
        (b"{a", End::Invalid(1)),
        (b"{,", End::Invalid(1)),
        (b"{\"a\":1,}", End::Invalid(7)),
        (b"[1,]", End::Invalid(3)),
        (b"[}", End::Invalid(1)),
        (b"\"\\x\"", End::Invalid(2)),
        (b"\"\\u12g4\"", End::Invalid(5)),
        (b"\"a\nb\"", End::Invalid(2)),
        (b"\"12345678\x1f", End::Invalid(9)),
        (b"{} {}", End::Trailing { at: 3, object: true }),
        (b"1x", End::Trailing { at: 1, object: false }),
        (b"\xef\xbb\xbf{}", End::Invalid(0)),
        (b"NaN", End::Invalid(0)),
        (b"  ", End::Incomplete),
        (b"\"\xff\xc3\x7f\"", End::Whole { object: false }),
        (b"\"\\ud800\"", End::Whole { object: false }),
        (b"1e999", End::Whole { object: false }),
        (b" {}\r\n", End::Whole { object: true }),
    ] {
        assert_eq!(end(data), expected, "{}", data.escape_ascii());
    }
}

#[test]
fn a_number_is_complete_only_when_something_follows() {
    let members = |data: &[u8]| {
        let mut values = Vec::new();
        walk(data, |member| values.push((member.value.start, member.value.end)));
        values
    };
    assert_eq!(members(b"{\"a\":12"), []);
    assert_eq!(members(b"{\"a\":12\0\0"), []);
    assert_eq!(members(b"{\"a\":12 "), [(5, 7)]);
    assert_eq!(members(b"{\"a\":12,"), [(5, 7)]);
    assert_eq!(members(b"{\"a\":true"), [(5, 9)]);
    assert_eq!(members(b"{\"a\":tru"), []);
    assert_eq!(members(b"[{\"a\":1}]"), []);
}

#[test]
fn a_million_levels_of_nesting() {
    let depth = 1_000_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let (open, close) = (open.repeat(depth), close.repeat(depth));
        assert_eq!(end(open.as_bytes()), End::Incomplete);
        let whole = format!("{open}1{close}");
        assert!(matches!(end(whole.as_bytes()), End::Whole { .. }));
        assert!(matches!(end(format!("{whole}]").as_bytes()), End::Trailing { .. }));
    }
    // Each level must be closed by its own kind of bracket, across the 64-bit words of `Brackets` too.
    for depth in 1..300 {
        let mixed: String = (0..depth).map(|level| if level % 3 == 0 { "{\"a\":" } else { "[" }).collect();
        let closing: String = (0..depth).rev().map(|level| if level % 3 == 0 { '}' } else { ']' }).collect();
        assert!(matches!(end(format!("{mixed}0{closing}").as_bytes()), End::Whole { .. }));
        let wrong = closing.replacen('}', "]", 1);
        assert!(matches!(end(format!("{mixed}0{wrong}").as_bytes()), End::Invalid(_)));
    }
}
