//! Why a change was not made.

use std::io;
use std::path::PathBuf;

/// Why a file was not changed, or perhaps not for good.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The file is not what it was expected to be. It was left as it is, nothing was written.
    #[error("{}: {reason}; it was left as it is", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: &'static str,
    },
    /// The change is made, but may not survive a power cut.
    #[error("{}: changed, but the disk would not confirm it: {source}", path.display())]
    Unconfirmed {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// The system refused. The file is what it was, unless the refusal is about our own temporary name: then that
    /// one holds what an owner wrote in the meantime, and could not be brought back.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file that the refusal is about: the target, the backup or our temporary one.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}
