//! Find the records of a line, and what is wrong with it.
//!
//! This reads a line byte by byte, with the automaton of [`crate::grammar`], and defines what a line holds.
//! It is used for every line that the fast reader cannot prove plain.

use crate::bytes::{Line, Pieces, View};
use crate::grammar::{Machine, Step, Strictness};
use crate::record::{Key, Record};
use crate::text;
use serde::{Deserialize, Serialize};
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
    /// The memory of the pieces that are read, and of a key.
    memory: Vec<u8>,
    key: Vec<u8>,
}

impl LineReader {
    pub(crate) fn new(strictness: Strictness) -> LineReader {
        LineReader { strictness, machine: Machine::new(strictness), memory: Vec::new(), key: Vec::new() }
    }

    pub(crate) fn strictness(&self) -> Strictness {
        self.strictness
    }

    /// Read a line's content, without its LF, a CR before that, and a BOM at the file's start. Call `sink`
    /// with its parts.
    ///
    /// `open_ended` says that this is the file's last line and has no LF. Blank lines have no parts but NUL
    /// runs. Once the scan is cancelled, the parts are not to be used.
    pub(crate) fn read<'a>(&mut self, content: Line<'a>, open_ended: bool, mut sink: impl FnMut(Item<'a>)) {
        let mut pieces = content.pieces(std::mem::take(&mut self.memory));
        self.read_pieces(&mut pieces, open_ended, &mut sink);
        self.memory = pieces.into_memory();
    }

    fn read_pieces<'a>(
        &mut self,
        content: &mut Pieces<'a>,
        open_ended: bool,
        sink: &mut impl FnMut(Item<'a>),
    ) {
        let mut at = 0;
        while let Some(start) = content.find(0, at) {
            at = content.skip(start, |byte| byte == 0);
            sink(Item::Defect(DefectKind::NulRun, start..at));
        }
        at = content.skip(0, is_padding);
        if at == content.len() {
            return;
        }
        if !is_utf8(content) {
            sink(Item::Defect(DefectKind::InvalidUtf8, 0..content.len()));
        }
        let mut objects = 0;
        while let Some((record, end)) = self.object(content, at) {
            sink(Item::Record(record, at..end));
            objects += 1;
            at = content.skip(end, is_padding);
        }
        if at == content.len() {
            if objects > 1 {
                sink(Item::Defect(DefectKind::Glued, 0..content.len()));
            }
            return;
        }
        let Some(tail) = tail(content, at, self.strictness) else {
            let kind = if open_ended { DefectKind::Torn } else { DefectKind::Invalid };
            return sink(Item::Defect(kind, at..content.len()));
        };
        sink(Item::Defect(DefectKind::Spliced, at..tail));
        at = tail;
        while let Some((record, end)) = self.object(content, at) {
            sink(Item::Record(record, at..end));
            at = content.skip(end, is_padding);
        }
    }

    /// Return the complete object that begins at `start`, and its end.
    fn object<'a>(&mut self, content: &mut Pieces<'a>, start: usize) -> Option<(Record<'a>, usize)> {
        if content.byte(start) != Some(b'{') {
            return None;
        }
        let machine = &mut self.machine;
        machine.reset();
        machine.step(b'{');
        let line = content.line;
        let mut record = Record::new(line.into());
        let mut key_at = None;
        let mut key = None;
        let mut value_at = None;
        let mut begin = start + 1;
        loop {
            let bytes = content.from(begin);
            if bytes.is_empty() {
                return None;
            }
            let mut next = 0;
            loop {
                next += machine.skip(&bytes[next..]);
                let Some(byte) = bytes.get(next) else { break };
                let at = begin + next;
                let step = machine.step(*byte);
                next += 1;
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
                    key = Some(key_named(line, begin..at, &mut self.key));
                } else if let (Some(begin), Some(key)) = (value_at.take(), key.take()) {
                    record.set(key, begin..value_end, false);
                }
                if let Step::Closed { complete } = step
                    && machine.depth() == 0
                {
                    return complete.then_some((record, at + 1));
                }
            }
            begin += bytes.len();
        }
    }
}

