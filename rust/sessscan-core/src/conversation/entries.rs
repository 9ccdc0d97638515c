//! Keep the records of a conversation in forty bytes each, as one pass over a file finds them.

use super::extract::extract;
use super::extras::{Preserved, QueuedCommand, preserved, queued_command, speaks};
use super::facts::{Facts, Field, Span, inside};
use super::ids::{Id, Ids};
use super::images::{self, Images};
use super::refused::is_refused;
use super::said::{self, Kind, equals, is_true};
use crate::bytes::View;
use crate::record::Record;
use crate::scanner::{Around, Place, Sink};
use crate::transcript::{Defect, MOST_DEFECTS};
use std::collections::HashMap;

/// One record of a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    /// The line, shifted left by [`Entry::FLAGS`] bits, and the flags.
    line_and_flags: u64,
    /// In epoch microseconds; the smallest number if there is none.
    pub(crate) time: i64,
    length: u32,
    pub(crate) id: Id,
    pub(crate) parent: Id,
    /// The id of the response that an assistant's record belongs to.
    pub(crate) message: Id,
}

/// What is true of an entry: bits above the three of its kind.
#[allow(non_snake_case)]
pub(crate) mod Flag {
    /// The official reader takes its line.
    pub(crate) const READ: u64 = 1 << 3;
    pub(crate) const SIDECHAIN: u64 = 1 << 4;
    pub(crate) const TEAM: u64 = 1 << 5;
    pub(crate) const META: u64 = 1 << 6;
    /// It is meta, but of a kind that is shown.
    pub(crate) const SPEAKS: u64 = 1 << 7;
    pub(crate) const SUMMARY: u64 = 1 << 8;
    /// It has a tool's result.
    pub(crate) const RESULT: u64 = 1 << 9;
    /// It is an attachment that briefs a fork.
    pub(crate) const BRIEFING: u64 = 1 << 10;
    /// It is an attachment with a command that was queued.
    pub(crate) const QUEUED: u64 = 1 << 11;
    pub(crate) const BOUNDARY: u64 = 1 << 12;
    pub(crate) const QUIET: u64 = 1 << 13;
    pub(crate) const NOTE: u64 = 1 << 14;
    /// How its text begins, in two bits.
    pub(crate) const BEGINNING: u32 = 15;
    /// It makes a call of a tool.
    pub(crate) const CALL: u64 = 1 << 17;
    /// It names a parent that it follows logically.
    pub(crate) const LOGICAL: u64 = 1 << 18;
    /// It has something that the API refuses.
    pub(crate) const REFUSED: u64 = 1 << 19;
}

impl Entry {
    const FLAGS: u32 = 24;

    pub(crate) fn line(&self) -> u64 {
        self.line_and_flags >> Entry::FLAGS
    }

    pub(crate) fn has(&self, flag: u64) -> bool {
        self.line_and_flags & flag != 0
    }

    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.line_and_flags & 7 == kind as u64
    }

    pub(crate) fn is_message(&self) -> bool {
        self.is(Kind::User) || self.is(Kind::Assistant)
    }

    pub(crate) fn begins(&self, beginning: said::Beginning) -> bool {
        self.line_and_flags >> Flag::BEGINNING & 3 == beginning as u64
    }

    /// Return whether the readers give this message, if they reach it.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_message()
            && !self.has(Flag::SIDECHAIN | Flag::TEAM | Flag::QUIET)
            && (!self.has(Flag::META) || self.has(Flag::SPEAKS))
    }

    /// Return the name of its kind; a queued command is a user's.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.line_and_flags & 7 {
            2 => "assistant",
            3 => "progress",
            4 => "system",
            5 if !self.has(Flag::QUEUED) => "attachment",
            _ => "user",
        }
    }

    /// Return the time in epoch milliseconds.
    pub(crate) fn millis(&self) -> Option<i64> {
        (self.time != i64::MIN).then(|| self.time.div_euclid(1_000))
    }
}

/// A note that a queued command was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Taken {
    Delivery(Id),
    Command(Id),
}

