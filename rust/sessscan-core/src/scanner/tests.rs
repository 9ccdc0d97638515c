use super::*;
use crate::record::Key;
use proptest::prelude::*;

/// The line, the offset and the values of a record.
type RecordOutput = (u64, u64, Vec<(Key, Vec<u8>)>);

/// All that a scan finds.
#[derive(Debug, Default, PartialEq)]
struct ScanOutput {
    lines: u64,
    records: Vec<RecordOutput>,
    defects: Vec<Defect>,
}

impl Sink for ScanOutput {
    fn line(&mut self) {
        self.lines += 1;
    }

    fn record(&mut self, record: &Record, line: u64, offset: u64) {
        let values = Key::ALL.into_iter().filter_map(|key| {
            let mut value = Vec::new();
            record.view().copy(record.range(key)?, &mut value);
            assert!(
                !record.is_plain(key) || (value[0] == b'"' && !value.contains(&b'\\')),
                "plain, but {value:?}"
            );
            Some((key, value))
        });
        self.records.push((line, offset, values.collect()));
    }

    fn defect(&mut self, defect: Defect) {
        self.defects.push(defect);
    }
}

fn output(mut scanner: Scanner, data: &[u8], chunk: usize) -> ScanOutput {
    let mut output = ScanOutput::default();
    data.chunks(chunk.max(1)).for_each(|chunk| scanner.feed(chunk, &mut output, &CancelToken::never()));
    assert_eq!(scanner.finish(&mut output, &CancelToken::never()).offset, data.len() as u64);
    output
}

/// Scan the data in one piece, byte by byte, so that no NULs are left out of the buffer.
fn output_in_one_piece(data: &[u8]) -> ScanOutput {
    let mut output = ScanOutput::default();
    let mut scanner = Scanner::slow(Strictness::Structure);
    let mut buffer = Buffer::new();
    buffer.append(data);
    let read = scanner.read_region(buffer.region(), 0, &mut output, &CancelToken::never());
    scanner.refill(Encoding::Utf8, &data[read..], Vec::new());
    scanner.finish(&mut output, &CancelToken::never());
    output
}

/// Scan the data in windows, each with the following data behind its end.
fn output_in_windows(mut scanner: Scanner, data: &[u8], window: usize) -> ScanOutput {
    let mut output = ScanOutput::default();
    let mut buffer = Buffer::new();
    buffer.append(data);
    // Enough that the fast reader can load blocks up to the data's end.
    buffer.append(&[b' '; 1024]);
    let whole = buffer.region();
    let mut at = 0;
    for end in (window..data.len()).step_by(window).chain([data.len()]) {
        // SAFETY: the part begins where `whole` begins, so it is aligned and has the same readable bytes;
        // `buffer` outlives it.
        let part = unsafe { Region::new(whole.view().part(0..end), whole.readable()) };
        at += scanner.read_region(part, at, &mut output, &CancelToken::never());
    }
    scanner.refill(Encoding::Utf8, &data[at..], Vec::new());
    scanner.finish(&mut output, &CancelToken::never());
    output
}

fn check(data: &[u8], chunk: usize) {
    let slow = output(Scanner::slow(Strictness::Structure), data, data.len());
    for isa in Isa::available() {
        let windows = output_in_windows(Scanner::new(Strictness::Structure, isa), data, chunk);
        assert_eq!(windows, output_in_one_piece(data), "{isa:?}, windows of {chunk}");
        for chunk in [chunk, data.len()] {
            let fast = output(Scanner::new(Strictness::Structure, isa), data, chunk);
            assert_eq!(fast, slow, "{isa:?}, in pieces of {chunk}: {:?}", String::from_utf8_lossy(data));
        }
    }
}

