//! Replace, create and remove files so that each is either old or new after a crash, and append durably.
//!
//! A replacement takes eight steps:
//!
//! ```text
//!  1  check that the target has the expected content                         else: conflict
//!  2  create a temporary file beside it, exclusively, readable by its owner only
//!  3  write the data; copy mode, owner and attributes of the target; sync; check the size
//!  4  keep the target under the backup's name; sync it; sync the directory
//!  5  exchange the two files in one step, and check what came out, twice with a moment between
//!  6  if it is not what step 1 saw: exchange them back                       conflict
//!  7  sync the directory                                                     if it fails: unconfirmed
//!  8  remove the temporary name
//! ```
//!
//! Three situations take another path:
//! - Nothing is expected and no backup is wanted: step 5 is a plain rename and step 6 falls away.
//! - There is no target: step 5 is a rename that never replaces a file.
//! - The file system cannot exchange files: the target is compared once more and renamed over. Between the
//!   two is a short moment in which an update by the file's owner can be lost.
//!
//! [`edit`] takes the same steps for a file of any size, a transcript, which is not read twice. Its metadata
//! stand for its content in steps 1 and 5, with the old bytes of each edit, which are compared while the file
//! is copied in step 3. Its owner appends to it, opening it anew each time: step 5 waits until no program has
//! the old file open for writing, and step 6 carries over what was appended to the new one.
//!
//! The second look of step 5 is for an owner who writes in place: the program may have opened the old file before
//! the exchange and write into it afterwards, where nobody would look for it. What it writes later than a
//! millisecond after the exchange is lost all the same, unless the file is kept as the backup.
//!
//! A failed sync is not retried: the kernel has dropped the data by then, and a second call would report
//! success.
//!
//! Between steps 5 and 8 the temporary name holds the old target. A crash there may leave it behind; its name
//! tells [`sweep`] whether it can be removed (see `name`).

mod append;
mod backup;
mod carry;
mod content;
mod edit;
mod edits;
mod error;
mod expected;
mod fs;
mod install;
mod name;
mod relocate;
mod remove;
mod sweep;
mod target;
mod temporary;
#[cfg(unix)]
#[allow(clippy::disallowed_methods)] // this module and its twin for Windows make the calls that change files
mod unix;
#[cfg(windows)]
#[allow(clippy::disallowed_methods)] // see `unix`
mod windows;

#[cfg(unix)]
use unix as native;
#[cfg(windows)]
use windows as native;

pub use edit::{Announce, Change, copy_new, edit};
pub use edits::Edit;
pub use error::ReplaceError;
pub use expected::{Digest, Expected, Seen};

use backup::Backup;
use expected::Version;
use fs::Fs;
use native::Native;
use relocate::relocate_in;
use remove::{remove_in, remove_seen_in};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use target::{Existing, Target};
use temporary::Temporary;

/// Replace a file's content, or create the file, durably and in one step.
///
/// Links are not followed. If the target is a link, a folder or anything else but a regular file, the result
/// is a conflict, or an error with [`Expected::Anything`]. With `backup`, the replaced file is kept under
/// that name, which must be in the same folder and must not exist.
///
/// # Errors
/// See [`ReplaceError`].
pub fn replace(
    path: &Path,
    data: &[u8],
    expected: Expected<'_>,
    backup: Option<&Path>,
) -> Result<(), ReplaceError> {
    replace_in(&Native, path, data, expected, backup)
}

/// Replace a file's content as [`replace`] does, and give it a time of its last write in the same step.
///
/// So there is no moment in which the new content bears the time of this call. That the file system cannot
/// keep such a time is no error.
///
/// # Errors
/// See [`ReplaceError`].
pub fn replace_at(
    path: &Path,
    data: &[u8],
    expected: Expected<'_>,
    backup: Option<&Path>,
    modified: SystemTime,
) -> Result<(), ReplaceError> {
    replace_at_in(&Native, path, data, expected, backup, Some(modified))
}

/// Remove a file durably if its content has this digest.
///
/// # Errors
/// See [`ReplaceError`].
pub fn remove(path: &Path, expected: &Digest) -> Result<(), ReplaceError> {
    remove_in(&Native, path, expected)
}

/// Remove a file durably if it is what was seen.
///
/// # Errors
/// See [`ReplaceError`].
pub fn remove_seen(path: &Path, seen: &Seen) -> Result<(), ReplaceError> {
    remove_seen_in(&Native, path, seen)
}

/// Move a file or folder durably and in one step to a name that is free, on the same file system.
///
/// `inode`: what it must have; 0: any. Links are not moved.
///
/// # Errors
/// See [`ReplaceError`]. It is a conflict if there is something else, nothing, or the new name is taken.
pub fn relocate(path: &Path, to: &Path, inode: u64) -> Result<(), ReplaceError> {
    relocate_in(&Native, path, to, inode)
}

/// Append data durably to one of sessscan's own files; create the file, readable by its owner only, if it is
/// missing.
///
/// # Errors
/// [`ReplaceError::Io`]. Part of the data stays in the file if truncating it to its old size fails as well.
pub fn append_durable(path: &Path, data: &[u8]) -> Result<(), ReplaceError> {
    append::append_in(&Native, path, data)
}

/// Remove the temporary files that interrupted runs left in a directory, and return their paths.
///
/// A temporary file is left behind if its process has ended or if nothing has changed it for 60 s. One that
/// may hold the only copy of somebody's data is not removed.
///
/// # Errors
/// The directory cannot be read. A file that cannot be removed is skipped.
pub fn sweep(directory: &Path) -> io::Result<Vec<PathBuf>> {
    sweep::sweep_in(&Native, directory, native::is_alive)
}

fn replace_in<F: Fs>(
    fs: &F,
    path: &Path,
    data: &[u8],
    expected: Expected<'_>,
    backup: Option<&Path>,
) -> Result<(), ReplaceError> {
    replace_at_in(fs, path, data, expected, backup, None)
}

fn replace_at_in<F: Fs>(
    fs: &F,
    path: &Path,
    data: &[u8],
    expected: Expected<'_>,
    backup: Option<&Path>,
    modified: Option<SystemTime>,
) -> Result<(), ReplaceError> {
    let target = Target::open(fs, path)?;
    let backup = backup.map(|backup| Backup::beside(&target, backup)).transpose()?;
    let existing = target.check(expected, backup.is_some())?;
    let like = existing.as_ref().map(|existing| &existing.file);
    let mut new = Temporary::write(&target, data, like, modified)?;
    match existing {
        None if expected == Expected::Anything && backup.is_none() => new.rename_over()?,
        None => new.rename_to_free_name()?,
        Some(Existing { digest: None, file, .. }) => {
            drop(file); // Windows does not replace a file that is open, not even by this process.
            new.rename_over()?;
        }
        Some(Existing { digest: Some(digest), file, stamp }) => {
            let version = Version::Digest(digest);
            if let Some(backup) = &backup {
                backup.create(&file, &stamp, &version)?;
            }
            drop(file); // Windows does not replace a file that is open, not even by this process.
            new.exchange_or_keep(&version, None, backup)?;
        }
    }
    target.sync_directory()
}

#[cfg(all(test, unix))]
mod append_races;
#[cfg(all(test, unix))]
mod crash;
#[cfg(all(test, unix))]
mod crash_tests;
#[cfg(all(test, unix))]
mod edit_tests;
#[cfg(all(test, unix))]
mod faults;
#[cfg(all(test, unix))]
mod faulty;
#[cfg(all(test, unix))]
mod held_open_tests;
#[cfg(all(test, unix))]
mod race_tests;
#[cfg(test)]
mod tests;
