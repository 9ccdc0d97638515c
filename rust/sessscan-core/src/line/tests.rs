use super::*;
use proptest::prelude::*;
#[cfg(windows)]
use std::sync::LazyLock;
use std::time::Duration;
#[cfg(windows)]
use std::time::Instant;

/// Return the names and ranges of a line's parts.
fn read(content: &[u8], strictness: Strictness) -> Vec<(&'static str, Range<usize>)> {
    let mut items = Vec::new();
    LineReader::new(strictness, KeyNames::Transcript).read(
        View::new(content).into(),
        false,
        |item| match item {
            Item::Record(_, range) => items.push(("record", range)),
            Item::Defect(kind, range) => items.push((kind.name(), range)),
        },
    );
    items
}

fn pieces_of(content: &[u8]) -> Pieces<'_> {
    Line::from(View::new(content)).pieces(Vec::new())
}

/// Find the tail by parsing from each position in turn.
fn tail_position_by_position(content: &[u8], from: usize, strictness: Strictness) -> Option<usize> {
    let mut reader = LineReader::new(strictness, KeyNames::Transcript);
    (from..content.len()).find(|&start| {
        let candidate = &content[start..];
        let mut at = start;
        (candidate.starts_with(br#"{"parentUuid":"#) || candidate.starts_with(br#"{"type":"#))
            && loop {
                let Some((_, end)) = reader.object(&mut pieces_of(content), at) else { break false };
                at = pieces_of(content).skip(end, is_padding);
                if at == content.len() {
                    break true;
                }
            }
    })
}

/// Return the end of the object at the content's start.
fn object_end(content: &[u8], strictness: Strictness) -> Option<usize> {
    LineReader::new(strictness, KeyNames::Transcript).object(&mut pieces_of(content), 0).map(|(_, end)| end)
}

/// Generate lines of the pieces that matter to the automaton, in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{\"type\":",
        "{\"parentUuid\":",
        "{}",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\\"",
        ",",
        ":",
        "1",
        "\"a\"",
        "\"a\":1",
        "null",
        "x",
        " ",
        "\0",
        "\u{1}",
        "\t",
        "é",
        "\\u",
        "-0.5e1",
        "{\"type\":1}",
        "{\"type\":{\"type\":\"{\"}}",
        "text that is longer than what is passed over at a time",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn one_pass_finds_the_same_tail_as_parsing_from_each_position(
        content in pieces(),
        full in any::<bool>(),
    ) {
        let strictness = if full { Strictness::Full } else { Strictness::Structure };
        let expected = tail_position_by_position(&content, 0, strictness);
        prop_assert_eq!(tail(&mut pieces_of(&content), 0, strictness), expected);
    }

    #[test]
    fn full_strictness_takes_what_serde_json_takes(content in pieces()) {
        let ours = object_end(&content, Strictness::Full) == Some(content.len());
        // Lone surrogates, which serde_json refuses, are not among the pieces.
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&content);
        let theirs = content.starts_with(b"{") && parsed.is_ok();
        prop_assert_eq!(ours, theirs && !content.ends_with(b" ") && !content.ends_with(b"\t"));
    }

    #[test]
    fn an_object_in_full_strictness_is_one_in_structure(content in pieces()) {
        if let Some(end) = object_end(&content, Strictness::Full) {
            prop_assert_eq!(object_end(&content, Strictness::Structure), Some(end));
        }
    }
}

/// A line's content, and the names and ranges of its parts.
type Case<'a> = (&'a [u8], &'a [(&'a str, Range<usize>)]);

#[test]
fn the_shapes_of_a_line() {
    let cases: [Case; 10] = [
        (b"", &[]),
        (b" \t\r", &[]),
        (b"\0\0 \0", &[("nul-run", 0..2), ("nul-run", 3..4)]),
        (b"\0{}\0", &[("nul-run", 0..1), ("nul-run", 3..4), ("record", 1..3)]),
        (b"{}{}", &[("record", 0..2), ("record", 2..4), ("glued", 0..4)]),
        (b"{\"a\":1,}", &[("invalid", 0..8)]),
        (b"{} x", &[("record", 0..2), ("invalid", 3..4)]),
        (b"{\"a\":\"b{\"type\":1}", &[("spliced", 0..7), ("record", 7..17)]),
        (b"{\"a\":\xff}", &[("invalid-utf8", 0..7), ("invalid", 0..7)]),
        (b"{\"a\":\"\xff\"}", &[("invalid-utf8", 0..9), ("record", 0..9)]),
    ];
    for (content, items) in cases {
        assert_eq!(read(content, Strictness::Full), items, "{}", String::from_utf8_lossy(content));
        assert_eq!(read(content, Strictness::Structure), items, "{}", String::from_utf8_lossy(content));
    }
}

/// The processor time of this thread, which other processes hardly change.
#[cfg(unix)]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a time since the thread began")
}

#[cfg(windows)]
fn processor_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// Return how many times longer it takes to read a line that is 16 times as long. The shortest of several times
/// counts.
fn growth(line: impl Fn(usize) -> String, strictness: Strictness) -> f64 {
    const COUNT: usize = 10_000;
    const ROUNDS: usize = 40;
    let (small, large) = (line(COUNT), line(16 * COUNT));
    let time = |line: &str| {
        let started = processor_time();
        read(line.as_bytes(), strictness);
        (processor_time() - started).as_secs_f64()
    };
    let (mut small_time, mut large_time) = (f64::MAX, f64::MAX);
    for round in 0..ROUNDS {
        small_time = small_time.min(time(&small));
        large_time = large_time.min(time(&large));
        if round >= 2 && large_time / small_time < MOST_GROWTH {
            break;
        }
    }
    large_time / small_time
}

/// Linear time grows by 16, quadratic time by 256.
const MOST_GROWTH: f64 = 64.0;

#[test]
fn hostile_lines_take_linear_time() {
    let lines: [fn(usize) -> String; 10] = [
        |count| "{\"type\":".repeat(count),
        |count| "{\"type\":".repeat(count) + "1" + &"}".repeat(count),
        |count| "{\"type\":\"".repeat(count),
        |count| "{\"type\":{}\\\"".repeat(count),
        |count| "x{\"type\":[".repeat(count),
        |count| "{".repeat(count),
        |count| "[{\"a\":".repeat(count),
        |count| "\"{\"type\":\\".repeat(count),
        |count| "{\"type\":1}x".repeat(count),
        |count| "{\"type\":1} ".repeat(count) + "x",
    ];
    for (number, line) in lines.iter().enumerate() {
        for strictness in [Strictness::Full, Strictness::Structure] {
            let growth = growth(line, strictness);
            assert!(growth < MOST_GROWTH, "line {number}, {strictness:?}: {growth:.1} times the time");
        }
    }
}