/// All that one pass over a file keeps.
pub(crate) struct Entries {
    pub(crate) ids: Ids,
    pub(crate) all: Vec<Entry>,
    /// The lengths that do not fit into an entry.
    long: HashMap<u32, u64>,
    /// The calls and the results of tools, by the number of their entry, in order.
    pub(crate) calls: Vec<(u32, Id)>,
    pub(crate) results: Vec<(u32, Id)>,
    /// From which entry on which agent wrote.
    agents: Vec<(u32, Id)>,
    /// The record that a result says it answers, if that is not its parent.
    pub(crate) sources: Vec<(u32, Id)>,
    pub(crate) queued: HashMap<u32, QueuedCommand>,
    /// The notes that queued commands were taken in, with the number of entries before each.
    pub(crate) taken: Vec<(u32, Taken)>,
    pub(crate) preserved: Vec<(u32, Preserved)>,
    /// The images of messages, by the number of their entry, in order.
    images: Vec<(u32, Images)>,
    /// How many entries, and how many notes, come before the last record of a compaction that lets the reader of
    /// a large file skip what is before it.
    skip: u32,
    pub(crate) defects: Vec<Defect>,
    pub(crate) defect_count: u64,
    facts: Facts,
    scratch: Vec<u8>,
    small: Vec<u8>,
}

/// The reader skips what a compaction replaced in files that are larger than this.
const SKIP_FROM: u64 = 5 * 1024 * 1024;

/// How many bytes it reads at a time then.
const CHUNK: u64 = 1024 * 1024;

impl Entries {
    pub(crate) fn new() -> Entries {
        Entries {
            ids: Ids::new(),
            all: Vec::new(),
            long: HashMap::new(),
            calls: Vec::new(),
            results: Vec::new(),
            agents: Vec::new(),
            sources: Vec::new(),
            queued: HashMap::new(),
            taken: Vec::new(),
            preserved: Vec::new(),
            images: Vec::new(),
            skip: 0,
            defects: Vec::new(),
            defect_count: 0,
            facts: Facts::new(),
            scratch: Vec::new(),
            small: Vec::new(),
        }
    }

    /// Return the number of the first entry that the reader of a file of this size sees.
    pub(crate) fn first(&self, size: u64) -> usize {
        if size > SKIP_FROM { self.skip as usize } else { 0 }
    }

    pub(crate) fn length(&self, at: usize) -> u64 {
        match self.all[at].length {
            u32::MAX => self.long[&(at as u32)],
            length => u64::from(length),
        }
    }

    pub(crate) fn agent(&self, at: usize) -> Id {
        let run = self.agents.partition_point(|(from, _)| *from as usize <= at);
        run.checked_sub(1).map_or(Id::NONE, |run| self.agents[run].1)
    }

    /// Return the ids of an entry's calls, or results.
    pub(crate) fn ids_of(list: &[(u32, Id)], at: usize) -> impl Iterator<Item = Id> {
        let at = at as u32;
        let from = list.partition_point(|(entry, _)| *entry < at);
        list[from..].iter().take_while(move |(entry, _)| *entry == at).map(|(_, id)| *id)
    }

    /// Forget what only the search for the conversation needs.
    pub(crate) fn forget_details(&mut self) {
        self.ids.forget_table();
        (self.calls, self.results, self.sources, self.agents) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        (self.queued, self.taken, self.preserved) = (HashMap::new(), Vec::new(), Vec::new());
        self.images = Vec::new();
    }

    /// Return those of the entries given whose images are too large among as many as there are.
    pub(crate) fn crowded(&self, given: impl Iterator<Item = u32>) -> Vec<u32> {
        if self.images.is_empty() {
            return Vec::new();
        }
        let of = |entry: u32| self.images.binary_search_by_key(&entry, |(at, _)| *at).ok();
        let found: Vec<&(u32, Images)> = given.filter_map(of).map(|at| &self.images[at]).collect();
        let count: u64 = found.iter().map(|(_, images)| u64::from(images.count)).sum();
        let large = found.iter().filter(|(_, images)| images.too_large_among_many);
        if count > images::MANY { large.map(|(at, _)| *at).collect() } else { Vec::new() }
    }

