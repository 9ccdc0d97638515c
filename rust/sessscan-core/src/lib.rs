//! Scan Claude Code transcripts, classify registry rows, and replace files safely.
//!
//! This crate reports facts about bytes. What they mean, and what to do about them, is decided in
//! `python/sessscan`.

// Tests create the files that they read.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod builder;
mod bytes;
mod cancel;
mod conversation;
mod details;
mod event;
mod extent;
mod fields;
mod grammar;
mod index;
mod line;
mod open;
mod parallel;
mod part;
pub mod pieces;
mod plain;
mod prompt;
mod record;
mod refusal;
mod replace;
mod row;
mod scan;
mod scanner;
#[cfg(unix)]
mod sigbus;
pub mod signature;
mod source;
mod stream;
mod structure;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod text;
mod threads;
mod time;
mod transcript;
mod utf16;
mod value;

pub use cancel::CancelToken;
pub use conversation::{
    ChainRecord, Checked, Conversation, CutAt, Message, Reason, Survivors, check_many, conversation,
    conversation_in, image_size, survivors, survivors_in,
};
pub use details::{Details, TitleEntry, details};
pub use event::{Event, EventKind, TitleSource};
pub use fields::{
    FieldColumn, FieldType, FieldValues, FieldsBatch, FieldsError, FieldsPlan, FieldsRange, FieldsReader,
    FileError, GivenPath, MOST_KEYS,
};
pub use grammar::Strictness;
pub use index::Rescan;
pub use line::DefectKind;
pub use open::born_at;
#[cfg(windows)]
pub use open::{changed_at, regular, transcript as following};
pub use parallel::{scan_file, scan_many};
pub use part::{Joined, PartError, RangeScan};
pub use refusal::Refusal;
pub use replace::{
    Announce, Change, Digest, Edit, Expected, ReplaceError, Seen, append_durable, copy_new, edit, relocate,
    remove, remove_seen, replace, replace_at, sweep,
};
pub use row::{
    MAX_ROW, RowContent, RowKind, RowState, classify, classify_bytes, classify_many, prefix_members, row_text,
};
pub use scan::{EventKinds, Events, scan_bytes, session_id_of, uuids};
pub use stream::{StateError, Stream};
pub use structure::Isa;
pub use transcript::{Defect, MOST_DEFECTS, Transcript, Worktree};
