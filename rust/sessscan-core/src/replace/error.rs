//! The ways in which a change to a file can fail.

use std::io;
use std::path::PathBuf;

/// Why a file was not changed, or may not stay changed.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The file does not have the expected content. Nothing was written.
    #[error("{}: {reason}; nothing was written", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: &'static str,
    },
    /// The change is made, but may not survive a power cut.
    #[error("{}: changed, but the disk did not confirm it: {source}", path.display())]
    Unconfirmed {
        /// The file.
        path: PathBuf,
        /// The error of the sync.
        source: io::Error,
    },
    /// The edits contradict each other, or the file is too short for them. Nothing was written.
    #[error("{}: {reason}; nothing was written", path.display())]
    Edits {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A system call failed. The target is unchanged, unless `path` is the temporary file: then that one
    /// holds what the file's owner wrote in the meantime and could not be moved back.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file that the error is about: the target, the backup or the temporary file.
        path: PathBuf,
        /// The error of the call.
        source: io::Error,
    },
}