    /// Return a digest of where the records are and what they say.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
        for Entry { offset, line_and_flags, time, length, id, parent, message } in &self.all {
            hasher.update(&offset.to_le_bytes());
            hasher.update(&line_and_flags.to_le_bytes());
            hasher.update(&time.to_le_bytes());
            for number in [*length, id.0, parent.0, message.0] {
                hasher.update(&number.to_le_bytes());
            }
        }
        hasher.update(&self.defect_count.to_le_bytes());
        hasher.digest()
    }

    fn id_of(&mut self, view: View, value: Option<Span>, with_text: bool) -> Option<Id> {
        Some(self.ids.of(view, inside(view, value?)?, with_text))
    }

    fn add(&mut self, facts: &Facts, view: View, place: &Place) {
        let read = place.around != Around::Other;
        let mut small = std::mem::take(&mut self.small);
        self.add_with(facts, view, place, read, &mut small);
        self.small = small;
    }

    fn add_with(&mut self, facts: &Facts, view: View, place: &Place, read: bool, small: &mut Vec<u8>) {
        let kind = Kind::of(view, facts, small);
        let boundary =
            kind == Some(Kind::System) && equals(view, facts.get(Field::Subtype), "compact_boundary", small);
        let kept = if boundary { preserved(view, facts.get(Field::Compact), &mut self.ids) } else { None };
        let at = self.all.len() as u32;
        if boundary && kept.as_ref().is_none_or(|kept| !kept.is_given) && is_skipped_to(view, place) {
            self.skip = at;
        }
        let Some(kind) = kind else {
            if read {
                self.note_taken(facts, view, small);
            }
            return;
        };
        let Some(id) = self.id_of(view, facts.get(Field::Uuid), true).filter(|id| id.0 < Id::NO_TEXT.0)
        else {
            return;
        };
        let parent = match facts.get(Field::Parent) {
            Some(value) if view.byte(value.start) == b'"' => {
                self.id_of(view, Some(value), true).unwrap_or(Id::NONE)
            }
            value if is_true(view, value.clone(), small) => Id::NO_TEXT,
            _ => Id::NONE,
        };
        let mut flags = kind as u64;
        let mut set = |flag: u64, when: bool| flags |= if when { flag } else { 0 };
        set(Flag::READ, read);
        set(Flag::SIDECHAIN, is_true(view, facts.get(Field::Sidechain), small));
        set(Flag::TEAM, is_true(view, facts.get(Field::Team), small));
        set(Flag::BOUNDARY, boundary);
        if is_true(view, facts.get(Field::Meta), small) {
            set(Flag::META, true);
            set(Flag::SPEAKS, speaks(view, facts.get(Field::Origin)));
        }
        set(Flag::SUMMARY, is_true(view, facts.get(Field::CompactSummary), small));
        set(Flag::LOGICAL, is_true(view, facts.get(Field::Logical), small));
        if matches!(kind, Kind::User | Kind::Assistant) {
            let images = images::images(view, facts, small);
            if images.count > 0 {
                self.images.push((at, images));
            }
            set(Flag::REFUSED, images.too_large || is_refused(view, facts, small));
        }
        let mut message = Id::NONE;
        match kind {
            Kind::User => {
                let beginning = match facts.get(Field::PromptSource) {
                    None => said::beginning(view, facts, small),
                    Some(_) => said::Beginning::Other,
                };
                set((beginning as u64) << Flag::BEGINNING, true);
                set(Flag::NOTE, said::is_note(view, facts, small));
                for block in &facts.blocks {
                    if equals(view, block.get(Field::BlockType), "tool_result", small) {
                        set(Flag::RESULT, true);
                        if let Some(id) = self.id_of(view, block.get(Field::BlockCall), false) {
                            self.results.push((at, id));
                        }
                    }
                }
                if flags & Flag::RESULT != 0
                    && let Some(source) = self.id_of(view, facts.get(Field::Source), true)
                    && source != parent
                {
                    self.sources.push((at, source));
                }
            }
            Kind::Assistant => {
                set(Flag::QUIET, said::is_quiet(view, facts, small));
                message = self.id_of(view, facts.get(Field::MessageId), false).unwrap_or(Id::NONE);
                for block in &facts.blocks {
                    if equals(view, block.get(Field::BlockType), "tool_use", small) {
                        set(Flag::CALL, true);
                        if let Some(id) = self.id_of(view, block.get(Field::BlockId), false) {
                            self.calls.push((at, id));
                        }
                    }
                }
            }
            Kind::Attachment => {
                let (briefing, queued) = queued_command(view, facts.get(Field::Attachment), &mut self.ids);
                set(Flag::BRIEFING, briefing);
                if let Some(queued) = queued {
                    set(Flag::QUEUED, true);
                    self.queued.insert(at, queued);
                }
            }
            Kind::Progress | Kind::System => {}
        }
        let flags = flags;
        if let Some(preserved) = kept {
            self.preserved.push((at, preserved));
        }
        let agent = self.id_of(view, facts.get(Field::Agent), false).unwrap_or(Id::NONE);
        if agent != self.agents.last().map_or(Id::NONE, |(_, agent)| *agent) {
            self.agents.push((at, agent));
        }
        let length = u32::try_from(place.length).unwrap_or(u32::MAX);
        if length == u32::MAX {
            self.long.insert(at, place.length);
        }
        let time = said::micros(view, facts.get(Field::Timestamp), small).unwrap_or(i64::MIN);
        let line_and_flags = place.line << Entry::FLAGS | flags;
        self.all.push(Entry { offset: place.offset, line_and_flags, time, length, id, parent, message });
    }

    /// Note that a queued command was taken in, if this record of a queue says so.
    fn note_taken(&mut self, facts: &Facts, view: View, small: &mut Vec<u8>) {
        if !equals(view, facts.get(Field::Type), "queue-operation", small)
            || !equals(view, facts.get(Field::Operation), "remove", small)
            || !equals(view, facts.get(Field::Reason), "absorbed_mid_turn", small)
        {
            return;
        }
        let delivery = self.id_of(view, facts.get(Field::Delivery), false).filter(|id| *id != Id::NONE);
        let command = self.id_of(view, facts.get(Field::Command), true);
        let taken = delivery.map(Taken::Delivery).or(command.map(Taken::Command));
        self.taken.extend(taken.map(|taken| (self.all.len() as u32, taken)));
    }
}

