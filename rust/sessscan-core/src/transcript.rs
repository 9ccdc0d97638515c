//! What a transcript says of its session: the fields, declared once.

use crate::event::TitleSource;
use crate::line::DefectKind;
use serde::{Deserialize, Serialize};

/// Hand the list of a transcript's fields to the macro of this name.
///
/// A field is declared here and nowhere else: `Transcript`, how parts of a file are joined, the attributes
/// and the dict in Python, the columns of tables and the schema of shards are all made from this list. What
/// remains to be written is where its value comes from (`TranscriptBuilder`), and its line in the type stub,
/// which a test holds to this list.
///
/// After its type each field has:
/// - how the values of two parts of a file are joined: `sum`; `first` or `last`, the value of the first or
///   the last part that has one; `append`, one list after the other, up to [`MOST_DEFECTS`]; `whole`, not at
///   all, since it is set once the whole file was read; `file`, likewise, for one that says something of the file but not of its
///   content, so that transcripts are equal whatever it is;
/// - how it is shown in a table: as `text`, as text that is `repeated` (a dictionary), as a `count`, a
///   `time`, a `flag`, as a `worktree` or as `defects`; `no` for one that is an attribute only, and not in
///   `to_dict`.
///
/// The order is that of `to_dict` and of tables.
#[macro_export]
macro_rules! transcript_fields {
    ($then:ident) => {
        $then! {
            /// How many bytes were scanned.
            size: u64, whole, count;
            /// The file's stem.
            session_id: Option<String>, whole, text;
            /// How many lines are not blank.
            lines: u64, sum, count;
            /// How many records there are; a glued line has several.
            records: u64, sum, count;
            /// The last title that the user gave.
            custom_title: Option<String>, last, text;
            /// The last title that the model found.
            ai_title: Option<String>, last, text;
            /// The last summary of a conversation that is in this file.
            summary: Option<String>, whole, text;
            /// The first human prompt, white space folded, at most 200 characters: without an editor's context
            /// before it, and a slash command that goes to the model as it was typed.
            first_prompt: Option<String>, first, text;
            /// The first top-level cwd.
            cwd: Option<String>, whole, repeated;
            /// The last top-level cwd.
            last_cwd: Option<String>, whole, repeated;
            /// The last git branch.
            git_branch: Option<String>, whole, repeated;
            /// The version of the CLI that wrote last.
            version: Option<String>, whole, repeated;
            /// How the session was last entered.
            entrypoint: Option<String>, whole, repeated;
            /// The last model that answered.
            model: Option<String>, last, repeated;
            /// The last worktree.
            worktree: Option<Worktree>, last, worktree;
            /// The smallest timestamp of the session's own records; where they have none, of all. Epoch
            /// milliseconds.
            created_at: Option<i64>, whole, time;
            /// The largest timestamp, likewise.
            last_activity_at: Option<i64>, whole, time;
            /// How many human prompts there are.
            turns: u64, sum, count;
            /// Whether there are chain records and all of them belong to a subagent.
            is_sidechain: bool, whole, flag;
            /// How the session was first entered.
            born_in: Option<String>, whole, repeated;
            /// Where the session was last moved to.
            relocated_cwd: Option<String>, last, repeated;
            /// The uuid of the first record that has one.
            first_uuid: Option<String>, whole, text;
            /// The uuid of the last record that has one.
            last_uuid: Option<String>, whole, text;
            /// How many records have the file's stem as their session id.
            own_records: u64, sum, count;
            /// What is wrong with the bytes, in file order: the first 10,000 places.
            defects: Vec<Defect>, append, defects;
            /// How many places there are where something is wrong.
            defect_count: u64, sum, count;
            /// The user's tag: what the last `tag` record says; an empty one takes it away.
            tag: Option<String>, last, no;
            /// Whether the first prompt is longer than what is kept of it.
            first_prompt_is_cut: bool, whole, no;
            /// In a session without prompts: the name of the first slash command.
            first_command: Option<String>, first, no;
            /// The last non-empty prompt that a `last-prompt` record repeats.
            last_prompt: Option<String>, last, no;
            /// The session this one goes on in: the last non-empty id that a `continued-in` record names.
            continued_in: Option<String>, whole, no;
            /// The timestamp of that record, in epoch milliseconds.
            continued_at: Option<i64>, whole, no;
            /// The file's mtime when it was opened for this scan, in epoch milliseconds; None for bytes and
            /// streams.
            modified_at: Option<i64>, file, no;
        }
    };
}

/// Declare `Transcript` and how its parts are joined.
macro_rules! define_transcript {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $join:ident, $shown:ident;)*) => {
        /// What a transcript says of its session.
        #[derive(Clone, Debug, Default, Eq, Serialize, Deserialize)]
        pub struct Transcript {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl PartialEq for Transcript {
            fn eq(&self, other: &Transcript) -> bool {
                $(equal!($join, self.$name, other.$name))&&*
            }
        }

        impl Transcript {
            /// Take in what was found in the bytes that follow, which begin after this file's first `lines`
            /// lines.
            pub(crate) fn append(&mut self, later: Transcript, lines: u64) {
                $(join!($join, self.$name, later.$name, lines);)*
            }
        }
    };
}

/// Compare the values of one field.
macro_rules! equal {
    (file, $value:expr, $other:expr) => {
        true
    };
    ($join:ident, $value:expr, $other:expr) => {
        $value == $other
    };
}

/// Join the values of one field, in the way that its declaration names.
macro_rules! join {
    (sum, $value:expr, $later:expr, $lines:expr) => {
        $value += $later
    };
    (first, $value:expr, $later:expr, $lines:expr) => {
        $value = $value.take().or($later)
    };
    (last, $value:expr, $later:expr, $lines:expr) => {
        $value = $later.or($value.take())
    };
    (append, $value:expr, $later:expr, $lines:expr) => {
        $value.extend(
            $later.into_iter().take(MOST_DEFECTS - $value.len()).map(|later| later.moved_down($lines)),
        )
    };
    (whole, $value:expr, $later:expr, $lines:expr) => {
        debug_assert!(is_unset(&$later) || $later == $value, "set once the whole file was read")
    };
    (file, $value:expr, $later:expr, $lines:expr) => {
        debug_assert!(is_unset(&$later), "set once the whole file was read")
    };
}

transcript_fields!(define_transcript);

fn is_unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Transcript {
    /// Return the best title there is, and where it comes from.
    pub fn title(&self) -> Option<(&str, TitleSource)> {
        [
            (&self.custom_title, TitleSource::Custom),
            (&self.ai_title, TitleSource::Ai),
            (&self.summary, TitleSource::Summary),
            (&self.first_prompt, TitleSource::Prompt),
        ]
        .into_iter()
        .find_map(|(title, source)| Some((title.as_deref().filter(|title| !title.is_empty())?, source)))
    }
}

/// How many defects of one file are kept one by one; the others are only counted.
pub const MOST_DEFECTS: usize = 10_000;

/// Something wrong with bytes of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Defect {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How many bytes it covers.
    pub length: u64,
    /// What is wrong.
    pub kind: DefectKind,
}

impl Defect {
    /// Return the defect as it is `lines` lines further down.
    fn moved_down(self, lines: u64) -> Defect {
        Defect { line: self.line + lines, ..self }
    }
}

/// The git worktree that a session works in, as its own `worktree-state` line says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Worktree {
    pub path: Option<String>,
    pub name: Option<String>,
    pub branch: Option<String>,
    pub original_cwd: Option<String>,
    pub original_branch: Option<String>,
}
