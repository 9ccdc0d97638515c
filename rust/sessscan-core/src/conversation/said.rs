//! Read what one value says: whether it is true, a text, a time, the beginning of one.

use super::facts::{Facts, Field, Span, inside};
use crate::bytes::View;
use crate::text;
use crate::time;

/// Return whether JavaScript takes a value for true.
pub(crate) fn is_true(view: View, value: Option<Span>, scratch: &mut Vec<u8>) -> bool {
    let Some(value) = value else { return false };
    match view.byte(value.start) {
        b't' | b'{' | b'[' => true,
        b'"' => value.len() > 2,
        b'f' | b'n' => false,
        _ => {
            let raw = view.copy(value, scratch);
            let number = str::from_utf8(raw).ok().and_then(|text| text.parse::<f64>().ok());
            number.is_some_and(|number| number != 0.0)
        }
    }
}

/// Return whether a value is `true` itself.
pub(crate) fn is_literally_true(view: View, value: Option<Span>) -> bool {
    value.is_some_and(|value| view.byte(value.start) == b't')
}

/// Return whether a value is a string that begins with one of some texts, and which.
pub(crate) fn begins_with(
    view: View,
    value: Option<Span>,
    texts: &[&str],
    scratch: &mut Vec<u8>,
) -> Option<usize> {
    let inner = inside(view, value?)?;
    if inner.is_empty() {
        return None;
    }
    let first = view.byte(inner.start);
    if first != b'\\' && !texts.iter().any(|text| text.as_bytes()[0] == first) {
        return None;
    }
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    // An escape has at most twelve characters for one.
    let raw = view.copy(inner.start..inner.end.min(inner.start + 12 * longest + 12), scratch);
    let cut = if raw.len() == inner.len() { raw.len() } else { text::whole_characters(raw) };
    let decoded = text::decode(&raw[..cut])?;
    texts.iter().position(|text| decoded.starts_with(text))
}

/// Return whether a value is this string.
pub(crate) fn equals(view: View, value: Option<Span>, wanted: &str, scratch: &mut Vec<u8>) -> bool {
    let Some(inner) = value.and_then(|value| inside(view, value)) else { return false };
    if view.equals(inner.clone(), wanted.as_bytes()) {
        return true;
    }
    // An escape has at most twelve characters for one.
    inner.len() > wanted.len() && inner.len() <= 12 * wanted.len() && {
        let raw = view.copy(inner, scratch);
        raw.contains(&b'\\') && text::decode(raw).is_some_and(|text| text == wanted)
    }
}

/// Return a record's time in epoch microseconds.
pub(crate) fn micros(view: View, value: Option<Span>, scratch: &mut Vec<u8>) -> Option<i64> {
    let inner = inside(view, value?)?;
    let raw = view.copy(inner, scratch);
    let decoded;
    let raw = if raw.contains(&b'\\') {
        decoded = text::decode(raw)?;
        decoded.as_bytes()
    } else {
        raw
    };
    let millis = time::parse(raw)?;
    let digits = raw.get(19..).and_then(|rest| rest.strip_prefix(b".")).unwrap_or(b"");
    let digits = &digits[..digits.iter().take_while(|byte| byte.is_ascii_digit()).count()];
    let more =
        (3..6).fold(0, |more, at| more * 10 + digits.get(at).map_or(0, |digit| i64::from(digit - b'0')));
    Some(millis * 1_000 + more)
}

/// The kinds of records that belong to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User = 1,
    Assistant = 2,
    Progress = 3,
    System = 4,
    Attachment = 5,
}

impl Kind {
    const NAMES: [(&str, Kind); 5] = [
        ("assistant", Kind::Assistant),
        ("user", Kind::User),
        ("attachment", Kind::Attachment),
        ("system", Kind::System),
        ("progress", Kind::Progress),
    ];

    pub(crate) fn of(view: View, facts: &Facts, scratch: &mut Vec<u8>) -> Option<Kind> {
        let value = facts.get(Field::Type);
        let kind = Kind::NAMES.iter().find(|(name, _)| equals(view, value.clone(), name, scratch));
        kind.map(|(_, kind)| *kind)
    }
}

