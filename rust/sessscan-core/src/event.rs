//! What one record says: its type, whether a human wrote it, and the events it stands for.

use crate::record::{Key, Record, View};
use crate::text;
use crate::time;
use crate::value;
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
        match name {
            USER => RecordType::User,
            ASSISTANT => RecordType::Assistant,
            CUSTOM_TITLE => RecordType::CustomTitle,
            AI_TITLE => RecordType::AiTitle,
            SUMMARY => RecordType::Summary,
            WORKTREE_STATE => RecordType::WorktreeState,
            RELOCATED => RecordType::Relocated,
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

/// The text of a `user` record that a human typed; None if none did.
pub(crate) fn human_prompt(record: &Record, scratch: &mut Vec<u8>) -> Option<String> {
    let by_the_machine = record.is_given(Key::ToolUseResult)
        || [Key::IsMeta, Key::IsCompactSummary, Key::IsSidechain].iter().any(|key| record.is_true(*key));
    if by_the_machine {
        return None;
    }
    let message = record.view().copy(record.range(Key::Message)?, scratch);
    let text = message_text(member(message, "content")?)?;
    let begin = text.trim_start_matches(text::is_space);
    let human = !begin.is_empty() && !NOT_HUMAN.iter().any(|prefix| begin.starts_with(prefix));
    human.then_some(text)
}

/// The model that an `assistant` record's message names, if it names a real one.
pub(crate) fn model_of(message: &[u8]) -> Option<String> {
    let model = value::string(member(message, "model")?)?;
    (!model.is_empty() && model != "<synthetic>").then(|| model.into_owned())
}

/// The raw value of the last member of that name.
fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    value::members(object, |key, raw| {
        if key == name {
            found = Some(raw);
        }
    })?;
    found
}

/// A message's content as one text; None if a tool wrote it.
fn message_text(content: &[u8]) -> Option<String> {
    if let Some(text) = value::string(content) {
        return Some(text.into_owned());
    }
    let mut texts = Vec::new();
    let mut by_a_tool = false;
    value::elements(content, |block| {
        let (mut kind, mut text) = (None, None);
        let is_object = value::members(block, |key, raw| match &*key {
            "type" => kind = value::string(raw),
            "text" => text = value::string(raw),
            _ => {}
        });
        if is_object.is_some() {
            match kind.as_deref() {
                Some("tool_result") => by_a_tool = true,
                Some("text") => texts.extend(text),
                _ => {}
            }
        }
    })?;
    (!by_a_tool).then(|| texts.join(" "))
}
