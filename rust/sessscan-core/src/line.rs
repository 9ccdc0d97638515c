//! Find the records of a line, and what is wrong with it.
//!
//! This reads a line byte by byte, with the automaton of [`crate::grammar`], and defines what a line holds.
//! It is used for every line that the fast reader cannot prove plain.

use crate::bytes::{STRIDE, View};
use crate::cancel::CancelToken;
use crate::grammar::{Machine, Step, Strictness};
use crate::record::{Key, Record};
use crate::text;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::Range;

/// What is wrong with bytes of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DefectKind {
    /// Several whole objects on one line, without newlines between them.
    Glued,
    /// No whole object, and none behind it that ends the line.
    Invalid,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A maximal run of NUL bytes.
    NulRun,
    /// The bytes between the whole objects at a line's head and those at its tail, such as a cut record.
    Spliced,
    /// The rest of the last line, which has no LF: it was cut, or is still being written.
    Torn,
    /// The whole file is in UTF-16. Its records are read, and it has no other defect.
    Utf16,
}

impl DefectKind {
    /// Return its name in output.
    pub fn name(self) -> &'static str {
        match self {
            DefectKind::Glued => "glued",
            DefectKind::Invalid => "invalid",
            DefectKind::InvalidUtf8 => "invalid-utf8",
            DefectKind::NulRun => "nul-run",
            DefectKind::Spliced => "spliced",
            DefectKind::Torn => "torn",
            DefectKind::Utf16 => "utf-16",
        }
    }
}

/// A part of a line, with its range in the line's content.
#[expect(clippy::large_enum_variant, reason = "it is handed over once, and most are records")]
pub(crate) enum Item<'a> {
    Record(Record<'a>, Range<usize>),
    Defect(DefectKind, Range<usize>),
}

/// Return whether a byte counts for nothing before, between and behind a line's objects.
pub(crate) fn is_padding(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\r')
}

/// A reader of lines, which reuses its memory.
pub(crate) struct LineReader {
    strictness: Strictness,
    machine: Machine,
}

impl LineReader {
    pub(crate) fn new(strictness: Strictness) -> LineReader {
        LineReader { strictness, machine: Machine::new(strictness) }
    }

    pub(crate) fn strictness(&self) -> Strictness {
        self.strictness
    }

    /// Read a line's content, without its LF, a CR before that, and a BOM at the file's start. Call `sink`
    /// with its parts.
    ///
    /// `open_ended` says that this is the file's last line and has no LF. Blank lines have no parts but NUL
    /// runs. Once `token` is cancelled, the parts are not to be used.
    pub(crate) fn read<'a>(
        &mut self,
        content: &'a [u8],
        open_ended: bool,
        token: &CancelToken,
        mut sink: impl FnMut(Item<'a>),
    ) {
        nul_runs(content, |range| sink(Item::Defect(DefectKind::NulRun, range)));
        let mut at = skip_padding(content, 0);
        if at == content.len() {
            return;
        }
        if simdutf8::basic::from_utf8(content).is_err() {
            sink(Item::Defect(DefectKind::InvalidUtf8, 0..content.len()));
        }
        let mut objects = 0;
        while let Some((record, end)) = self.object(content, at, token) {
            sink(Item::Record(record, at..end));
            objects += 1;
            at = skip_padding(content, end);
        }
        if at == content.len() {
            if objects > 1 {
                sink(Item::Defect(DefectKind::Glued, 0..content.len()));
            }
            return;
        }
        let Some(tail) = tail(content, at, self.strictness, token) else {
            let kind = if open_ended { DefectKind::Torn } else { DefectKind::Invalid };
            return sink(Item::Defect(kind, at..content.len()));
        };
        sink(Item::Defect(DefectKind::Spliced, at..tail));
        at = tail;
        while let Some((record, end)) = self.object(content, at, token) {
            sink(Item::Record(record, at..end));
            at = skip_padding(content, end);
        }
    }

    /// Return the complete object that begins at `start`, and its end.
    fn object<'a>(
        &mut self,
        content: &'a [u8],
        start: usize,
        token: &CancelToken,
    ) -> Option<(Record<'a>, usize)> {
        if content.get(start) != Some(&b'{') {
            return None;
        }
        let machine = &mut self.machine;
        machine.reset();
        machine.step(start, b'{');
        let mut record = Record::new(View::new(content).into());
        let mut key_at = None;
        let mut key = None;
        let mut value_at = None;
        let mut next = start + 1;
        let mut checked = start;
        loop {
            let at = next + machine.skip(&content[next..]);
            let step = machine.step(at, *content.get(at)?);
            next = at + 1;
            if at - checked > STRIDE {
                checked = at;
                if token.is_cancelled() {
                    return None;
                }
            }
            let value_end = match step {
                Step::Nothing => continue,
                _ if machine.cannot_complete() && machine.depth() > 0 => return None,
                Step::KeyBegins => {
                    key_at = Some(at + 1);
                    continue;
                }
                Step::ValueBegins => {
                    value_at = Some(at);
                    continue;
                }
                Step::Dropped => return None,
                Step::ScalarEnded => at,
                // The closing bracket of the object may end a scalar too.
                Step::Closed { .. } if machine.depth() == 0 => at,
                Step::Closed { .. } if machine.depth() > 1 => continue,
                Step::Closed { .. } | Step::Ended => at + 1,
            };
            if let Some(begin) = key_at.take() {
                key = Some(key_named(&content[begin..at]));
            } else if let (Some(begin), Some(key)) = (value_at.take(), key.take()) {
                record.set(key, begin..value_end, false);
            }
            if let Step::Closed { complete, .. } = step
                && machine.depth() == 0
            {
                return complete.then_some((record, at + 1));
            }
        }
    }
}

