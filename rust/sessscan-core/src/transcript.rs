//! Records folded into what is known of one session.

use crate::bytes::View;
use crate::event::{self, Input, RecordType, TitleSource};
use crate::line::DefectKind;
use crate::record::{Key, Record, RecordBytes};
use crate::text;
use crate::value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// At most this many characters of the first prompt are kept.
const PROMPT_CHARACTERS: usize = 200;

/// Something wrong with bytes of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Defect {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How many bytes it covers.
    pub length: u64,
    /// What is wrong.
    pub kind: DefectKind,
}

/// The git worktree that a session works in, as its own `worktree-state` line says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Worktree {
    pub path: Option<String>,
    pub name: Option<String>,
    pub branch: Option<String>,
    pub original_cwd: Option<String>,
    pub original_branch: Option<String>,
}

/// What a transcript says of its session. Times are epoch milliseconds UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// Bytes scanned.
    pub size: u64,
    /// The file's stem.
    pub session_id: Option<String>,
    /// Lines that are not blank.
    pub lines: u64,
    /// Records; a glued line has several.
    pub records: u64,
    /// The last title that the user gave.
    pub custom_title: Option<String>,
    /// The last title that the model found.
    pub ai_title: Option<String>,
    /// The last summary of a conversation that is in this file.
    pub summary: Option<String>,
    /// The first human prompt, white space folded, at most 200 characters.
    pub first_prompt: Option<String>,
    /// It is longer than that.
    pub first_prompt_is_cut: bool,
    /// Of a session without any prompt: the first slash command.
    pub first_command: Option<String>,
    /// The first top-level cwd.
    pub cwd: Option<String>,
    /// The last one.
    pub last_cwd: Option<String>,
    /// The last git branch.
    pub git_branch: Option<String>,
    /// The last CLI version that wrote to it.
    pub version: Option<String>,
    /// How the session was last entered.
    pub entrypoint: Option<String>,
    /// How it was entered first: where it was born.
    pub born_in: Option<String>,
    /// The last model that answered.
    pub model: Option<String>,
    /// The last worktree.
    pub worktree: Option<Worktree>,
    /// Where the session was last moved to.
    pub relocated_cwd: Option<String>,
    /// The user's tag: what the last `tag` record says, if that is not empty.
    pub tag: Option<String>,
    /// The last prompt that a `last-prompt` record repeats.
    pub last_prompt: Option<String>,
    /// The session that this one goes on in: what the last `continued-in` record with such an id names.
    pub continued_in: Option<String>,
    /// The timestamp of that record.
    pub continued_at: Option<i64>,
    /// The file's mtime when it was opened for this scan; None for bytes and streams.
    pub modified_at: Option<i64>,
    /// The smallest timestamp of the session's own records; where they have none, of all.
    pub created_at: Option<i64>,
    /// The largest one, likewise.
    pub last_activity_at: Option<i64>,
    /// Human prompts.
    pub turns: u64,
    /// Every record of the chain belongs to a subagent.
    pub is_sidechain: bool,
    /// The uuid of the first record that has one.
    pub first_uuid: Option<String>,
    /// The uuid of the last one that has.
    pub last_uuid: Option<String>,
    /// Records whose sessionId is the file's stem.
    pub own_records: u64,
    /// What is wrong with its bytes, in the order of the file.
    pub defects: Vec<Defect>,
}

impl Transcript {
    /// The best title there is, and where it comes from.
    pub fn title(&self) -> Option<(&str, TitleSource)> {
        [
            (&self.custom_title, TitleSource::Custom),
            (&self.ai_title, TitleSource::Ai),
            (&self.summary, TitleSource::Summary),
            (&self.first_prompt, TitleSource::Prompt),
        ]
        .into_iter()
        .find_map(|(title, source)| Some((title.as_deref().filter(|title| !title.is_empty())?, source)))
    }
}

/// Smallest and largest time seen.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Span {
    millis: Option<(i64, i64)>,
    /// Two of the times seen, as they are spelled. What is spelled alike and lies between them changes nothing.
    spelled: Option<(Spelling, Spelling)>,
}

/// The 24 bytes of `YYYY-MM-DDTHH:MM:SS.mmmZ`, as numbers in the order of time.
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

    /// Whether a time so spelled, if it is one at all, lies between two that were seen.
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

/// How the timestamp is spelled, if it is in the usual way.
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
    // Of all that is a time and has 24 bytes, only these are not in the order of their bytes: those with a small t, local
    // offsets, and the leap second, which counts as the next minute's first.
    let large_t = (date >> 80) as u8 == b'T';
    let zulu = spelling[2] as u8 == b'Z';
    let leap = (spelling[2] >> 48) as u8 == b'6';
    (large_t && zulu && !leap).then_some(spelling)
}

