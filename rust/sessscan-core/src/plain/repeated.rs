//! Runs of members that come with the same bytes in line after line: the directory, the version, the branch. They are
//! proved to be plain once, and after that compared.
//!
//! What is compared with is a copy of our own that was proved for itself, so that no other process can have changed it
//! between the two.

use crate::bytes::{AHEAD, Region, View};
use crate::record::{Key, Record};
use crate::structure::{BLOCK, Block, Isa};
use std::ops::Range;

/// A longer run is cut.
const LONGEST: usize = 8 * BLOCK;

/// Of one line so many members are looked at.
const MEMBERS: usize = 32;

/// Where a member of a line stands.
#[derive(Clone, Copy, Default)]
struct Member {
    /// Its key's place in the reader's memory.
    place: u8,
    /// It was compared as the first of a run, and not read.
    in_run: bool,
    start: usize,
}

/// The members of a line, as they were read.
struct LineMembers {
    members: [Member; MEMBERS],
    count: usize,
    /// Where the line ends, its LF included.
    end: usize,
}

impl LineMembers {
    const fn new() -> LineMembers {
        LineMembers { members: [Member { place: 0, in_run: false, start: 0 }; MEMBERS], count: 0, end: 0 }
    }

    fn members(&self) -> &[Member] {
        &self.members[..self.count]
    }

    /// A member's bytes, with all that stands before the next one or the next line.
    fn range(&self, member: usize) -> Range<usize> {
        let next = self.members().get(member + 1);
        self.members[member].start..next.map_or(self.end, |next| next.start)
    }
}

/// The values of the keys that count: where each begins and ends, and whether it is a string without escapes.
pub(crate) type Values = Vec<(Key, Range<usize>, bool)>;

/// Proves members to be plain, and gives their values; whether they end their line is said too.
pub(crate) type Prove = fn(&[u8], bool, Isa) -> Option<Values>;

/// Members that were proved to be plain.
#[repr(align(64))]
struct Run {
    bytes: [u8; LONGEST],
    len: usize,
    /// The values that count: where each begins and ends, and whether it is a string without escapes.
    values: Values,
    /// The place of the last member's key.
    last: u8,
    ends_line: bool,
    used: u32,
}

/// The runs seen so far, by their first keys.
pub(crate) struct RepeatedMembers {
    /// Of each key's place the number of the run that begins with it, from 1.
    numbers: [u8; 256],
    /// How often a run that began so was good for nothing.
    failures: [u8; 256],
    known: Vec<Run>,
    /// The line before and the line at hand.
    before: Box<LineMembers>,
    here: Box<LineMembers>,
    /// Lines until they are looked at again for what they have in common, and how many those shall be then.
    pause: u32,
    next_pause: u32,
    prove: Prove,
    isa: Isa,
}

/// What follows a run.
pub(crate) struct RunEnd {
    pub(crate) at: usize,
    /// The place of the last key.
    pub(crate) last: u8,
    pub(crate) ends_line: bool,
}

impl RepeatedMembers {
    /// To look at two lines takes as long as to read some; where nothing comes of it, it is done ever more seldom.
    const PAUSES: Range<u32> = 2..1024;

    /// Used less often, a run was not worth the learning.
    const WORTH: u32 = 8;

    /// After so many that were not, none is learned that begins with the same key.
    const PATIENCE: u8 = 4;

    pub(crate) fn new(prove: Prove, isa: Isa) -> RepeatedMembers {
        RepeatedMembers {
            numbers: [0; 256],
            failures: [0; 256],
            known: Vec::new(),
            before: Box::new(LineMembers::new()),
            here: Box::new(LineMembers::new()),
            pause: RepeatedMembers::PAUSES.start,
            next_pause: RepeatedMembers::PAUSES.start,
            prove,
            isa,
        }
    }

    /// Forgets where lines are: other bytes come.
    pub(crate) fn forget_positions(&mut self) {
        (self.before.count, self.here.count) = (0, 0);
    }

    #[inline(always)]
    pub(crate) fn begin_line(&mut self) {
        std::mem::swap(&mut self.before, &mut self.here);
        self.here.count = 0;
    }