fn key_named(raw: &[u8]) -> Key {
    match Key::of(raw) {
        // A key may be written with escapes.
        Key::Other if raw.contains(&b'\\') => {
            text::decode(raw).map_or(Key::Other, |name| Key::of(name.as_bytes()))
        }
        key => key,
    }
}

fn skip_padding(content: &[u8], from: usize) -> usize {
    from + content[from..].iter().take_while(|byte| is_padding(**byte)).count()
}

fn nul_runs(content: &[u8], mut visit: impl FnMut(Range<usize>)) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(0, &content[at..]) {
        let start = at + found;
        at = start + content[start..].iter().take_while(|byte| **byte == 0).count();
        visit(start..at);
    }
}

/// Return the start of the line's tail: the first position from `from` on where the beginning of a record
/// starts a run of complete objects that reaches the end of the content.
///
/// This takes one pass, whatever the line holds. A position is inside or outside a string, depending on where
/// parsing began. These are the only two phases, and they swap at each quote. One automaton can change to the
/// phase of another only at a backslash outside a string, where it drops all its open containers. So two
/// automata see every object. The second one begins at the first candidate that is inside a string for the
/// first one.
///
/// Then the objects are sorted from right to left: an object begins a run if it is complete and followed by
/// the end of the content or by an object that begins a run.
fn tail(content: &[u8], from: usize, strictness: Strictness, token: &CancelToken) -> Option<usize> {
    let rest = &content[from..];
    let candidates: Vec<usize> = {
        let mut found: Vec<usize> = memmem::find_iter(rest, br#"{"parentUuid":"#)
            .chain(memmem::find_iter(rest, br#"{"type":"#))
            .map(|at| from + at)
            .collect();
        found.sort_unstable();
        found
    };
    let first = *candidates.first()?;

    let mut phases: Vec<Machine> = Vec::with_capacity(2);
    let mut complete: Vec<(usize, usize)> = Vec::new();
    let mut upcoming = candidates.iter().copied().peekable();
    let (mut next, mut checked) = (first, first);
    while next < content.len() {
        let at = next;
        next = at + 1;
        if at - checked > STRIDE {
            checked = at;
            if token.is_cancelled() {
                return None;
            }
        }
        if upcoming.next_if_eq(&at).is_some() && phases.iter().all(Machine::in_string) {
            phases.push(Machine::new(strictness));
        }
        for machine in &mut phases {
            if let Step::Closed { open, complete: true } = machine.step(at, content[at]) {
                complete.push((open, at + 1));
            }
        }
        if let [a, b, ..] = &phases[..]
            && a.in_string() == b.in_string()
        {
            let dropped = usize::from(a.depth() > 0);
            debug_assert_eq!(
                phases[dropped].depth(),
                0,
                "two automata in the same phase have open containers"
            );
            phases.swap_remove(dropped);
        }
        if let [machine] = &phases[..] {
            let candidate = upcoming.peek().map_or(content.len(), |candidate| *candidate);
            next += machine.skip(&content[next..candidate]);
        }
    }

    complete.sort_unstable_by_key(|&(open, _)| std::cmp::Reverse(open));
    let mut run_starts = HashSet::new();
    for (open, end) in complete {
        let next = skip_padding(content, end);
        if next == content.len() || run_starts.contains(&next) {
            run_starts.insert(open);
        }
    }
    candidates.into_iter().find(|at| run_starts.contains(at))
}

#[cfg(test)]
mod tests {
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
        LineReader::new(strictness).read(content, false, &CancelToken::never(), |item| match item {
            Item::Record(_, range) => items.push(("record", range)),
            Item::Defect(kind, range) => items.push((kind.name(), range)),
        });
        items
    }

    /// Find the tail by parsing from each position in turn.
    fn tail_position_by_position(content: &[u8], from: usize, strictness: Strictness) -> Option<usize> {
        let mut reader = LineReader::new(strictness);
        (from..content.len()).find(|&start| {
            let candidate = &content[start..];
            let mut at = start;
            (candidate.starts_with(br#"{"parentUuid":"#) || candidate.starts_with(br#"{"type":"#))
                && loop {
                    let Some((_, end)) = reader.object(content, at, &CancelToken::never()) else {
                        break false;
                    };
                    at = skip_padding(content, end);
                    if at == content.len() {
                        break true;
                    }
                }
        })
    }

    /// Return the end of the object at the content's start.
    fn object_end(content: &[u8], strictness: Strictness) -> Option<usize> {
        LineReader::new(strictness).object(content, 0, &CancelToken::never()).map(|(_, end)| end)
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
            prop_assert_eq!(tail(&content, 0, strictness, &CancelToken::never()), expected);
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
        const ROUNDS: usize = 10;
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
}
