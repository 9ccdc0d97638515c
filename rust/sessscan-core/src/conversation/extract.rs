//! Find the values that the conversation needs in a record that was read byte by byte: the slow twin of
//! [`super::walk`].

use super::facts::{Facts, Field, Role, field_named, is_odd_escape, role_of};
use crate::bytes::View;
use crate::record::RecordBytes;
use crate::value::long::{LONG, LongValues};
use crate::value::{self, Values};
use std::ops::Range;

/// Find the values of the record in a range. `with` gets them, and the bytes that they are ranges of, with the
/// position of the record in these.
pub(crate) fn extract<R>(
    bytes: RecordBytes,
    record: Range<usize>,
    scratch: &mut Vec<u8>,
    facts: &mut Facts,
    with: impl FnOnce(&Facts, View, usize) -> R,
) -> R {
    facts.clear();
    if record.len() > LONG {
        members(&LongValues::new(bytes.line, record.end), record.start, Role::Record, facts);
        note_odd_escapes(bytes.line.view, record.clone(), facts);
        return with(facts, bytes.line.view, record.start);
    }
    let copy = bytes.line.view.copy(record, scratch);
    members(copy, 0, Role::Record, facts);
    note_odd_escapes(View::new(copy), 0..copy.len(), facts);
    with(facts, View::new(copy), 0)
}

/// Note the escapes of NUL and of halves of pairs in a record's message.
fn note_odd_escapes(view: View, record: Range<usize>, facts: &mut Facts) {
    let Some(message) = facts.get(Field::Message) else { return };
    let byte = |at: usize| if at < record.end { view.byte(at) } else { 0 };
    let mut at = message.start;
    while let Some(found) = view.part(0..message.end).find(b'\\', at) {
        if byte(found + 1) == b'u' && is_odd_escape(byte, found + 1) {
            facts.note_odd_escape(found + 1);
        }
        at = (found + 2).min(message.end);
    }
}

fn members<V: Values + ?Sized>(values: &V, object: usize, role: Role, facts: &mut Facts) {
    // The record was checked, so this reaches its end.
    let _ = value::members(values, object, |name, value| {
        let Some(field) = field_named(role, name) else { return };
        facts.begin(field);
        let object = values.byte(value.start) == Some(b'{');
        match role_of(role, Some(field), object) {
            Role::Message => members(values, value.start, Role::Message, facts),
            Role::Content => {
                let _ = value::elements(values, value.start, |element| {
                    if values.byte(element.start) == Some(b'{') {
                        facts.begin_block();
                        members(values, element.start, Role::Block, facts);
                    }
                });
            }
            _ => {}
        }
        facts.set(field, value);
    });
}

#[cfg(test)]
mod tests {
    use super::super::facts::inside;
    use super::*;

    #[test]
    fn the_last_of_two_counts() {
        let text =
            br#"{"message":{"id":"a","content":[{"type":"text"}]},"message":{"content":[{"id":"x"},1]}}"#;
        let mut facts = Facts::new();
        extract(
            crate::bytes::Line::from(View::new(text)).into(),
            0..text.len(),
            &mut Vec::new(),
            &mut facts,
            |facts, view, _| {
                assert_eq!(facts.get(Field::MessageId), None);
                assert_eq!(facts.blocks.len(), 1);
                let id = inside(view, facts.blocks[0].get(Field::BlockId).unwrap()).unwrap();
                assert!(view.equals(id, b"x"));
            },
        );
    }
}
