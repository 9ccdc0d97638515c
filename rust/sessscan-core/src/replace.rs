//! The only writer: a file is replaced as a whole, or stays what it was, whatever happens meanwhile.
//!
//! ```text
//!  1  look at the target: is it what the caller expects?                     no: conflict
//!  2  create a file of our own beside it, exclusively, readable by us alone
//!  3  write all; copy mode, owner and attributes of the target; sync; check its size
//!  4  keep the target under the backup's name; sync it; sync the directory
//!  5  exchange the two files in one step, and look at what came out
//!  6  not what step 1 saw: exchange them back                                conflict
//!  7  sync the directory                                                     failed: unconfirmed
//!  8  remove our own name
//! ```
//!
//! Departures from it: where nothing is expected and nothing kept, step 5 is a plain rename and 6 falls away;
//! where there is no target, it is a rename that never replaces; where the file system cannot exchange, the
//! target is compared once more and then renamed over, which leaves a short moment in which an owner's
//! update can be lost. A sync that failed is never tried again: the kernel has dropped the data, and the second
//! call would say that all is well.
//!
//! Between the steps 5 and 8 our name holds what was the target. A crash there may leave it behind; the
//! name tells [`sweep`] whether it can go (see `temporary`).

mod append;
mod backup;
mod error;
mod expected;
mod fs;
mod install;
mod name;
mod remove;
mod sweep;
mod target;
mod temporary;
#[cfg(unix)]
#[allow(clippy::disallowed_methods)] // here, and in its twin, is where files are changed
mod unix;
#[cfg(windows)]
#[allow(clippy::disallowed_methods)]
mod windows;

#[cfg(unix)]
use unix as native;
#[cfg(windows)]
use windows as native;

pub use error::ReplaceError;
pub use expected::{Digest, Expected};

use fs::Fs;
use native::Native;
use remove::remove_in;
use std::io;
use std::path::{Path, PathBuf};
use target::{Old, Target};
use temporary::Temporary;

/// Replaces a file's content, or creates the file, durably and in one step.
///
/// A link is not followed: it, a folder and whatever else is no regular file is an error ([`Expected::Anything`])
/// or a conflict. With `backup` the file that is replaced is kept under that name beside it, which must not exist.
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

/// Removes a file, durably, if its content has this digest.
///
/// # Errors
/// See [`ReplaceError`].
pub fn remove(path: &Path, expected: &Digest) -> Result<(), ReplaceError> {
    remove_in(&Native, path, expected)
}

/// Appends to a file of our own, which is created if it is not there (readable by its owner only), and makes
/// the addition durable.
///
/// # Errors
/// [`ReplaceError::Io`]; part of the data may have been appended only if taking it back failed as well.
pub fn append_durable(path: &Path, data: &[u8]) -> Result<(), ReplaceError> {
    append::append_in(&Native, path, data)
}

/// Removes what interrupted runs left in a directory: our temporary files of processes that are gone, or that
/// nothing happened to for a minute. Those that may hold the only copy of something stay.
///
/// # Errors
/// The directory cannot be read. A file that cannot be removed is passed over.
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
    let target = Target::open(fs, path)?;
    let backup = backup.map(|backup| target.beside(backup)).transpose()?;
    let present = target.expect(expected, backup.is_some())?;
    let mut new = Temporary::write(&target, data, present.as_ref().map(|old| &old.file))?;
    match present {
        None if expected == Expected::Anything && backup.is_none() => target.rename_over(&mut new)?,
        None => target.appear(&mut new)?,
        Some(Old { digest: None, file, .. }) => {
            drop(file); // on Windows a file that is open, be it by us, may not be replaced
            target.rename_over(&mut new)?;
        }
        Some(Old { digest: Some(digest), file, stamp }) => {
            if let Some(backup) = &backup {
                target.keep(&file, &stamp, &digest, backup)?;
            }
            drop(file); // as above
            if let Err(error) = target.exchange(&mut new, &digest) {
                // Only where the old file is certainly still in place is a second one of no use.
                let in_place =
                    matches!(error, ReplaceError::Conflict { .. }) || target.is_there(&new) == Some(false);
                if let Some(backup) = backup.filter(|_| in_place) {
                    let _ = fs.unlink(&target.dir, backup.name);
                }
                return Err(error);
            }
        }
    }
    target.confirm()
}

#[cfg(all(test, unix))]
mod crash;
#[cfg(all(test, unix))]
mod crash_tests;
#[cfg(all(test, unix))]
mod faults;
#[cfg(all(test, unix))]
mod race_tests;
#[cfg(test)]
mod tests;