/// Generate lines as they are written, lines with everything that is hard for a reader, and damage.
fn transcript() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        4 => prop::sample::select(vec![
            "", "a", "{", "}]", "\\\"", "\\\\", "\\n", "é", "\u{2028}", "\\ud83d", "x\\u0041",
            ", \\\"type\\\":1",
        ])
        .prop_map(str::to_owned),
        1 => (0..300_usize)
            .prop_map(|length| "lorem ipsum ".repeat(length / 12 + 1)[..length].to_owned()),
        1 => (0..140_usize).prop_map(|length| "\\\\".repeat(length)),
        1 => (0..140_usize).prop_map(|length| "é".repeat(length)),
    ];
    let string = prop::collection::vec(text, 0..6).prop_map(|texts| format!("\"{}\"", texts.concat()));
    let scalar = prop::sample::select(vec![
        "1",
        "-0.5e+10",
        "0",
        "null",
        "true",
        "false",
        "12345678901234567890123456789012345",
        "01",
        "nul",
        "1.",
        "",
    ]);
    let value = prop_oneof![string.clone(), string, scalar.prop_map(str::to_owned)].prop_recursive(
        6,
        40,
        6,
        |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6)
                    .prop_map(|values| format!("[{}]", values.join(","))),
                prop::collection::vec((any_key(), inner), 0..6).prop_map(|members| object(&members)),
                (0..70_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
            ]
        },
    );
    let record = prop::collection::vec((any_key(), value), 0..9).prop_map(|members| object(&members));
    let end =
        prop::sample::select(vec!["\n", "\n", "\n", "\n", "\r\n", "\n\n", "", " \n", "\0\n", "\n\0\0\n"]);
    let lines = prop::collection::vec((record, end).prop_map(|(record, end)| record + end), 0..8);
    // Members that repeat in each line are read in another way.
    let times = prop_oneof![2 => Just(1), 1 => 2..7_usize];
    (lines, times).prop_map(|(lines, times)| lines.concat().repeat(times).into_bytes())
}

fn any_key() -> impl Strategy<Value = String> {
    let known = Key::ALL.map(|key| key.name().to_owned()).to_vec();
    prop_oneof![
        6 => prop::sample::select(known),
        1 => prop::sample::select(vec![
            "", "userType", "t\\u0079pe", "é", "a key that is far longer than those that are remembered",
            "typ", "types",
        ])
        .prop_map(str::to_owned),
    ]
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 20_000 }))]

    #[test]
    fn fast_and_bytewise_scans_agree(data in transcript(), chunk in 1..400_usize) {
        check(&data, chunk);
    }

    #[test]
    fn fast_and_bytewise_scans_agree_on_damage(
        mut data in transcript(),
        hits in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                prop::sample::select(b"\"\\{}[],: \r\n\0\x01\t1tn\x80\xff\xe2a".to_vec()),
                0..3_u8,
            ),
            1..5,
        ),
        chunk in 1..400_usize,
    ) {
        for (at, byte, change) in hits {
            if data.is_empty() { break }
            let at = at.index(data.len());
            match change {
                0 => data[at] = byte,
                1 => data.insert(at, byte),
                _ => drop(data.remove(at)),
            }
        }
        check(&data, chunk);
    }
}

#[test]
fn long_runs_of_nul_take_no_memory() {
    const MANY: usize = 5 * CHUNK / 2;
    let nuls = vec![0; MANY];
    for (before, after) in [
        (&b""[..], &b""[..]),
        (b"", b"\n{}\n"),
        (b"{}", b"{}\r\n{}\n"),
        (b"\xef\xbb\xbf{\"a\":\"\xff\"} ", b" x{\"type\":1}\n{}"),
        (b"{}\n\0{\"a\":\"", b"\"}\n{}\n"),
        (b"{}\r\n", b"\r\n{}\n"),
    ] {
        let data = [b"{}\n", before, &nuls, b" ", &nuls, after].concat();
        for data in [&data[..], &data[3..]] {
            let fed = output(Scanner::new(Strictness::Structure, Isa::chosen()), data, data.len());
            assert_eq!(fed, output_in_one_piece(data));
        }
        let mut scanner = Scanner::new(Strictness::Structure, Isa::chosen());
        scanner.feed(&data, &mut ScanOutput::default(), &CancelToken::never());
        assert!(scanner.buffer.bytes().len() < MANY);
    }
}

#[test]
fn fast_and_bytewise_scans_agree_on_all_short_values() {
    const BYTES: &[u8] = b"\"\\{}[],:1 \x01\xc3";
    let length = if cfg!(debug_assertions) { 4 } else { 5 };
    let mut lines = Vec::new();
    for number in 0..BYTES.len().pow(length) {
        // The lines have different lengths, so that values begin at every alignment.
        lines.extend_from_slice(b"{\"cwd\":[\"");
        let mut rest = number;
        for _ in 0..length {
            lines.push(BYTES[rest % BYTES.len()]);
            rest /= BYTES.len();
        }
        lines.extend_from_slice(b"\"],\"type\":\"x\"}\n");
        if number % 7 == 0 {
            lines.extend_from_slice(b"{\"a\":0}\n");
        }
        if lines.len() > 100_000 {
            check(&lines, 77_777);
            lines.clear();
        }
    }
    check(&lines, 7);
}