fn key_named(line: Line, range: Range<usize>, scratch: &mut Vec<u8>) -> Key {
    /// More bytes than any key that is known has, each of its characters written as an escape.
    const LONGEST: usize = 256;
    if range.len() > LONGEST {
        return Key::Other;
    }
    let raw = line.view.copy(range, scratch);
    match Key::of(raw) {
        // A key may be written with escapes.
        Key::Other if raw.contains(&b'\\') => {
            text::decode(raw).map_or(Key::Other, |name| Key::of(name.as_bytes()))
        }
        key => key,
    }
}

fn is_utf8(content: &mut Pieces) -> bool {
    let mut at = 0;
    loop {
        let bytes = content.whole(at);
        if bytes.is_empty() {
            return true;
        }
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => at += bytes.len(),
            // A character goes on in the next piece.
            Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => at += error.valid_up_to(),
            Err(_) => return false,
        }
    }
}

/// The beginnings of records.
const BEGINNINGS: [&[u8]; 2] = [br#"{"parentUuid":"#, br#"{"type":"#];

/// Return whether a record may begin at a position.
fn is_candidate(view: View, at: usize) -> bool {
    BEGINNINGS.iter().any(|text| view.equals(at..at.saturating_add(text.len()), text))
}

/// Return the start of the line's tail: the first position from `from` on where the beginning of a record
/// starts a run of complete objects that reaches the end of the content.
///
/// This takes two passes, whatever the line holds, and two bits for each container that is open. A position is
/// inside or outside a string, depending on where parsing began. These are the only two phases, and they swap
/// at each quote. One automaton can change to the phase of another only at a backslash outside a string, where
/// it drops all its open containers. So two automata see every object. The second one begins at the first
/// candidate that is inside a string for the first one.
///
/// The objects of a run lie side by side, at one depth. The first pass finds at which depth an automaton has
/// a run that reaches the end, the second where that run begins.
fn tail(content: &mut Pieces, from: usize, strictness: Strictness) -> Option<usize> {
    let mut first = content.find(b'{', from)?;
    while !is_candidate(content.line.view, first) {
        first = content.find(b'{', first + 1)?;
    }
    let mut ends = run_automata(content, first, strictness, |_| Run::default(), Run::take)?;
    ends.retain(|(_, run)| run.ended);
    if ends.is_empty() {
        return None;
    }
    let view = content.line.view;
    let start_of = |number| {
        let run = ends.iter().find(|(of, _)| *of == number);
        run.map(|(_, run)| RunStart::of(*run))
    };
    let starts = run_automata(content, first, strictness, start_of, |start, taken| {
        if let Some(start) = start {
            start.take(taken, |at| is_candidate(view, at));
        }
    })?;
    starts.into_iter().filter_map(|(_, start)| start?.start).min()
}

/// A byte that an automaton took: its position, the number of open containers before and after it.
struct Taken {
    at: usize,
    byte: u8,
    step: Step,
    before: usize,
    after: usize,
}

impl Taken {
    fn opens_an_object(&self) -> bool {
        self.byte == b'{' && self.after == self.before + 1
    }

    fn completes_an_object(&self) -> bool {
        self.step == Step::Closed { complete: true }
    }
}

/// Parse from a candidate on with the automata of both phases. Return those that were left at the end: the
/// number of each, and what `take` has made of what `make` gave it. None if the scan was cancelled.
///
/// `take` is given each byte that an automaton took, but for those inside strings that change nothing.
fn run_automata<T>(
    content: &mut Pieces,
    first: usize,
    strictness: Strictness,
    make: impl Fn(usize) -> T,
    take: impl Fn(&mut T, Taken),
) -> Option<Vec<(usize, T)>> {
    struct Phase<T> {
        number: usize,
        machine: Machine,
        said: T,
    }

    let view = content.line.view;
    let mut phases: Vec<Phase<T>> = Vec::with_capacity(2);
    let mut count = 0;
    let mut begin = first;
    while begin < content.len() {
        let bytes = content.from(begin);
        if bytes.is_empty() {
            return None;
        }
        let mut next = 0;
        while next < bytes.len() {
            if let [Phase { machine, .. }] = &phases[..] {
                let skipped = machine.skip(&bytes[next..]);
                next += skipped;
                // Inside a string only the last of those bytes can begin a candidate, since a quote follows.
                if skipped > 0 && bytes[next - 1] == b'{' {
                    next -= 1;
                }
            }
            let Some(&byte) = bytes.get(next) else { break };
            let at = begin + next;
            next += 1;
            if byte == b'{' && phases.iter().all(|phase| phase.machine.in_string()) && is_candidate(view, at)
            {
                phases.push(Phase { number: count, machine: Machine::new(strictness), said: make(count) });
                count += 1;
            }
            for Phase { machine, said, .. } in &mut phases {
                let before = machine.depth();
                let step = machine.step(byte);
                take(said, Taken { at, byte, step, before, after: machine.depth() });
            }
            if let [a, b] = &phases[..]
                && a.machine.in_string() == b.machine.in_string()
            {
                let dropped = usize::from(a.machine.depth() > 0);
                debug_assert_eq!(
                    phases[dropped].machine.depth(),
                    0,
                    "two automata in the same phase have open containers"
                );
                phases.swap_remove(dropped);
            }
        }
        begin += bytes.len();
    }
    Some(phases.into_iter().map(|phase| (phase.number, phase.said)).collect())
}

/// What an automaton knows of the last run of complete objects.
#[derive(Clone, Copy, Default)]
struct Run {
    /// The last object ended, and only padding has followed.
    ended: bool,
    /// How many containers are open around it.
    depth: usize,
    /// Where NULs between two objects of the run at depth 0 dropped the containers around the first, and how
    /// many those were.
    dropped: Option<(usize, usize)>,
}

impl Run {
    fn take(&mut self, taken: Taken) {
        if taken.completes_an_object() {
            (self.ended, self.depth) = (true, taken.after);
        } else if self.ended && is_padding(taken.byte) {
            if taken.after < taken.before {
                self.dropped = Some((taken.at, taken.before));
            }
            self.depth = taken.after;
        } else {
            let goes_on = std::mem::take(&mut self.ended) && taken.opens_an_object();
            if taken.step == Step::Dropped || taken.after == 0 || (taken.before == 0 && !goes_on) {
                self.dropped = None;
            }
        }
    }
}

/// Finds where the run begins that reaches the line's end.
struct RunStart {
    run: Run,
    /// An object of a run at this depth is open.
    inside: bool,
    /// It ended, and only padding has followed.
    ended: bool,
    /// The first candidate of the run.
    start: Option<usize>,
}

impl RunStart {
    fn of(mut run: Run) -> RunStart {
        // What was dropped concerns the runs at depth 0.
        run.dropped = run.dropped.filter(|_| run.depth == 0);
        RunStart { run, inside: false, ended: false, start: None }
    }

    fn take(&mut self, taken: Taken, is_candidate: impl Fn(usize) -> bool) {
        let depth_at = |at: usize| match self.run.dropped {
            Some((dropped, depth)) if at < dropped => depth,
            _ => self.run.depth,
        };
        let depth = depth_at(taken.at);
        let goes_on = self.ended && taken.before == depth;
        if taken.opens_an_object() && taken.before == depth {
            let start = self.start.filter(|_| goes_on);
            self.start = start.or_else(|| is_candidate(taken.at).then_some(taken.at));
            (self.inside, self.ended) = (true, false);
        } else if taken.completes_an_object() && taken.after == depth && self.inside {
            (self.inside, self.ended) = (false, true);
        } else if self.ended && is_padding(taken.byte) && taken.after == depth {
            // It may go on.
        } else if taken.before.min(taken.after) <= depth {
            (self.inside, self.ended, self.start) = (false, false, None);
        }
    }
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
        LineReader::new(strictness).read(View::new(content).into(), false, |item| match item {
            Item::Record(_, range) => items.push(("record", range)),
            Item::Defect(kind, range) => items.push((kind.name(), range)),
        });
        items
    }

    fn pieces_of(content: &[u8]) -> Pieces<'_> {
        Line::from(View::new(content)).pieces(Vec::new())
    }

    /// Find the tail by parsing from each position in turn.
    fn tail_position_by_position(content: &[u8], from: usize, strictness: Strictness) -> Option<usize> {
        let mut reader = LineReader::new(strictness);
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
        LineReader::new(strictness).object(&mut pieces_of(content), 0).map(|(_, end)| end)
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
