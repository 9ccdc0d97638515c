//! Note what the conversation needs of one record: the ranges of some values, down to the blocks of its message.

use crate::bytes::View;

macro_rules! fields {
    ($($field:ident = $role:ident $name:literal,)*) => {
        /// A value that is kept, at a depth that its role names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Field {
            $($field,)*
        }

        impl Field {
            #[cfg(test)]
            pub(crate) const ALL: &[(Field, Role, &str)] =
                &[$((Field::$field, Role::$role, $name),)*];
        }
    };
}

/// What an object or array of a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The record itself.
    Record,
    /// The value of its `message`.
    Message,
    /// The value of the message's `content`, if that is an array.
    Content,
    /// One of the objects in it.
    Block,
    /// Anything else.
    Other,
}

fields! {
    Uuid = Record "uuid",
    Parent = Record "parentUuid",
    Type = Record "type",
    Subtype = Record "subtype",
    Timestamp = Record "timestamp",
    SessionId = Record "sessionId",
    Sidechain = Record "isSidechain",
    Meta = Record "isMeta",
    CompactSummary = Record "isCompactSummary",
    Team = Record "teamName",
    Agent = Record "agentId",
    Source = Record "sourceToolAssistantUUID",
    Logical = Record "logicalParentUuid",
    Message = Record "message",
    Attachment = Record "attachment",
    Compact = Record "compactMetadata",
    Origin = Record "origin",
    PromptSource = Record "promptSource",
    Quiet = Record "closesQuietTurn",
    Operation = Record "operation",
    Reason = Record "reason",
    Delivery = Record "deliveryId",
    Command = Record "commandUuid",
    MessageId = Message "id",
    Content = Message "content",
    BlockType = Block "type",
    BlockId = Block "id",
    BlockCall = Block "tool_use_id",
    BlockText = Block "text",
    BlockThinking = Block "thinking",
    BlockIsError = Block "is_error",
    BlockContent = Block "content",
    BlockSignature = Block "signature",
    BlockSource = Block "source",
}

/// How many fields a record and its message have, and how many a block has.
const OF_RECORD: usize = Field::BlockType as usize;
const OF_BLOCK: usize = Field::BlockSource as usize + 1 - OF_RECORD;

/// At most this many blocks of a record are kept; the last one takes the place of the one before. No response has
/// a thousand.
const MOST_BLOCKS: usize = 1 << 18;

/// The range of a value; empty if there is none.
pub(crate) type Span = std::ops::Range<usize>;

/// The values of one block of a message's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block([Span; OF_BLOCK]);

impl Block {
    /// Return the range of a field's value, or None.
    pub(crate) fn get(&self, field: Field) -> Option<Span> {
        let span = &self.0[field as usize - OF_RECORD];
        (!span.is_empty()).then(|| span.clone())
    }
}

/// The values of one record. Of a key given twice the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    values: [Span; OF_RECORD],
    pub(crate) blocks: Vec<Block>,
    /// Where escapes are that stand for NUL or for half of a pair of surrogates; the first few.
    pub(crate) odd_escapes: Vec<usize>,
}