/// A `summary` record: it titles this session only if its leaf is in this file.
#[derive(Clone, Serialize, Deserialize)]
struct Summary {
    /// Which one it was of the file's summaries.
    order: u64,
    text: String,
    leaf_seen: bool,
}

/// The keys of which the first and the last value that is not empty are kept.
const LAST_ONES: [Key; 5] = [Key::Cwd, Key::GitBranch, Key::Version, Key::Entrypoint, Key::Uuid];

/// The first and the last value of a key.
#[derive(Clone, Default, Serialize, Deserialize)]
struct FirstAndLast {
    first: Option<String>,
    last: Option<String>,
    /// A later last one, in bytes that are still there.
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

/// A uuid in little room: its own 128 bits as uuids are written, those of a digest for what is spelled otherwise.
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

/// A session taking shape, record by record.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TranscriptBuilder {
    result: Transcript,
    own_times: Span,
    all_times: Span,
    chain_records: u64,
    main_chain_records: u64,
    lasts: [FirstAndLast; LAST_ONES.len()],
    /// By leaf; of those with the same leaf only the last can count.
    summaries: HashMap<String, Summary>,
    summaries_read: u64,
    /// For the leaves of so many of them all bytes before them were searched.
    #[serde(skip)]
    summaries_searched: u64,
    /// The uuids of all records, where the bytes cannot be read a second time to look for a leaf.
    seen: Option<Vec<u128>>,
    /// Messages of assistant records since the last `flush`: only the last model counts, so the search for it
    /// goes backwards.
    #[serde(skip)]
    pending_messages: Vec<Range<usize>>,
    #[serde(skip)]
    scratch: Vec<u8>,
}

