//! Build a transcript's summary from its records.

use crate::bytes::View;
use crate::event::{self, RecordType, TitleSource};
use crate::prompt::{self, Input};
use crate::record::{Key, Record, RecordBytes};
use crate::text;
use crate::transcript::{Defect, MOST_DEFECTS, Transcript, Worktree};
use crate::value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// At most this many characters of the first prompt are kept.
const PROMPT_CHARACTERS: usize = 200;

/// At most this many summaries are kept, and this many bytes of them: the last ones. The one that titles a
/// session is among the last few.
const MOST_SUMMARIES: usize = 10_000;
const MOST_SUMMARY_BYTES: usize = 16 << 20;

/// At most this many messages wait for their model to be read.
const MOST_PENDING: usize = 100_000;

/// The smallest and the largest time of some records.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Span {
    millis: Option<(i64, i64)>,
    /// Two of those times as they are spelled. A time that is spelled in the same way and lies between them
    /// changes nothing.
    spelled: Option<(Spelling, Spelling)>,
}

/// The 24 bytes of `YYYY-MM-DDTHH:MM:SS.mmmZ` as numbers, which are ordered as the times are.
type Spelling = [u64; 3];

impl Span {
    fn add(&mut self, millis: i64, spelling: Option<Spelling>) {
        let (first, last) = self.millis.unwrap_or((millis, millis));
        self.millis = Some((first.min(millis), last.max(millis)));
        if let Some(spelling) = spelling {
            let (first, last) = self.spelled.unwrap_or((spelling, spelling));
            self.spelled = Some((first.min(spelling), last.max(spelling)));
        }
    }

    /// Return whether a time of this spelling, if it is one at all, lies between two that were added.
    #[inline]
    fn covers(&self, spelling: Spelling) -> bool {
        self.spelled.is_some_and(|(first, last)| first <= spelling && spelling <= last)
    }

    fn append(&mut self, later: Span) {
        for millis in later.millis.into_iter().flat_map(|(first, last)| [first, last]) {
            self.add(millis, None);
        }
    }
}

/// Return how the timestamp is spelled, if it is spelled in the usual way.
#[inline]
fn spelling(record: &Record) -> Option<Spelling> {
    let range = record.string_range(Key::Timestamp)?;
    if range.len() != 24 {
        return None;
    }
    let (date, rest) = (
        record.view().short(range.start..range.start + 16)?,
        record.view().short(range.start + 16..range.end)?,
    );
    let spelling =
        [(date as u64).swap_bytes(), ((date >> 64) as u64).swap_bytes(), (rest as u64).swap_bytes()];
    // Among times of 24 bytes, the order of their bytes differs from that of the times only with a small t,
    // with local offsets, and with the leap second, which counts as the next minute's first.
    let large_t = (date >> 80) as u8 == b'T';
    let zulu = spelling[2] as u8 == b'Z';
    let leap = (spelling[2] >> 48) as u8 == b'6';
    (large_t && zulu && !leap).then_some(spelling)
}

/// A `summary` record. It is a title of this session only if its leaf is a record of this file.
#[derive(Clone, Serialize, Deserialize)]
struct Summary {
    /// Its number among the file's summaries.
    order: u64,
    text: String,
    leaf_seen: bool,
}

/// The keys of which the first and the last non-empty value are kept.
const FIRST_AND_LAST_KEYS: [Key; 5] = [Key::Cwd, Key::GitBranch, Key::Version, Key::Entrypoint, Key::Uuid];

/// The first and the last value of a key.
#[derive(Clone, Default, Serialize, Deserialize)]
struct FirstAndLast {
    first: Option<String>,
    last: Option<String>,
    /// Where a later last value is, in bytes that are still there.
    #[serde(skip)]
    pending: Option<Range<usize>>,
}

impl FirstAndLast {
    fn set(&mut self, text: String) {
        self.pending = None;
        if self.first.is_none() {
            self.first = Some(text.clone());
        }
        self.last = Some(text);
    }
}

