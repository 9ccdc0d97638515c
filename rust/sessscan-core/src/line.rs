//! What a line holds: records, and what is wrong with it.
//!
//! This is DESIGN's reading of a line, on the byte-by-byte automaton of [`crate::grammar`]; the fast scanner
//! hands every line here that it cannot prove to be one plain record.

use crate::bytes::{STRIDE, View};
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
    /// Several whole objects on one line: the newline between them is missing.
    Glued,
    /// No object, or not a whole one, and nothing whole after it.
    Invalid,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A maximal run of NUL bytes.
    NulRun,
    /// What lies between the whole objects at a line's head and those at its tail: a cut record.
    Spliced,
    /// The last line was cut, or is still being written.
    Torn,
}

impl DefectKind {
    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            DefectKind::Glued => "glued",
            DefectKind::Invalid => "invalid",
            DefectKind::InvalidUtf8 => "invalid-utf8",
            DefectKind::NulRun => "nul-run",
            DefectKind::Spliced => "spliced",
            DefectKind::Torn => "torn",
        }
    }
}

/// What a line consists of. Ranges are positions in its content.
#[expect(clippy::large_enum_variant, reason = "it is handed over once, and most are records")]
pub(crate) enum Item<'a> {
    Record(Record<'a>, Range<usize>),
    Defect(DefectKind, Range<usize>),
}

/// NUL, space, tab and CR are nothing, before, after and between a line's objects.
pub(crate) fn is_padding(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\r')
}

