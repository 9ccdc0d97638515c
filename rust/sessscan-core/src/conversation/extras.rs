//! Read what rare records say: what a compaction preserves, what a queued command is, who wrote a hidden message.

use super::facts::Span;
use super::ids::{Id, Ids};
use crate::bytes::View;
use crate::value::long::{LONG, LongValues};
use crate::value::{self, Values};
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3Default;

/// What a compaction says of the records that it preserves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preserved {
    /// `preservedSegment` or `preservedMessages` is given, so that nothing is skipped.
    pub(crate) is_given: bool,
    /// The record after which the preserved ones come, and which those are.
    pub(crate) messages: Option<(Id, Vec<Id>)>,
    /// The head of a preserved chain, its anchor, its tail.
    pub(crate) segment: Option<(Id, Id, Id)>,
}

/// A command that was queued while the model worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueuedCommand {
    /// It becomes a message where it is known to be one.
    pub(crate) is_shown: bool,
    pub(crate) source: Id,
    pub(crate) delivery: Id,
    /// A digest of the whole attachment.
    pub(crate) digest: u128,
}

/// Call `with` with the values inside a value of a record.
macro_rules! with_values {
    ($view:expr, $value:expr, |$values:ident, $at:ident| $body:expr) => {{
        let (view, value): (View, Range<usize>) = ($view, $value);
        if value.len() > LONG {
            let ($values, $at) = (&LongValues::new(view.into(), value.end), value.start);
            $body
        } else {
            let mut copy = Vec::new();
            let ($values, $at) = (view.copy(value, &mut copy), 0);
            $body
        }
    }};
}

/// Return what a compaction's metadata says of preserved records; None if it is no object.
pub(crate) fn preserved(view: View, metadata: Option<Span>, ids: &mut Ids) -> Option<Preserved> {
    with_values!(view, metadata?, |values, at| preserved_in(values, at, ids))
}

fn preserved_in<V: Values + ?Sized>(values: &V, metadata: usize, ids: &mut Ids) -> Option<Preserved> {
    let (mut messages, mut segment) = (None, None);
    value::members(values, metadata, |name, value| match name {
        b"preservedMessages" => messages = Some(value),
        b"preservedSegment" => segment = Some(value),
        _ => {}
    })?;
    let given = |value: &Range<usize>| truthy(values, value);
    let messages = messages.filter(given);
    let segment = segment.filter(given);
    let is_given = messages.is_some() || segment.is_some();
    let mut id = |value: Option<Range<usize>>| {
        value.and_then(|value| value::string(values, value)).map_or(Id::NONE, |text| ids.of_text(&text, true))
    };
    let segment = segment.map(|segment| {
        let mut of = |name: &[u8]| id(value::member(values, segment.start, name));
        (of(b"headUuid"), of(b"anchorUuid"), of(b"tailUuid"))
    });
    let messages = messages.and_then(|messages| {
        let anchor = id(value::member(values, messages.start, b"anchorUuid"));
        let list = value::member(values, messages.start, b"uuids")?;
        let mut uuids = Vec::new();
        value::elements(values, list.start, |element| uuids.push(id(Some(element))))?;
        Some((anchor, uuids))
    });
    Some(Preserved { is_given, messages, segment })
}

fn truthy<V: Values + ?Sized>(values: &V, value: &Range<usize>) -> bool {
    match values.byte(value.start) {
        Some(b'f' | b'n') | None => false,
        Some(b'"') => value.len() > 2,
        Some(b'0' | b'-') => value.len() > 2,
        _ => true,
    }
}

/// Return whether an attachment briefs a fork, and the queued command that it is.
pub(crate) fn queued_command(
    view: View,
    attachment: Option<Span>,
    ids: &mut Ids,
) -> (bool, Option<QueuedCommand>) {
    let Some(attachment) = attachment.filter(|value| view.byte(value.start) == b'{') else {
        return (false, None);
    };
    with_values!(view, attachment.clone(), |values, at| {
        let kind = value::member(values, at, b"type");
        let is = |text: &[u8]| kind.clone().is_some_and(|kind| value::spells(values, kind, text));
        if is(b"queued_command") {
            let digest = digest(view, attachment);
            (false, Some(queued_in(values, at, digest, ids)))
        } else {
            (is(b"fork_briefing"), None)
        }
    })
}

fn queued_in<V: Values + ?Sized>(values: &V, at: usize, digest: u128, ids: &mut Ids) -> QueuedCommand {
    let [mut prompt, mut meta, mut origin, mut source, mut delivery, mut intent] = [const { None }; 6];
    let _ = value::members(values, at, |name, value| match name {
        b"prompt" => prompt = Some(value),
        b"isMeta" => meta = Some(value),
        b"origin" => origin = Some(value),
        b"source_uuid" => source = Some(value),
        b"delivery_id" => delivery = Some(value),
        b"forwardedIntent" => intent = Some(value),
        _ => {}
    });
    let begins = |value: &Option<Range<usize>>, with: &[u8]| {
        value.as_ref().and_then(|value| values.byte(value.start)).is_some_and(|byte| with.contains(&byte))
    };
    let hidden = meta.is_some_and(|meta| truthy(values, &meta))
        && !origin.is_some_and(|origin| speaks_in(values, origin.start));
    let forwarded = begins(&intent, b"{")
        && intent
            .and_then(|intent| value::member(values, intent.start, b"lineage"))
            .and_then(|lineage| value::string(values, lineage))
            .is_some_and(|lineage| !lineage.is_empty());
    let mut id = |value: Option<Range<usize>>, with_text| {
        let text = value.and_then(|value| value::string(values, value));
        text.map_or(Id::NONE, |text| ids.of_text(&text, with_text))
    };
    QueuedCommand {
        is_shown: !hidden && !forwarded && begins(&prompt, b"\"["),
        source: id(source, true),
        delivery: id(delivery, false),
        digest,
    }
}

fn digest(view: View, value: Range<usize>) -> u128 {
    let mut hasher = Xxh3Default::new();
    let mut piece = Vec::new();
    for from in value.clone().step_by(LONG) {
        hasher.update(view.copy(from..value.end.min(from + LONG), &mut piece));
    }
    hasher.digest128()
}

/// Return whether a hidden message of this origin is shown all the same.
pub(crate) fn speaks(view: View, origin: Option<Span>) -> bool {
    let Some(origin) = origin.filter(|value| view.byte(value.start) == b'{') else { return false };
    with_values!(view, origin, |values, at| speaks_in(values, at))
}

fn speaks_in<V: Values + ?Sized>(values: &V, origin: usize) -> bool {
    const KINDS: [&str; 6] = ["channel", "observer", "observer-activity", "slack-ping", "voice-call", "peer"];
    value::member(values, origin, b"kind")
        .is_some_and(|kind| KINDS.iter().any(|name| value::spells(values, kind.clone(), name.as_bytes())))
}
