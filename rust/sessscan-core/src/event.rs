//! What one record says: its type, whether a human wrote it, and the events it stands for.

use crate::bytes::View;
use crate::record::{Key, Record, RecordBytes};
use crate::text::{self, Folded};
use crate::time;
use crate::value::{self, Values};
use std::ops::Range;

/// One thing that happened in a session, as a line tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The line it stands on, from 1.
    pub line: u64,
    /// Where its record begins in the file, in bytes.
    pub offset: u64,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The session was given a title.
    Title(String, TitleSource),
    /// The working directory, whenever it differs from the one before.
    Cwd(String),
    /// A time, in epoch milliseconds.
    Timestamp(i64),
}

/// Where a title comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TitleSource {
    /// The user gave it (`custom-title`).
    Custom,
    /// The model found it (`ai-title`).
    Ai,
    /// A summary of the conversation, as old versions wrote it.
    Summary,
    /// The first prompt.
    Prompt,
}

impl TitleSource {
    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            TitleSource::Custom => "custom",
            TitleSource::Ai => "ai",
            TitleSource::Summary => "summary",
            TitleSource::Prompt => "prompt",
        }
    }
}

/// The record types that say something about a session beyond what all records say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    User,
    Assistant,
    CustomTitle,
    AiTitle,
    Summary,
    WorktreeState,
    Relocated,
    Tag,
    LastPrompt,
    Other,
}

impl RecordType {
    #[inline]
    pub(crate) fn of(record: &Record, scratch: &mut Vec<u8>) -> RecordType {
        let Some(range) = record.string_range(Key::Type) else { return RecordType::Other };
        match record.view().short(range.clone()).map_or(RecordType::Other, RecordType::named) {
            RecordType::Other if !record.is_plain(Key::Type) => {
                // It may be spelled with escapes.
                let raw = record.view().copy(range, scratch);
                let name = if raw.contains(&b'\\') { text::decode(raw) } else { None };
                name.and_then(|name| View::new(name.as_bytes()).short(0..name.len()))
                    .map_or(RecordType::Other, RecordType::named)
            }
            known => known,
        }
    }

    #[inline]
    fn named(name: u128) -> RecordType {
        const fn number(name: &[u8]) -> u128 {
            let mut bytes = [0; 16];
            let mut at = 0;
            while at < name.len() {
                bytes[at] = name[at];
                at += 1;
            }
            u128::from_le_bytes(bytes)
        }
        const USER: u128 = number(b"user");
        const ASSISTANT: u128 = number(b"assistant");
        const CUSTOM_TITLE: u128 = number(b"custom-title");
        const AI_TITLE: u128 = number(b"ai-title");
        const SUMMARY: u128 = number(b"summary");
        const WORKTREE_STATE: u128 = number(b"worktree-state");
        const RELOCATED: u128 = number(b"relocated");
        const TAG: u128 = number(b"tag");
        const LAST_PROMPT: u128 = number(b"last-prompt");
        match name {
            USER => RecordType::User,
            ASSISTANT => RecordType::Assistant,
            CUSTOM_TITLE => RecordType::CustomTitle,
            AI_TITLE => RecordType::AiTitle,
            SUMMARY => RecordType::Summary,
            WORKTREE_STATE => RecordType::WorktreeState,
            RELOCATED => RecordType::Relocated,
            TAG => RecordType::Tag,
            LAST_PROMPT => RecordType::LastPrompt,
            _ => RecordType::Other,
        }
    }
}

/// The text of a string value; None if the value is absent, no string or not decodable.
pub(crate) fn text_of(record: &Record, key: Key, scratch: &mut Vec<u8>) -> Option<String> {
    text_at(record.view(), record.string_range(key)?, scratch)
}

/// The same, of what stands between two quotes.
pub(crate) fn text_at(view: View, range: Range<usize>, scratch: &mut Vec<u8>) -> Option<String> {
    text::decode(view.copy(range, scratch)).map(|text| text.into_owned())
}

/// The same, if it is not empty.
pub(crate) fn filled_text_of(record: &Record, key: Key, scratch: &mut Vec<u8>) -> Option<String> {
    let range = record.string_range(key).filter(|range| !range.is_empty())?;
    text_at(record.view(), range, scratch)
}

/// The top-level timestamp, in epoch milliseconds.
pub(crate) fn time_of(record: &Record, scratch: &mut Vec<u8>) -> Option<i64> {
    let raw = record.view().copy(record.string_range(Key::Timestamp)?, scratch);
    // What has an escape in it may still spell a time; nobody writes that, but it is JSON.
    time::parse(raw).or_else(|| raw.contains(&b'\\').then(|| time::parse(text::decode(raw)?.as_bytes()))?)
}

/// A title that a record of this type gives the session.
pub(crate) fn title_of(
    record: &Record,
    of: RecordType,
    scratch: &mut Vec<u8>,
) -> Option<(String, TitleSource)> {
    let (key, source) = match of {
        RecordType::CustomTitle => (Key::CustomTitle, TitleSource::Custom),
        RecordType::AiTitle => (Key::AiTitle, TitleSource::Ai),
        _ => return None,
    };
    Some((filled_text_of(record, key, scratch)?, source))
}