/// How a text of a user's record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    Other = 0,
    CommandName = 1,
    CommandOutput = 2,
    Caveat = 3,
}

const BEGINNINGS: [(&str, Beginning); 4] = [
    ("<command-name>", Beginning::CommandName),
    ("<local-command-stdout>", Beginning::CommandOutput),
    ("<local-command-stderr>", Beginning::CommandOutput),
    ("<local-command-caveat>", Beginning::Caveat),
];

/// The notes of an interruption, which the reader takes for a reply.
const NOTES: [&str; 11] = [
    "[Request interrupted by user]",
    "[Request interrupted: the session ended before this agent finished. Nobody asked it to stop.]",
    "[This turn ended before it finished.]",
    "[Agent call interrupted: the process running this conversation stopped before this agent finished, so it \
     returned no result. Nobody asked it to stop.]",
    "[Request interrupted by user for tool use]",
    "[Tool call did not complete: the turn was ended to deliver the message that follows. Nothing refused it; \
     re-run it if still needed.]",
    "[Tool call interrupted: the session ended before this call's result was recorded, so its outcome is \
     unknown. Check whether it took effect before relying on it or running it again.]",
    "[Tool call result not in this copy: this session was copied from another session before that session \
     recorded this call's result. The call may have finished there, may still be running there, or may never \
     have run. Check whether it took effect before relying on it or running it again.]",
    "The user doesn't want to take this action right now. STOP what you are doing and wait for the user to \
     tell you how to proceed.",
    "[Tool call skipped: the turn was stopped before this call ran, by the check whose denial is on another \
     call in this batch. Nothing refused this call and it had no effects; re-run it if still needed.]",
    "[Tool call skipped: the turn ended to deliver the message that follows before this call ran. Nothing \
     refused it; re-run it if still needed.]",
];

/// Return how the last text of a user's record begins.
pub(crate) fn beginning(view: View, facts: &Facts, scratch: &mut Vec<u8>) -> Beginning {
    let last = facts.blocks.iter().rev();
    let mut texts = last.filter(|block| equals(view, block.get(Field::BlockType), "text", scratch));
    let block = texts.next().and_then(|block| block.get(Field::BlockText));
    drop(texts);
    let content = facts.get(Field::Content).filter(|value| view.byte(value.start) == b'"');
    let names = BEGINNINGS.map(|(text, _)| text);
    begins_with(view, block.or(content), &names, scratch).map_or(Beginning::Other, |at| BEGINNINGS[at].1)
}

/// Return whether all that a user's record says is that something was interrupted.
pub(crate) fn is_note(view: View, facts: &Facts, scratch: &mut Vec<u8>) -> bool {
    let Some(content) = facts.get(Field::Content) else { return false };
    if view.byte(content.start) == b'"' {
        return begins_with(view, Some(content), &NOTES, scratch).is_some();
    }
    !facts.blocks.is_empty()
        && facts.blocks.iter().all(|block| {
            let text = if equals(view, block.get(Field::BlockType), "text", scratch) {
                block.get(Field::BlockText)
            } else if equals(view, block.get(Field::BlockType), "tool_result", scratch)
                && is_literally_true(view, block.get(Field::BlockIsError))
            {
                block.get(Field::BlockContent)
            } else {
                None
            };
            begins_with(view, text, &NOTES, scratch).is_some()
        })
}

/// Return whether an assistant's record closes a turn in which it said nothing.
pub(crate) fn is_quiet(view: View, facts: &Facts, scratch: &mut Vec<u8>) -> bool {
    if !is_literally_true(view, facts.get(Field::Quiet)) {
        return false;
    }
    let [block] = &facts.blocks[..] else { return false };
    let text = block.get(Field::BlockText);
    equals(view, block.get(Field::BlockType), "text", scratch)
        && (text.as_ref().is_some_and(|text| text.len() == 2 && view.byte(text.start) == b'"')
            || equals(view, text, "No response requested.", scratch))
}