/// Reads lines. Keeps its memory from one to the next.
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

    /// Reads a line's content: its LF, a CR before that, and a BOM at the file's start are taken off.
    ///
    /// `open_ended`: it is the file's last line and has no LF. Blank lines give nothing. Once `is_cancelled`,
    /// what is given counts for nothing.
    pub(crate) fn read<'a>(
        &mut self,
        content: &'a [u8],
        open_ended: bool,
        is_cancelled: &mut dyn FnMut() -> bool,
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
        while let Some((record, end)) = self.object(content, at, is_cancelled) {
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
        let Some(tail) = tail(content, at, self.strictness, is_cancelled) else {
            let kind = if open_ended { DefectKind::Torn } else { DefectKind::Invalid };
            return sink(Item::Defect(kind, at..content.len()));
        };
        sink(Item::Defect(DefectKind::Spliced, at..tail));
        at = tail;
        while let Some((record, end)) = self.object(content, at, is_cancelled) {
            sink(Item::Record(record, at..end));
            at = skip_padding(content, end);
        }
    }

    /// The complete object that begins at `start`, and where it ends.
    fn object<'a>(
        &mut self,
        content: &'a [u8],
        start: usize,
        is_cancelled: &mut dyn FnMut() -> bool,
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
        let mut asked = start;
        loop {
            let at = next + machine.skip(&content[next..]);
            let step = machine.step(at, *content.get(at)?);
            next = at + 1;
            if at - asked > STRIDE {
                asked = at;
                if is_cancelled() {
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
                // The root's own bracket may end a scalar too.
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
        // A key may be spelled with escapes.
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

/// Where the first run of complete objects begins that reaches the end of the content, begins after `from`
/// and begins as records do.
///
/// One pass, whatever the line holds. A place in it is either outside a string or inside one, depending on
/// where reading began: the two phases exchange roles at each quote, and a reading can only end up in the
/// phase of another one through a backslash outside a string, which spoils all that the first one had open.
/// So two automata see every object there is; a new one begins at the first candidate that none of them
/// sees. Then, from the right: a run is good if its first object is complete and is followed by the end or by
/// a good run.
fn tail(
    content: &[u8],
    from: usize,
    strictness: Strictness,
    is_cancelled: &mut dyn FnMut() -> bool,
) -> Option<usize> {
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
    let (mut next, mut asked) = (first, first);
    while next < content.len() {
        let at = next;
        next = at + 1;
        if at - asked > STRIDE {
            asked = at;
            if is_cancelled() {
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
            let spoilt = usize::from(a.depth() > 0);
            debug_assert_eq!(phases[spoilt].depth(), 0, "two readings fell in step with both alive");
            phases.swap_remove(spoilt);
        }
        if let [machine] = &phases[..] {
            let candidate = upcoming.peek().map_or(content.len(), |candidate| *candidate);
            next += machine.skip(&content[next..candidate]);
        }
    }

    complete.sort_unstable_by_key(|&(open, _)| std::cmp::Reverse(open));
    let mut good = HashSet::new();
    for (open, end) in complete {
        let next = skip_padding(content, end);
        if next == content.len() || good.contains(&next) {
            good.insert(open);
        }
    }
    candidates.into_iter().find(|at| good.contains(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Instant;

    /// What a line reads as: spans of records, and defects.
    fn read(content: &[u8], strictness: Strictness) -> Vec<(&'static str, Range<usize>)> {
        let mut items = Vec::new();
        LineReader::new(strictness).read(content, false, &mut || false, |item| match item {
            Item::Record(_, range) => items.push(("record", range)),
            Item::Defect(kind, range) => items.push((kind.name(), range)),
        });
        items
    }

    /// The tail by trying each place in turn.
    fn tail_by_trial(content: &[u8], from: usize, strictness: Strictness) -> Option<usize> {
        let mut reader = LineReader::new(strictness);
        (from..content.len()).find(|&start| {
            let candidate = &content[start..];
            let mut at = start;
            (candidate.starts_with(br#"{"parentUuid":"#) || candidate.starts_with(br#"{"type":"#))
                && loop {
                    let Some((_, end)) = reader.object(content, at, &mut || false) else { break false };
                    at = skip_padding(content, end);
                    if at == content.len() {
                        break true;
                    }
                }
        })
    }

    /// Lines made of the pieces that matter, in any order.
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
        fn one_pass_finds_the_tail_that_trial_finds(content in pieces(), full in any::<bool>()) {
            let strictness = if full { Strictness::Full } else { Strictness::Structure };
            prop_assert_eq!(tail(&content, 0, strictness, &mut || false), tail_by_trial(&content, 0, strictness));
        }

        #[test]
        fn full_strictness_is_json(content in pieces()) {
            let ours = LineReader::new(Strictness::Full).object(&content, 0, &mut || false).is_some_and(|(_, end)| end == content.len());
            // Lone surrogates, which serde_json refuses, are not among the pieces.
            let theirs = content.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(&content).is_ok();
            prop_assert_eq!(ours, theirs && !content.ends_with(b" ") && !content.ends_with(b"\t"));
        }

        #[test]
        fn what_is_json_has_structure(content in pieces()) {
            if let Some((_, end)) = LineReader::new(Strictness::Full).object(&content, 0, &mut || false) {
                prop_assert_eq!(LineReader::new(Strictness::Structure).object(&content, 0, &mut || false).map(|(_, end)| end), Some(end));
            }
        }
    }

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

    #[test]
    fn hostile_lines_take_linear_time() {
        let million = 1_000_000;
        let lines = [
            "{\"type\":".repeat(million),
            "{\"type\":".repeat(million) + "1" + &"}".repeat(million),
            "{\"type\":\"".repeat(million),
            "{\"type\":{}\\\"".repeat(million),
            "x{\"type\":[".repeat(million),
            "{".repeat(million),
            "[{\"a\":".repeat(million),
            "\"{\"type\":\\".repeat(million),
            "{\"type\":1}x".repeat(million),
            "{\"type\":1} ".repeat(million) + "x",
        ];
        let started = Instant::now();
        for line in &lines {
            read(line.as_bytes(), Strictness::Full);
            read(line.as_bytes(), Strictness::Structure);
        }
        // Linear is about ten seconds in a debug build and one in a release; quadratic would be hours.
        assert!(started.elapsed().as_secs() < 120);
    }
}
