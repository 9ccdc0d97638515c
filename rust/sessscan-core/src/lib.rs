//! Bytes in, facts out: what a Claude Code transcript says, and what state a registry row is in.
//!
//! No Python, no printing, no policy: what the facts *mean* is decided in `python/sessscan`.

mod event;
mod grammar;
mod line;
mod record;
mod scan;
mod scanner;
mod text;
mod time;
mod transcript;
mod value;

pub use event::{Event, EventKind, TitleSource};
pub use grammar::Strictness;
pub use line::DefectKind;
pub use scan::{EventKinds, Events, Poll, scan_bytes, scan_file, scan_many, session_id_of, uuids};
pub use transcript::{Defect, Transcript, Worktree};