/// Return whether the reader of a large file sees that a compaction's record is one, and skips what is before
/// it. It looks at the first 256 bytes of a line only, and, where a line goes on from one of its chunks to the
/// next, at the line's beginning.
fn is_skipped_to(view: View, place: &Place) -> bool {
    const NAME: &[u8] = b"\"compact_boundary\"";
    const SYSTEM: &[u8] = b"{\"type\":\"system\"";
    const WINDOW: usize = 256;
    /// What a chunk must have of the line for its beginning to be looked at.
    const LEAST: u64 = 30;
    if place.around != Around::Blanks || !place.ended {
        return false;
    }
    let start = place.offset - place.lead as u64;
    let end = place.offset + place.length + place.rest as u64;
    let chunk = end / CHUNK * CHUNK;
    if start < chunk && chunk - start >= LEAST {
        let at = place.range.start;
        return place.lead == 0 && view.equals(at..(at + SYSTEM.len()).min(view.len()), SYSTEM);
    }
    let Some(window) = WINDOW.checked_sub(place.lead) else { return false };
    let at = place.range.start;
    (at..at + window)
        .any(|from| from + NAME.len() <= place.range.end && view.equals(from..from + NAME.len(), NAME))
}

impl Sink for Entries {
    fn record(&mut self, _record: &Record, _line: u64, _offset: u64) {
        unreachable!("`placed` takes all records");
    }

    fn placed(&mut self, record: &Record, place: Place) {
        let mut facts = std::mem::replace(&mut self.facts, Facts::new());
        let mut scratch = std::mem::take(&mut self.scratch);
        extract(record.bytes(), place.range.clone(), &mut scratch, &mut facts, |facts, view, at| {
            let range = at..at + place.range.len();
            self.add(facts, view, &Place { range, ..place.clone() });
        });
        (self.facts, self.scratch) = (facts, scratch);
    }

    fn proved(&mut self, facts: &Facts, view: View, place: Place) {
        self.add(facts, view, &place);
    }

    fn defect(&mut self, defect: Defect) {
        self.defect_count += 1;
        if self.defects.len() < MOST_DEFECTS {
            self.defects.push(defect);
        }
    }

    fn more_defects(&mut self, count: u64) {
        self.defect_count += count;
    }
}