impl TranscriptBuilder {
    pub(crate) fn new(session_id: Option<String>) -> TranscriptBuilder {
        TranscriptBuilder {
            result: Transcript { session_id, ..Transcript::default() },
            own_times: Span::default(),
            all_times: Span::default(),
            chain_records: 0,
            main_chain_records: 0,
            lasts: Default::default(),
            summaries: HashMap::new(),
            summaries_read: 0,
            summaries_searched: 0,
            seen: None,
            pending_messages: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// One that remembers all uuids, at 16 bytes each, since its bytes go by only once.
    pub(crate) fn once(session_id: Option<String>) -> TranscriptBuilder {
        TranscriptBuilder { seen: Some(Vec::new()), ..TranscriptBuilder::new(session_id) }
    }

    pub(crate) fn line(&mut self) {
        self.result.lines += 1;
    }

    pub(crate) fn defect(&mut self, defect: Defect) {
        self.result.defects.push(defect);
    }

    /// Takes in a record. `flush` must follow before its bytes go away.
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
        for (at, key) in LAST_ONES.into_iter().enumerate() {
            let Some(range) = record.string_range(key).filter(|range| !range.is_empty()) else { continue };
            if record.is_plain(key) && self.lasts[at].first.is_some() {
                // It can be decoded, so it is the last one so far; whether to bother is seen when its bytes go away.
                self.lasts[at].pending = Some(range);
            } else if let Some(text) = event::text_at(record.view(), range, scratch) {
                self.lasts[at].set(text);
            }
        }
        if (!self.summaries.is_empty() || self.seen.is_some())
            && let Some(uuid) = event::text_of(record, Key::Uuid, scratch)
        {
            self.leaf_found(&uuid);
            if let Some(seen) = &mut self.seen {
                seen.push(compact(&uuid));
            }
        }
        self.by_type(record);
    }

    fn by_type(&mut self, record: &Record) {
        let scratch = &mut self.scratch;
        let result = &mut self.result;
        match RecordType::of(record, scratch) {
            RecordType::User => {
                // One more, to see whether it is cut.
                let wanted = if result.first_prompt.is_none() { PROMPT_CHARACTERS + 1 } else { 0 };
                match event::human_input(record, wanted, scratch) {
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
            RecordType::Assistant => self.pending_messages.extend(record.range(Key::Message)),
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
                    let summary = self.summaries.entry(leaf).or_insert(Summary {
                        order,
                        text: String::new(),
                        leaf_seen: false,
                    });
                    *summary = Summary { order, text, leaf_seen: summary.leaf_seen || itself };
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
            // An empty one takes the tag away.
            RecordType::Tag => result.tag = event::text_of(record, Key::Tag, scratch).or(result.tag.take()),
            RecordType::LastPrompt => {
                if let Some(prompt) = event::filled_text_of(record, Key::LastPrompt, scratch) {
                    result.last_prompt = Some(prompt);
                }
            }
            RecordType::ContinuedIn => {
                if let Some(session_id) = event::filled_text_of(record, Key::ContinuedInSessionId, scratch) {
                    result.continued_in = Some(session_id);
                    result.continued_at = event::time_of(record, scratch);
                }
            }
            RecordType::Other => {}
        }
    }

    /// The bytes that records were found in since the last call are about to go away.
    pub(crate) fn flush(&mut self, bytes: RecordBytes) {
        for value in &mut self.lasts {
            if let Some(range) = value.pending.take()
                && let Some(text) = event::text_at(bytes.view, range, &mut self.scratch)
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

    /// Leaves of summaries that might title this session, if only they are in the file: those that no record
    /// after the summary bears, and that a summary with a known leaf does not beat. What was searched for once is not
    /// in doubt any more: records that come later tell of themselves.
    pub(crate) fn unresolved_leaves(&self) -> HashSet<String> {
        let known =
            self.summaries.values().filter(|summary| summary.leaf_seen).map(|summary| summary.order).max();
        self.summaries
            .iter()
            .filter(|(_, summary)| Some(summary.order) > known && summary.order > self.summaries_searched)
            .map(|(leaf, _)| leaf.clone())
            .collect()
    }

    /// All bytes so far were searched for the leaves in doubt; what to hand to `resume` if the builder is put away.
    pub(crate) fn searched(&mut self) -> u64 {
        self.summaries_searched = self.summaries_read;
        self.summaries_searched
    }

    /// Goes on with a builder that was put away.
    pub(crate) fn resume(&mut self, summaries_searched: u64) {
        self.summaries_searched = summaries_searched;
    }

    /// A record with this uuid is in the file.
    pub(crate) fn leaf_found(&mut self, uuid: &str) {
        if let Some(summary) = self.summaries.get_mut(uuid) {
            summary.leaf_seen = true;
        }
    }

    /// Takes in what was found in the bytes that follow, of which the first line is this file's `lines`th but one.
    pub(crate) fn append(&mut self, later: TranscriptBuilder, lines: u64) {
        let (result, more) = (&mut self.result, later.result);
        result.lines += more.lines;
        result.records += more.records;
        result.turns += more.turns;
        result.own_records += more.own_records;
        result.custom_title = more.custom_title.or(result.custom_title.take());
        result.ai_title = more.ai_title.or(result.ai_title.take());
        result.model = more.model.or(result.model.take());
        result.worktree = more.worktree.or(result.worktree.take());
        result.relocated_cwd = more.relocated_cwd.or(result.relocated_cwd.take());
        result.tag = more.tag.or(result.tag.take());
        result.last_prompt = more.last_prompt.or(result.last_prompt.take());
        if more.continued_in.is_some() {
            result.continued_in = more.continued_in;
            result.continued_at = more.continued_at;
        }
        result.first_prompt = result.first_prompt.take().or(more.first_prompt);
        result.first_command = result.first_command.take().or(more.first_command);
        result
            .defects
            .extend(more.defects.into_iter().map(|defect| Defect { line: defect.line + lines, ..defect }));
        self.own_times.append(later.own_times);
        self.all_times.append(later.all_times);
        self.chain_records += later.chain_records;
        self.main_chain_records += later.main_chain_records;
        for (value, more) in self.lasts.iter_mut().zip(later.lasts) {
            value.first = value.first.take().or(more.first);
            value.last = more.last.or(value.last.take());
        }
        for (leaf, more) in later.summaries {
            let leaf_seen =
                more.leaf_seen || self.summaries.get(&leaf).is_some_and(|summary| summary.leaf_seen);
            let order = self.summaries_read + more.order;
            self.summaries.insert(leaf, Summary { order, text: more.text, leaf_seen });
        }
        self.summaries_read += later.summaries_read;
    }

    pub(crate) fn finish(mut self, size: u64) -> Transcript {
        if let Some(seen) = self.seen.take() {
            let doubt: HashMap<u128, String> =
                self.unresolved_leaves().into_iter().map(|leaf| (compact(&leaf), leaf)).collect();
            if !doubt.is_empty() {
                seen.iter().filter_map(|uuid| doubt.get(uuid)).for_each(|leaf| self.leaf_found(leaf));
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
        let [cwd, git_branch, version, entrypoint, uuid] = self.lasts;
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

/// Whether what stands between two quotes spells this text.
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
