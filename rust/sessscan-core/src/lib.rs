//! Scan Claude Code transcripts, classify registry rows, and replace files safely.
//!
//! This crate reports facts about bytes. What they mean, and what to do about them, is decided in
//! `python/sessscan`.

// Tests create the files that they read.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod builder;
mod bytes;
mod cancel;
mod details;
mod event;
mod extent;
mod grammar;
mod index;
mod line;
mod open;
mod parallel;
mod part;
mod plain;
mod prompt;
mod record;
mod replace;
mod row;
mod scan;
mod scanner;
#[cfg(unix)]
mod sigbus;
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
pub use details::{Details, TitleEntry, details};
pub use event::{Event, EventKind, TitleSource};
pub use grammar::Strictness;
pub use index::Rescan;
pub use line::DefectKind;
pub use parallel::{scan_file, scan_many};
pub use part::{Joined, PartError, RangeScan};
pub use replace::{Digest, Expected, ReplaceError, append_durable, remove, replace, replace_at, sweep};
pub use row::{
    MAX_ROW, RowContent, RowKind, RowState, classify, classify_bytes, classify_many, prefix_members, row_text,
};
pub use scan::{EventKinds, Events, scan_bytes, session_id_of, uuids};
pub use stream::{StateError, Stream};
pub use structure::Isa;
pub use transcript::{Defect, MOST_DEFECTS, Transcript, Worktree};