/// What begins a user record's text when no human wrote it (FORMATS, Turns: from the official SDK's source).
const NOT_HUMAN: [&str; 7] = [
    "<command-name>",
    "<local-command",
    "[Request interrupted",
    "<task-notification>",
    "<bash-",
    "<system-reminder>",
    "<teammate-message",
];

/// As many characters as the longest of these has.
const BEGINNING: usize = 20;

/// What a `user` record is, if a human made it.
pub(crate) enum Input {
    /// The first characters of what was typed, white space folded.
    Prompt(String),
    /// The name of a slash command, where the record begins with it.
    Command(String),
}

const COMMAND: (&str, &str) = ("<command-name>", "</command-name>");

/// What a human typed, of a `user` record: its first `wanted` characters, among which a command's name has to be; None
/// if nobody did.
pub(crate) fn human_input(record: &Record, wanted: usize, scratch: &mut Vec<u8>) -> Option<Input> {
    let by_the_machine = record.is_given(Key::ToolUseResult)
        || [Key::IsMeta, Key::IsCompactSummary, Key::IsSidechain].iter().any(|key| record.is_true(*key));
    if by_the_machine {
        return None;
    }
    let message = record.range(Key::Message)?;
    match record.bytes().plain.and_then(|plain| plain.values(message.end)) {
        Some(values) => input_in(&values, message.start, wanted),
        None => input_in(record.view().copy(message, scratch), 0, wanted),
    }
}

fn input_in<V: Values + ?Sized>(values: &V, message: usize, wanted: usize) -> Option<Input> {
    let mut prompt = Prompt { begun: false, beginning: String::new(), folded: Folded::new(wanted) };
    let mut scratch = Vec::new();
    for text in texts(values, member(values, message, b"content")?)? {
        if prompt.is_known() {
            break;
        }
        if std::mem::replace(&mut prompt.begun, true) {
            prompt.push(" ");
        }
        value::decode_pieces(values, text, &mut scratch, |piece| {
            prompt.push(piece);
            prompt.is_known()
        });
    }
    let human =
        !prompt.beginning.is_empty() && !NOT_HUMAN.iter().any(|prefix| prompt.beginning.starts_with(prefix));
    let text = prompt.folded.into_text();
    if human {
        return Some(Input::Prompt(text));
    }
    let (name, _) = text.strip_prefix(COMMAND.0)?.split_once(COMMAND.1)?;
    let name = name.trim_matches(' ');
    (!name.is_empty()).then(|| Input::Command(name.to_owned()))
}

/// A prompt taking shape: as much of it as has to be known.
struct Prompt {
    begun: bool,
    /// Without the white space in front.
    beginning: String,
    folded: Folded,
}

impl Prompt {
    fn push(&mut self, text: &str) {
        self.folded.push(text);
        let room = BEGINNING.saturating_sub(self.beginning.chars().count());
        let text = if self.beginning.is_empty() { text.trim_start_matches(text::is_space) } else { text };
        self.beginning.extend(text.chars().take(room));
    }

    fn is_known(&self) -> bool {
        self.folded.is_full() && self.beginning.chars().count() >= BEGINNING
    }
}

/// The texts of a message's content, as they stand between quotes; None if a tool wrote it.
fn texts<V: Values + ?Sized>(values: &V, content: Range<usize>) -> Option<Vec<Range<usize>>> {
    if let Some(text) = value::inside(values, content.clone()).filter(|text| values.decodes(text.clone())) {
        return Some(vec![text]);
    }
    let mut texts = Vec::new();
    let mut by_a_tool = false;
    value::elements(values, content.start, |block| {
        let (mut kind, mut text) = (0..0, None);
        let is_object = value::members(values, block.start, |key, value| match key {
            b"type" => kind = value,
            b"text" => text = value::inside(values, value),
            _ => {}
        });
        if is_object.is_some() {
            by_a_tool |= value::spells(values, kind.clone(), b"tool_result");
            if value::spells(values, kind, b"text") {
                texts.extend(text.filter(|text| values.decodes(text.clone())));
            }
        }
    })?;
    (!by_a_tool).then_some(texts)
}

/// The model that an `assistant` record's message names, if it names a real one.
pub(crate) fn model_of(bytes: RecordBytes, message: Range<usize>, scratch: &mut Vec<u8>) -> Option<String> {
    fn model_in<V: Values + ?Sized>(values: &V, message: usize) -> Option<String> {
        value::string(values, member(values, message, b"model")?)
    }
    let model = match bytes.plain.and_then(|plain| plain.values(message.end)) {
        Some(values) => model_in(&values, message.start),
        None => model_in(bytes.view.copy(message, scratch), 0),
    };
    model.filter(|model| !model.is_empty() && model != "<synthetic>")
}

/// Where the value of the last member of that name is.
fn member<V: Values + ?Sized>(values: &V, object: usize, name: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    value::members(values, object, |key, value| {
        if key == name {
            found = Some(value);
        }
    })?;
    found
}