/// Return a uuid as 128 bits: its own if it is spelled as usual, else those of a digest.
fn compact(uuid: &str) -> u128 {
    let hyphens = uuid.len() == 36 && [8, 13, 18, 23].iter().all(|at| uuid.as_bytes()[*at] == b'-');
    let digits = uuid.bytes().filter(|byte| *byte != b'-').try_fold((0_u128, 0), |(number, count), byte| {
        let digit = (byte as char).to_digit(16).filter(|_| !byte.is_ascii_uppercase())?;
        Some((number << 4 | u128::from(digit), count + 1))
    });
    match digits {
        Some((number, 32)) if hyphens => number,
        _ => {
            let digest: [u8; 32] = Sha256::digest(uuid).into();
            u128::from_le_bytes(digest[..16].try_into().expect("sixteen bytes"))
        }
    }
}

/// Builds a transcript's summary, record by record.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TranscriptBuilder {
    /// What joins without the fields below.
    result: Transcript,
    /// The session named by the last `continued-in` record, and when.
    continued: Option<(String, Option<i64>)>,
    own_times: Span,
    all_times: Span,
    chain_records: u64,
    main_chain_records: u64,
    first_and_last: [FirstAndLast; FIRST_AND_LAST_KEYS.len()],
    /// The summaries by leaf: of those with the same leaf only the last can count.
    summaries: HashMap<String, Summary>,
    summaries_read: u64,
    /// How many bytes their texts and leaves have.
    summary_bytes: usize,
    /// How many of them had all bytes before them searched for their leaf.
    #[serde(skip)]
    summaries_searched: u64,
    /// The uuids of all records, if the bytes cannot be read a second time to look for a leaf.
    uuids: Option<Vec<u128>>,
    /// The messages of assistant records since the last `flush`. Only the last model counts, so they are
    /// searched backwards.
    #[serde(skip)]
    pending_messages: Vec<Range<usize>>,
    #[serde(skip)]
    scratch: Vec<u8>,
}

