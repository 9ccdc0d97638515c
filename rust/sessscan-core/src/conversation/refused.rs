//! Find what the API refuses in a message, as its users quote it.

use super::facts::{Block, Facts, Field, Span, inside};
use super::said::equals;
use crate::bytes::View;
use crate::text;

/// Return whether a message has a blank text, thinking without text and signature, a NUL, or half of a pair of
/// surrogates.
pub(crate) fn is_refused(view: View, facts: &Facts, scratch: &mut Vec<u8>) -> bool {
    let Some(message) = facts.get(Field::Message) else { return false };
    facts.odd_escapes.iter().any(|at| message.contains(at))
        || facts.blocks.iter().any(|block| is_empty(view, block, scratch))
}

fn is_empty(view: View, block: &Block, scratch: &mut Vec<u8>) -> bool {
    let kind = block.get(Field::BlockType);
    if equals(view, kind.clone(), "text", scratch) {
        return is_blank(view, block.get(Field::BlockText), scratch);
    }
    // A signature stands for thinking that is not shown.
    equals(view, kind, "thinking", scratch)
        && is_blank(view, block.get(Field::BlockThinking), scratch)
        && is_blank(view, block.get(Field::BlockSignature).or(Some(0..0)), scratch)
}

/// Return whether a value is a string of white space.
fn is_blank(view: View, value: Option<Span>, scratch: &mut Vec<u8>) -> bool {
    /// Longer blanks are not looked for.
    const LONGEST: usize = 4_096;
    let Some(value) = value else { return false };
    if value.is_empty() {
        return true;
    }
    let Some(inner) = inside(view, value).filter(|inner| inner.len() <= LONGEST) else { return false };
    if inner.is_empty() {
        return true;
    }
    if view.byte(inner.start) > b' ' && !matches!(view.byte(inner.start), b'\\' | 0x80..) {
        return false;
    }
    text::decode(view.copy(inner, scratch)).is_some_and(|text| text.trim().is_empty())
}