    /// Notes a member that begins at `start`.
    #[inline(always)]
    pub(crate) fn note(&mut self, place: u8, start: usize, in_run: bool) {
        if self.here.count < MEMBERS {
            self.here.members[self.here.count] = Member { place, in_run, start };
            self.here.count += 1;
        }
    }

    /// Reads the run that begins with the key at `start`, whose place is given, if it is the one that was learned.
    #[inline(always)]
    pub(crate) fn read<B: Block>(
        &mut self,
        place: u8,
        region: Region,
        start: usize,
        record: &mut Record,
    ) -> Option<RunEnd> {
        let number = usize::from(self.numbers[usize::from(place)]);
        let run = self.known.get_mut(number.wrapping_sub(1))?;
        if start + LONGEST + AHEAD > region.readable() {
            return None;
        }
        let mut at = 0;
        while at < run.len {
            // SAFETY: a run is whole blocks long; the block is one that the processor has.
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

    /// The line at hand is read, and ends at `end`.
    #[inline(always)]
    pub(crate) fn end_line(&mut self, region: Region, end: usize) {
        self.here.end = end;
        self.pause -= 1;
        if self.pause == 0 {
            self.learn(region.view());
        }
    }

    /// Looks for what this line and the one before have in common.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, view: View) {
        let mut learned = false;
        let mut at = 0;
        // A line of more members than are looked at ends somewhere else than it seems.
        let whole = self.here.count < MEMBERS && self.before.count < MEMBERS;
        while whole && at < self.here.count {
            let count_equal = self.count_equal(view, at);
            let ends_line = at + count_equal == self.here.count;
            if count_equal >= 2 || count_equal == 1 && ends_line {
                learned |= self.learn_run(view, at..at + count_equal, ends_line);
            }
            at += count_equal.max(1);
        }
        let Range { start, end } = RepeatedMembers::PAUSES;
        self.next_pause = if learned { start } else { (2 * self.next_pause).min(end) };
        self.pause = self.next_pause;
    }

    /// How many members from this one on are the same in both lines, as far as a run has room.
    fn count_equal(&self, view: View, from: usize) -> usize {
        let (here, before) = (self.here.members(), self.before.members());
        let Some(there) = before.iter().position(|member| member.place == here[from].place) else { return 0 };
        let start = here[from].start;
        here[from..]
            .iter()
            .zip(&before[there..])
            .enumerate()
            .take_while(|(count, (one, other))| {
                let (here, before) = (self.here.range(from + count), self.before.range(there + count));
                // What was compared needs no learning.
                !(one.in_run || other.in_run)
                    && one.place == other.place
                    && one.place != 0
                    && here.end - start <= LONGEST
                    && here.len() == before.len()
                    && here.zip(before).all(|(here, before)| view.byte(here) == view.byte(before))
            })
            .count()
    }

    /// Keeps some members of this line as a run, if a copy of them proves to be plain.
    fn learn_run(&mut self, view: View, members: Range<usize>, ends_line: bool) -> bool {
        let first = &self.here.members[members.start];
        let place = usize::from(first.place);
        let number = usize::from(self.numbers[place]);
        if number > 0 && self.known[number - 1].used < RepeatedMembers::WORTH {
            self.failures[place] = self.failures[place].saturating_add(1);
        }
        if self.failures[place] >= RepeatedMembers::PATIENCE || (number == 0 && self.known.len() == 255) {
            return false;
        }
        let range = first.start..self.here.range(members.end - 1).end;
        let mut copy = Vec::new();
        view.copy(range, &mut copy);
        let Some(values) = (self.prove)(&copy, ends_line, self.isa) else { return false };
        let mut run = Run {
            bytes: [0; LONGEST],
            len: copy.len(),
            values,
            last: self.here.members[members.end - 1].place,
            ends_line,
            used: 0,
        };
        run.bytes[..copy.len()].copy_from_slice(&copy);
        if number > 0 {
            self.known[number - 1] = run;
        } else {
            self.known.push(run);
            self.numbers[place] = self.known.len() as u8;
        }
        true
    }
}
