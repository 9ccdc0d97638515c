//! Remove a file whose content is what is expected.

use super::error::ReplaceError;
use super::expected::{Digest, Expected, Seen, Version};
use super::fs::{Fs, Rename};
use super::name;
use super::target::Target;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

pub(super) fn remove_in<F: Fs>(fs: &F, path: &Path, expected: &Digest) -> Result<(), ReplaceError> {
    let target = Target::open(fs, path)?;
    target.check(Expected::Digest(*expected), false)?;
    rename_and_remove(&target, &Version::Digest(*expected))
}

pub(super) fn remove_seen_in<F: Fs>(fs: &F, path: &Path, seen: &Seen) -> Result<(), ReplaceError> {
    let target = Target::open(fs, path)?;
    let (_, stat) = target.seen(seen)?;
    rename_and_remove(&target, &Version::Stamp(stat.stamp))
}

/// Move the target to a temporary name and remove it there; move it back if it is not of this version.
fn rename_and_remove<F: Fs>(target: &Target<'_, F>, expected: &Version) -> Result<(), ReplaceError> {
    let (fs, dir) = (target.fs, &target.dir);
    let mut name = name::random();
    name.push(name::exchange_suffix(0, 0, expected));
    match fs.rename(dir, target.name, &name, Rename::Over) {
        // The rename was reported as failed but has happened, as `Temporary::verify_failure` explains.
        Err(_) if fs.stat_at(dir, &name).is_ok() => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(target.conflict("does not exist any more"));
        }
        done => done.map_err(|error| target.io(error))?,
    }
    match target.is_version(&name, expected) {
        Ok(true) => {
            // Sync the rename before removing the file. If the sync fails, the removal is unconfirmed.
            let synced = target.sync_directory();
            let _ = fs.unlink(dir, &name);
            synced
        }
        other => {
            move_back(target, &name)
                .map_err(|source| ReplaceError::Io { path: target.path.with_file_name(&name), source })?;
            Err(other.map_or_else(|error| target.io(error), |_| target.conflict("was changed meanwhile")))
        }
    }
}

/// Move a file back to the target's name, or remove it if the owner has made a new one meanwhile.
fn move_back<F: Fs>(target: &Target<'_, F>, name: &OsStr) -> io::Result<()> {
    let (fs, dir) = (target.fs, &target.dir);
    let moved = match fs.rename(dir, name, target.name, Rename::New) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => match fs.stat_at(dir, target.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs.rename(dir, name, target.name, Rename::Over)
            }
            _ => fs.unlink(dir, name),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs.unlink(dir, name),
        done => done,
    };
    // If a power cut undid the move, the next sweep would find the file under its temporary name.
    let _ = fs.sync_dir(dir);
    moved
}
