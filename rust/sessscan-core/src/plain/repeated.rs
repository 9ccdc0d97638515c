//! Runs of members that come with the same bytes in line after line: the directory, the version, the branch.
//!
//! A run is proved plain once; after that, lines are only compared with it. The comparison is with a copy of
//! our own that was proved itself, so no other process can change it in between.

use crate::bytes::{AHEAD, Region, View};
use crate::record::{KeyNames, Record, Slot};
use crate::structure::{BLOCK, Block, Isa};
use std::ops::Range;

/// The longest run that is kept, in bytes. A longer one is cut.
const LONGEST: usize = 8 * BLOCK;

/// How many members of one line are noted.
const MEMBERS: usize = 32;

/// A member of a line: its key and where it begins.
#[derive(Clone, Copy, Default)]
struct Member {
    /// The index of its key in `KeyMemory::known`.
    id: u8,
    /// It is the first of a run that was compared, not read.
    in_run: bool,
    start: usize,
}

/// The members of a line, in the order in which they were read.
struct LineMembers {
    members: [Member; MEMBERS],
    count: usize,
    /// Where the line ends, its LF included.
    end: usize,
}

impl LineMembers {
    const fn new() -> LineMembers {
        LineMembers { members: [Member { id: 0, in_run: false, start: 0 }; MEMBERS], count: 0, end: 0 }
    }

    fn members(&self) -> &[Member] {
        &self.members[..self.count]
    }

    /// Return the range of a member, up to the next member or the next line.
    fn range(&self, member: usize) -> Range<usize> {
        let next = self.members().get(member + 1);
        self.members[member].start..next.map_or(self.end, |next| next.start)
    }
}

/// The range of each value of a key that counts, and whether it is a string without escapes.
pub(crate) type Values = Vec<(Slot, Range<usize>, bool)>;

/// Proves that members are plain and returns their values. The second argument says whether the members end
/// their line.
pub(crate) type Prove = fn(&[u8], bool, Isa, &KeyNames) -> Option<Values>;

/// A run: successive members that were proved plain.
#[repr(align(64))]
struct Run {
    bytes: [u8; LONGEST],
    len: usize,
    /// The values that count: where each begins and ends, and whether it is a string without escapes.
    values: Values,
    /// The key of the last member.
    last: u8,
    /// The run ends its line; its bytes then end with the LF.
    ends_line: bool,
    /// How often a line was found to have this run.
    used: u32,
}

/// The runs learned so far, by their first keys.
pub(crate) struct RepeatedMembers {
    /// For each key, the number of the run that begins with it, from 1; 0 if there is none.
    numbers: [u8; 256],
    /// For each key, how many runs that began with it were hardly used.
    failures: [u8; 256],
    known: Vec<Run>,
    /// The members of the previous line and of the current one.
    previous: Box<LineMembers>,
    current: Box<LineMembers>,
    /// How many lines are left until two are compared again, and how many will be after that.
    pause: u32,
    next_pause: u32,
    prove: Prove,
    isa: Isa,
    names: KeyNames,
}

/// Where a run ended.
pub(crate) struct RunEnd {
    /// The position behind it.
    pub(crate) at: usize,
    /// The key of its last member.
    pub(crate) last: u8,
    pub(crate) ends_line: bool,
}

impl RepeatedMembers {
    /// How many lines lie between two comparisons. To compare two lines takes as long as to read a few; while
    /// nothing is learned, the pause is doubled each time.
    const PAUSES: Range<u32> = 2..1024;

    /// A run that is used less often than this when it is replaced counts as a failure.
    const WORTH: u32 = 8;

    /// After this many failures, no more runs that begin with the same key are learned.
    const PATIENCE: u8 = 4;

    pub(crate) fn new(prove: Prove, isa: Isa, names: KeyNames) -> RepeatedMembers {
        RepeatedMembers {
            numbers: [0; 256],
            failures: [0; 256],
            known: Vec::new(),
            previous: Box::new(LineMembers::new()),
            current: Box::new(LineMembers::new()),
            pause: RepeatedMembers::PAUSES.start,
            next_pause: RepeatedMembers::PAUSES.start,
            prove,
            isa,
            names,
        }
    }

    /// Forget the members of both lines, because the next lines are in another region.
    pub(crate) fn forget_positions(&mut self) {
        (self.previous.count, self.current.count) = (0, 0);
    }

    #[inline(always)]
    pub(crate) fn begin_line(&mut self) {
        std::mem::swap(&mut self.previous, &mut self.current);
        self.current.count = 0;
    }

    /// Note a member that begins at `start`.
    #[inline(always)]
    pub(crate) fn note(&mut self, id: u8, start: usize, in_run: bool) {
        if self.current.count < MEMBERS {
            self.current.members[self.current.count] = Member { id, in_run, start };
            self.current.count += 1;
        }
    }

