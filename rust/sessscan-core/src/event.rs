//! Read what one record says: its type, its times, titles and model.

use crate::bytes::View;
use crate::record::{Key, Record, RecordBytes};
use crate::text;
use crate::time;
use crate::value::long::{LONG, LongValues};
use crate::value::{self, Values, member};
use std::ops::Range;

/// One event of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The line it is on, from 1.
    pub line: u64,
    /// The offset at which its record begins in the file, in bytes.
    pub offset: u64,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events, with their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A title that the session was given, and its source.
    Title(String, TitleSource),
    /// The working directory, whenever it differs from the one before.
    Cwd(String),
    /// A record's time, in epoch milliseconds.
    Timestamp(i64),
}

/// The source of a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TitleSource {
    /// The user gave it (`custom-title`).
    Custom,
    /// The model made it (`ai-title`).
    Ai,
    /// It is a summary of the conversation, which old versions of the CLI wrote.
    Summary,
    /// It is the first prompt.
    Prompt,
}

impl TitleSource {
    /// Return its name in output.
    pub fn name(self) -> &'static str {
        match self {
            TitleSource::Custom => "custom",
            TitleSource::Ai => "ai",
            TitleSource::Summary => "summary",
            TitleSource::Prompt => "prompt",
        }
    }
}

/// The record types that are read in a way of their own.
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
    ContinuedIn,
    Other,
}

impl RecordType {
    #[inline]
    pub(crate) fn of(record: &Record, scratch: &mut Vec<u8>) -> RecordType {
        let Some(range) = record.string_range(Key::Type) else { return RecordType::Other };
        match record.view().short(range.clone()).map_or(RecordType::Other, RecordType::named) {
            RecordType::Other if !record.is_plain(Key::Type) => {
                // The type may be written with escapes.
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
        const CONTINUED_IN: u128 = number(b"continued-in");
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
            CONTINUED_IN => RecordType::ContinuedIn,
            _ => RecordType::Other,
        }
    }
}

/// Return the text of a string value; None if the value is absent, no string or not decodable.
pub(crate) fn text_of(record: &Record, key: Key, scratch: &mut Vec<u8>) -> Option<String> {
    text_at(record.view(), record.string_range(key)?, scratch)
}

/// Return the text of a range between two quotes; None if it is not decodable.
pub(crate) fn text_at(view: View, range: Range<usize>, scratch: &mut Vec<u8>) -> Option<String> {
    text::decode(view.copy(range, scratch)).map(|text| text.into_owned())
}

/// Return the text of a string value that is not empty.
pub(crate) fn filled_text_of(record: &Record, key: Key, scratch: &mut Vec<u8>) -> Option<String> {
    let range = record.string_range(key).filter(|range| !range.is_empty())?;
    text_at(record.view(), range, scratch)
}

/// Return the top-level timestamp, in epoch milliseconds.
pub(crate) fn time_of(record: &Record, scratch: &mut Vec<u8>) -> Option<i64> {
    let raw = record.view().copy(record.string_range(Key::Timestamp)?, scratch);
    // A time may be written with escapes. Nobody does, but it is JSON.
    time::parse(raw).or_else(|| raw.contains(&b'\\').then(|| time::parse(text::decode(raw)?.as_bytes()))?)
}

/// Return the title that a record of this type gives the session, and its source.
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

/// Return the model that an `assistant` record's message names; None for `<synthetic>`, which is no model.
pub(crate) fn model_of(bytes: RecordBytes, message: Range<usize>, scratch: &mut Vec<u8>) -> Option<String> {
    fn model_in<V: Values + ?Sized>(values: &V, message: usize) -> Option<String> {
        value::string(values, member(values, message, b"model")?)
    }
    let model = match bytes.plain.and_then(|plain| plain.values(message.end)) {
        Some(values) => model_in(&values, message.start),
        None if message.len() > LONG => model_in(&LongValues::new(bytes.line, message.end), message.start),
        None => model_in(bytes.line.view.copy(message, scratch), 0),
    };
    model.filter(|model| !model.is_empty() && model != "<synthetic>")
}