impl TranscriptBuilder {
    pub(crate) fn new(session_id: Option<String>) -> TranscriptBuilder {
        TranscriptBuilder {
            result: Transcript { session_id, ..Transcript::default() },
            continued: None,
            own_times: Span::default(),
            all_times: Span::default(),
            chain_records: 0,
            main_chain_records: 0,
            first_and_last: Default::default(),
            summaries: HashMap::new(),
            summaries_read: 0,
            summary_bytes: 0,
            summaries_searched: 0,
            uuids: None,
            pending_messages: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Return a builder that keeps all uuids, at 16 bytes each, for bytes that can be read only once.
    pub(crate) fn for_one_pass(session_id: Option<String>) -> TranscriptBuilder {
        TranscriptBuilder { uuids: Some(Vec::new()), ..TranscriptBuilder::new(session_id) }
    }

    pub(crate) fn line(&mut self) {
        self.result.lines += 1;
    }

    pub(crate) fn defect(&mut self, defect: Defect) {
        self.result.defect_count += 1;
        if self.result.defects.len() < MOST_DEFECTS {
            self.result.defects.push(defect);
        }
    }

    /// Count defects that lie behind more of their line than are kept.
    pub(crate) fn more_defects(&mut self, count: u64) {
        self.result.defect_count += count;
    }

    /// Take in a record. `flush` must be called before its bytes go away.
    pub(crate) fn record(&mut self, record: &Record) {
        let scratch = &mut self.scratch;
        let result = &mut self.result;
        result.records += 1;

        let own = match (&result.session_id, record.string_range(Key::SessionId)) {
            (Some(stem), Some(range)) => {
                spells(record.view(), range, stem, record.is_plain(Key::SessionId), scratch)
            }
            _ => false,
        };
        result.own_records += u64::from(own);
        let spelling = spelling(record);
        let times = if own { &self.own_times } else { &self.all_times };
        if !spelling.is_some_and(|spelling| times.covers(spelling))
            && let Some(millis) = event::time_of(record, scratch)
        {
            self.all_times.add(millis, spelling);
            if own {
                self.own_times.add(millis, spelling);
            }
        }
        if record.has(Key::ParentUuid) {
            self.chain_records += 1;
            self.main_chain_records += u64::from(!record.is_true(Key::IsSidechain));
        }
        for (at, key) in FIRST_AND_LAST_KEYS.into_iter().enumerate() {
            let Some(range) = record.string_range(key).filter(|range| !range.is_empty()) else { continue };
            if record.is_plain(key) && self.first_and_last[at].first.is_some() {
                // It can be decoded, so it is the last one so far. It is decoded in `flush`, if still the
                // last.
                self.first_and_last[at].pending = Some(range);
            } else if let Some(text) = event::text_at(record.view(), range, scratch) {
                self.first_and_last[at].set(text);
            }
        }
        if (!self.summaries.is_empty() || self.uuids.is_some())
            && let Some(uuid) = event::text_of(record, Key::Uuid, scratch)
        {
            self.leaf_found(&uuid);
            if let Some(uuids) = &mut self.uuids {
                uuids.push(compact(&uuid));
            }
        }
        self.by_type(record);
    }

    fn by_type(&mut self, record: &Record) {
        let scratch = &mut self.scratch;
        let result = &mut self.result;
        match RecordType::of(record, scratch) {
            RecordType::User => {
                // One character more, to know whether it is cut.
                let wanted = if result.first_prompt.is_none() { PROMPT_CHARACTERS + 1 } else { 0 };
                match prompt::human_input(record, wanted, scratch) {
                    Some(Input::Prompt(prompt)) => {
                        result.turns += 1;
                        result.first_prompt.get_or_insert(prompt);
                    }
                    Some(Input::Command(name)) => {
                        result.first_command.get_or_insert(name);
                    }
                    None => {}
                }
            }
            RecordType::Assistant => {
                if self.pending_messages.len() == MOST_PENDING {
                    self.flush(record.bytes());
                }
                self.pending_messages.extend(record.range(Key::Message));
            }
            of @ (RecordType::CustomTitle | RecordType::AiTitle) => {
                match event::title_of(record, of, scratch) {
                    Some((title, TitleSource::Custom)) => result.custom_title = Some(title),
                    Some((title, _)) => result.ai_title = Some(title),
                    None => {}
                }
            }
            RecordType::Summary => {
                let text = event::text_of(record, Key::Summary, scratch);
                let leaf = event::text_of(record, Key::LeafUuid, scratch);
                if let (Some(text), Some(leaf)) = (text, leaf) {
                    let itself = event::text_of(record, Key::Uuid, scratch).as_ref() == Some(&leaf);
                    self.summaries_read += 1;
                    let order = self.summaries_read;
                    self.summary_bytes += leaf.len() + text.len();
                    let summary = self.summaries.entry(leaf).or_insert(Summary {
                        order,
                        text: String::new(),
                        leaf_seen: false,
                    });
                    *summary = Summary { order, text, leaf_seen: summary.leaf_seen || itself };
                    self.drop_old_summaries();
                }
            }
            RecordType::WorktreeState => {
                if let Some(range) = record.range(Key::WorktreeSession)
                    && let Some(worktree) = worktree(record.view().copy(range, scratch))
                {
                    result.worktree = Some(worktree);
                }
            }
            RecordType::Relocated => {
                if let Some(cwd) = event::filled_text_of(record, Key::RelocatedCwd, scratch) {
                    result.relocated_cwd = Some(cwd);
                }
            }
            // An empty tag takes the one before away.
            RecordType::Tag => result.tag = event::text_of(record, Key::Tag, scratch).or(result.tag.take()),
            RecordType::LastPrompt => {
                if let Some(prompt) = event::filled_text_of(record, Key::LastPrompt, scratch) {
                    result.last_prompt = Some(prompt);
                }
            }
            RecordType::ContinuedIn => {
                if let Some(session_id) = event::filled_text_of(record, Key::ContinuedInSessionId, scratch) {
                    self.continued = Some((session_id, event::time_of(record, scratch)));
                }
            }
            RecordType::Other => {}
        }
    }

    /// Drop the older summaries if they are too many, but not the last one whose leaf is known.
    fn drop_old_summaries(&mut self) {
        if self.summaries.len() <= MOST_SUMMARIES && self.summary_bytes <= MOST_SUMMARY_BYTES {
            return;
        }
        let mut all: Vec<(String, Summary)> = self.summaries.drain().collect();
        all.sort_unstable_by_key(|(_, summary)| std::cmp::Reverse(summary.order));
        let known = all.iter().find(|(_, summary)| summary.leaf_seen).map(|(_, summary)| summary.order);
        self.summary_bytes = 0;
        for (leaf, summary) in all {
            let bytes = leaf.len() + summary.text.len();
            let fits = self.summaries.len() < MOST_SUMMARIES / 2
                && self.summary_bytes + bytes <= MOST_SUMMARY_BYTES / 2;
            if fits || self.summaries.is_empty() || Some(summary.order) == known {
                self.summary_bytes += bytes;
                self.summaries.insert(leaf, summary);
            }
        }
    }

    /// Decode what is still needed of the bytes of the records since the last call, before they go away.
    pub(crate) fn flush(&mut self, bytes: RecordBytes) {
        for value in &mut self.first_and_last {
            if let Some(range) = value.pending.take()
                && let Some(text) = event::text_at(bytes.line.view, range, &mut self.scratch)
            {
                value.set(text);
            }
        }
        while let Some(range) = self.pending_messages.pop() {
            if let Some(model) = event::model_of(bytes, range, &mut self.scratch) {
                self.result.model = Some(model);
                self.pending_messages.clear();
            }
        }
    }

    /// Return the leaves of summaries that would title this session if a record before them bore that uuid.
    ///
    /// Not those that a later record bears, nor those of summaries before one whose leaf is known, nor those
    /// that all earlier bytes were already searched for: `record` finds them in the bytes that come later.
    pub(crate) fn unresolved_leaves(&self) -> HashSet<String> {
        let known =
            self.summaries.values().filter(|summary| summary.leaf_seen).map(|summary| summary.order).max();
        self.summaries
            .iter()
            .filter(|(_, summary)| Some(summary.order) > known && summary.order > self.summaries_searched)
            .map(|(leaf, _)| leaf.clone())
            .collect()
    }

    /// Note that all bytes so far were searched for the unresolved leaves. Returns what to hand to `resume`
    /// when a saved builder goes on.
    pub(crate) fn searched(&mut self) -> u64 {
        self.summaries_searched = self.summaries_read;
        self.summaries_searched
    }

    /// Go on with a builder that was saved.
    pub(crate) fn resume(&mut self, summaries_searched: u64) {
        self.summaries_searched = summaries_searched;
    }

    /// Note that a record of this file has this uuid.
    pub(crate) fn leaf_found(&mut self, uuid: &str) {
        if let Some(summary) = self.summaries.get_mut(uuid) {
            summary.leaf_seen = true;
        }
    }

    /// Take in what was found in the bytes that follow, which begin after this file's first `lines` lines.
    pub(crate) fn append(&mut self, later: TranscriptBuilder, lines: u64) {
        // Every field is named here, so that none can be forgotten.
        let TranscriptBuilder {
            result,
            continued,
            own_times,
            all_times,
            chain_records,
            main_chain_records,
            first_and_last,
            summaries,
            summaries_read,
            summary_bytes,
            summaries_searched: _, // of the later bytes alone
            uuids: _,              // a file that is scanned in parts can be read a second time
            pending_messages: _,   // `finish` of a scanner flushes
            scratch: _,
        } = later;
        self.result.append(result, lines);
        self.continued = continued.or(self.continued.take());
        self.own_times.append(own_times);
        self.all_times.append(all_times);
        self.chain_records += chain_records;
        self.main_chain_records += main_chain_records;
        for (value, more) in self.first_and_last.iter_mut().zip(first_and_last) {
            value.first = value.first.take().or(more.first);
            value.last = more.last.or(value.last.take());
        }
        for (leaf, more) in summaries {
            let leaf_seen =
                more.leaf_seen || self.summaries.get(&leaf).is_some_and(|summary| summary.leaf_seen);
            let order = self.summaries_read + more.order;
            self.summaries.insert(leaf, Summary { order, text: more.text, leaf_seen });
        }
        self.summaries_read += summaries_read;
        self.summary_bytes += summary_bytes;
        self.drop_old_summaries();
    }

    /// Return what the whole file says, which has `size` bytes.
    pub(crate) fn finish(mut self, size: u64) -> Transcript {
        if let Some(uuids) = self.uuids.take() {
            let doubt: HashMap<u128, String> =
                self.unresolved_leaves().into_iter().map(|leaf| (compact(&leaf), leaf)).collect();
            if !doubt.is_empty() {
                uuids.iter().filter_map(|uuid| doubt.get(uuid)).for_each(|leaf| self.leaf_found(leaf));
            }
        }
        let mut result = self.result;
        result.size = size;
        result.tag.take_if(|tag| tag.is_empty());
        if let Some(prompt) = &mut result.first_prompt {
            result.first_command = None;
            if let Some((end, _)) = prompt.char_indices().nth(PROMPT_CHARACTERS) {
                prompt.truncate(end);
                result.first_prompt_is_cut = true;
            }
        }
        result.summary = self
            .summaries
            .into_values()
            .filter(|summary| summary.leaf_seen)
            .max_by_key(|summary| summary.order)
            .map(|summary| summary.text);
        (result.continued_in, result.continued_at) = match self.continued {
            Some((session_id, time)) => (Some(session_id), time),
            None => (None, None),
        };
        let [cwd, git_branch, version, entrypoint, uuid] = self.first_and_last;
        (result.cwd, result.last_cwd) = (cwd.first, cwd.last);
        (result.git_branch, result.version) = (git_branch.last, version.last);
        (result.born_in, result.entrypoint) = (entrypoint.first, entrypoint.last);
        (result.first_uuid, result.last_uuid) = (uuid.first, uuid.last);
        if let Some((first, last)) = self.own_times.millis.or(self.all_times.millis) {
            result.created_at = Some(first);
            result.last_activity_at = Some(last);
        }
        result.is_sidechain = self.chain_records > 0 && self.main_chain_records == 0;
        result
    }
}

/// Return whether what is between two quotes spells this text.
#[inline]
fn spells(view: View, range: Range<usize>, text: &str, plain: bool, scratch: &mut Vec<u8>) -> bool {
    view.equals(range.clone(), text.as_bytes())
        || !plain && {
            let raw = view.copy(range, scratch);
            raw.contains(&b'\\') && text::decode(raw).is_some_and(|decoded| decoded == text)
        }
}

fn worktree(raw: &[u8]) -> Option<Worktree> {
    let mut found = Worktree::default();
    value::members(raw, 0, |key, value| {
        let field = match key {
            b"worktreePath" => &mut found.path,
            b"worktreeName" => &mut found.name,
            b"worktreeBranch" => &mut found.branch,
            b"originalCwd" => &mut found.original_cwd,
            b"originalBranch" => &mut found.original_branch,
            _ => return,
        };
        *field = value::string(raw, value);
    })?;
    Some(found)
}
