//! Find the records of a line, and what is wrong with it.
//!
//! This reads a line byte by byte, with the automaton of [`crate::grammar`], and defines what a line holds.
//! It is used for every line that the fast reader cannot prove plain.

use crate::bytes::{Line, Pieces, View};
use crate::grammar::{Machine, Step, Strictness};
use crate::record::{KeyNames, Record, Slot};
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
    names: KeyNames,
    /// The memory of the pieces that are read, and of a key.
    memory: Vec<u8>,
    key: Vec<u8>,
}

impl LineReader {
    pub(crate) fn new(strictness: Strictness, names: KeyNames) -> LineReader {
        let machine = Machine::new(strictness);
        LineReader { strictness, machine, names, memory: Vec::new(), key: Vec::new() }
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
                    key = Some(slot_of(&self.names, line, begin..at, &mut self.key));
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

fn slot_of(names: &KeyNames, line: Line, range: Range<usize>, scratch: &mut Vec<u8>) -> Slot {
    if range.len() > names.longest() {
        return Slot::OTHER;
    }
    names.slot_of(line.view.copy(range, scratch))
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
mod tests;