impl Facts {
    pub(crate) fn new() -> Facts {
        Facts { values: [const { 0..0 }; OF_RECORD], blocks: Vec::new(), odd_escapes: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.values = [const { 0..0 }; OF_RECORD];
        self.blocks.clear();
        self.odd_escapes.clear();
    }

    /// Note an escape that stands for NUL or for half of a pair of surrogates.
    pub(crate) fn note_odd_escape(&mut self, at: usize) {
        /// Of a message only whether it has one is told; these are enough to find one in it.
        const MOST: usize = 64;
        if self.odd_escapes.len() < MOST {
            self.odd_escapes.push(at);
        }
    }

    /// Return the range of a field's value, or None.
    #[inline(always)]
    pub(crate) fn get(&self, field: Field) -> Option<Span> {
        let span = &self.values[field as usize];
        (!span.is_empty()).then(|| span.clone())
    }

    /// Set a value. A block's is one of the last block.
    #[inline(always)]
    pub(crate) fn set(&mut self, field: Field, value: Span) {
        match (field as usize).checked_sub(OF_RECORD) {
            None => self.values[field as usize] = value,
            Some(at) => {
                if let Some(block) = self.blocks.last_mut() {
                    block.0[at] = value;
                }
            }
        }
    }

    /// Note that the value of a field begins: what an earlier one of the same key said is forgotten.
    #[inline(always)]
    pub(crate) fn begin(&mut self, field: Field) {
        match field {
            Field::Message => {
                self.values[Field::MessageId as usize] = 0..0;
                self.values[Field::Content as usize] = 0..0;
                self.blocks.clear();
            }
            Field::Content => self.blocks.clear(),
            _ => {}
        }
    }

    /// Note that a block begins.
    #[inline(always)]
    pub(crate) fn begin_block(&mut self) {
        if self.blocks.len() == MOST_BLOCKS {
            self.blocks.pop();
        }
        self.blocks.push(Block([const { 0..0 }; OF_BLOCK]));
    }
}

/// Return the field of a key of an object in this role.
pub(crate) fn field_named(role: Role, name: &[u8]) -> Option<Field> {
    match role {
        Role::Record => match name.len() {
            4 => pick(name, &[(b"uuid", Field::Uuid), (b"type", Field::Type)]),
            6 => pick(
                name,
                &[(b"isMeta", Field::Meta), (b"origin", Field::Origin), (b"reason", Field::Reason)],
            ),
            7 => pick(
                name,
                &[(b"message", Field::Message), (b"subtype", Field::Subtype), (b"agentId", Field::Agent)],
            ),
            8 => pick(name, &[(b"teamName", Field::Team)]),
            9 => pick(
                name,
                &[
                    (b"timestamp", Field::Timestamp),
                    (b"sessionId", Field::SessionId),
                    (b"operation", Field::Operation),
                ],
            ),
            10 => pick(
                name,
                &[
                    (b"parentUuid", Field::Parent),
                    (b"attachment", Field::Attachment),
                    (b"deliveryId", Field::Delivery),
                ],
            ),
            11 => pick(name, &[(b"isSidechain", Field::Sidechain), (b"commandUuid", Field::Command)]),
            12 => pick(name, &[(b"promptSource", Field::PromptSource)]),
            15 => pick(name, &[(b"compactMetadata", Field::Compact), (b"closesQuietTurn", Field::Quiet)]),
            16 => pick(name, &[(b"isCompactSummary", Field::CompactSummary)]),
            17 => pick(name, &[(b"logicalParentUuid", Field::Logical)]),
            23 => pick(name, &[(b"sourceToolAssistantUUID", Field::Source)]),
            _ => None,
        },
        Role::Message => pick(name, &[(b"id", Field::MessageId), (b"content", Field::Content)]),
        Role::Block => pick(
            name,
            &[
                (b"type", Field::BlockType),
                (b"id", Field::BlockId),
                (b"text", Field::BlockText),
                (b"tool_use_id", Field::BlockCall),
                (b"content", Field::BlockContent),
                (b"thinking", Field::BlockThinking),
                (b"is_error", Field::BlockIsError),
                (b"signature", Field::BlockSignature),
                (b"source", Field::BlockSource),
            ],
        ),
        Role::Content | Role::Other => None,
    }
}

#[inline(always)]
fn pick(name: &[u8], fields: &[(&[u8], Field)]) -> Option<Field> {
    fields.iter().find(|(text, _)| *text == name).map(|(_, field)| *field)
}

/// Return the role of the object or array that begins as the value of a field, or as an element of an array.
#[inline(always)]
pub(crate) fn role_of(outer: Role, field: Option<Field>, object: bool) -> Role {
    match (outer, field, object) {
        (_, Some(Field::Message), true) => Role::Message,
        (_, Some(Field::Content), false) => Role::Content,
        (Role::Content, None, true) => Role::Block,
        _ => Role::Other,
    }
}

/// Return whether the escape `\u` whose `u` is at a position stands for NUL, or for half of a pair of surrogates.
/// `byte` returns the byte at a position, 0 beyond the bytes.
pub(crate) fn is_odd_escape(byte: impl Fn(usize) -> u8, at: usize) -> bool {
    let unit = |at: usize| {
        (1..=4).try_fold(0, |unit, next| Some(unit << 4 | (byte(at + next) as char).to_digit(16)?))
    };
    let is_unit = |at: usize| byte(at) == b'u' && byte(at - 1) == b'\\';
    match unit(at) {
        Some(0) => true,
        Some(0xd800..0xdc00) => {
            !(is_unit(at + 6) && unit(at + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low)))
        }
        Some(0xdc00..0xe000) => {
            !(at > 7 && is_unit(at - 6) && unit(at - 6).is_some_and(|high| (0xd800..0xdc00).contains(&high)))
        }
        _ => false,
    }
}

/// Return the range between the quotes of a value, if it is a string.
#[inline(always)]
pub(crate) fn inside(view: View, value: Span) -> Option<Span> {
    // Another process may have changed the bytes meanwhile.
    (value.len() >= 2 && view.byte(value.start) == b'"').then(|| value.start + 1..value.end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name_and_no_other() {
        for (field, role, name) in Field::ALL {
            assert_eq!(field_named(*role, name.as_bytes()), Some(*field), "{name}");
            assert_eq!(field_named(Role::Other, name.as_bytes()), None);
            assert_eq!(field_named(*role, &name.as_bytes()[1..]), None, "{name}");
        }
    }
}