    /// Compare the bytes at `start` with the run that begins with the key `id`. If they are the same, set the
    /// run's values in `record` and return where it ends.
    #[inline(always)]
    pub(crate) fn read<B: Block>(
        &mut self,
        id: u8,
        region: Region,
        start: usize,
        record: &mut Record,
    ) -> Option<RunEnd> {
        let number = usize::from(self.numbers[usize::from(id)]);
        let run = self.known.get_mut(number.wrapping_sub(1))?;
        if start + LONGEST + AHEAD > region.readable() {
            return None;
        }
        let mut at = 0;
        while at < run.len {
            // SAFETY: `at < run.len <= LONGEST`, and `at` and `LONGEST` are multiples of BLOCK, so a whole
            // block of `run.bytes` is left. The processor has the instructions of B:
            // `PlainReader::read_lines` matches on `Isa`, which is one of `Isa::available`.
            let known = unsafe { B::load(run.bytes.as_ptr().add(at)) };
            let rest = run.len - at;
            let counts = if rest < BLOCK { !(u64::MAX << rest) } else { u64::MAX };
            if region.block::<B>(start + at).differs(known) & counts != 0 {
                return None;
            }
            at += BLOCK;
        }
        run.used = run.used.saturating_add(1);
        for (key, value, without_escapes) in &run.values {
            record.set(*key, start + value.start..start + value.end, *without_escapes);
        }
        Some(RunEnd { at: start + run.len, last: run.last, ends_line: run.ends_line })
    }

    /// Note that the current line ends at `end`, and learn from it if it is time to.
    #[inline(always)]
    pub(crate) fn end_line(&mut self, region: Region, end: usize) {
        self.current.end = end;
        self.pause -= 1;
        if self.pause == 0 {
            self.learn(region.view());
        }
    }

    /// Look for runs that the current line and the previous one have in common.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, view: View) {
        let mut learned = false;
        let mut at = 0;
        // Of a line with more members than are noted, the end of the last one is not known.
        let whole = self.current.count < MEMBERS && self.previous.count < MEMBERS;
        while whole && at < self.current.count {
            let equal = self.count_equal(view, at);
            let ends_line = at + equal == self.current.count;
            if equal >= 2 || equal == 1 && ends_line {
                learned |= self.learn_run(view, at..at + equal, ends_line);
            }
            at += equal.max(1);
        }
        let Range { start, end } = RepeatedMembers::PAUSES;
        self.next_pause = if learned { start } else { (2 * self.next_pause).min(end) };
        self.pause = self.next_pause;
    }

    /// Return how many members from `from` on are the same in both lines and fit into a run.
    fn count_equal(&self, view: View, from: usize) -> usize {
        let (current, previous) = (self.current.members(), self.previous.members());
        let Some(there) = previous.iter().position(|member| member.id == current[from].id) else { return 0 };
        let start = current[from].start;
        current[from..]
            .iter()
            .zip(&previous[there..])
            .enumerate()
            .take_while(|(count, (one, other))| {
                let range = self.current.range(from + count);
                let other_range = self.previous.range(there + count);
                // A run that was compared is known already.
                !(one.in_run || other.in_run)
                    && one.id == other.id
                    && one.id != 0
                    && range.end - start <= LONGEST
                    && range.len() == other_range.len()
                    && range.zip(other_range).all(|(at, other)| view.byte(at) == view.byte(other))
            })
            .count()
    }

    /// Keep members of the current line as a run if a copy of them can be proved plain. Return whether it
    /// was.
    fn learn_run(&mut self, view: View, members: Range<usize>, ends_line: bool) -> bool {
        let first = &self.current.members[members.start];
        let id = usize::from(first.id);
        let number = usize::from(self.numbers[id]);
        if number > 0 && self.known[number - 1].used < RepeatedMembers::WORTH {
            self.failures[id] = self.failures[id].saturating_add(1);
        }
        if self.failures[id] >= RepeatedMembers::PATIENCE || (number == 0 && self.known.len() == 255) {
            return false;
        }
        let range = first.start..self.current.range(members.end - 1).end;
        let mut copy = Vec::new();
        view.copy(range, &mut copy);
        let Some(values) = (self.prove)(&copy, ends_line, self.isa, &self.names) else { return false };
        let mut run = Run {
            bytes: [0; LONGEST],
            len: copy.len(),
            values,
            last: self.current.members[members.end - 1].id,
            ends_line,
            used: 0,
        };
        run.bytes[..copy.len()].copy_from_slice(&copy);
        if number > 0 {
            self.known[number - 1] = run;
        } else {
            self.known.push(run);
            self.numbers[id] = self.known.len() as u8;
        }
        true
    }
}
