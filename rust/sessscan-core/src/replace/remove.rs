//! Removing a file that is what it is expected to be.

use super::error::ReplaceError;
use super::expected::{Digest, Expected};
use super::fs::{Fs, Rename};
use super::name;
use super::target::Target;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

pub(super) fn remove_in<F: Fs>(fs: &F, path: &Path, expected: &Digest) -> Result<(), ReplaceError> {
    let target = Target::open(fs, path)?;
    target.expect(Expected::Digest(*expected), false)?;
    take(&target, expected)
}

/// Takes the target out of its place and, if it has this digest, away; a conflict otherwise, and it is back.
pub(super) fn take<F: Fs>(target: &Target<'_, F>, expected: &Digest) -> Result<(), ReplaceError> {
    let (fs, dir) = (target.fs, &target.dir);
    let mut name = name::random();
    name.push(name::mark(0, expected));
    match fs.rename(dir, target.name, &name, Rename::Over) {
        // Reported as failed, and yet it happened: see `Target::settle`.
        Err(_) if fs.stat_at(dir, &name).is_ok() => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(target.conflict("is not there any more"));
        }
        done => done.map_err(|error| target.io(error))?,
    }
    match target.holds(&name, expected) {
        Ok(true) => {
            // Away only when the other name's end is durable: never are both to be missing by accident.
            let confirmed = target.confirm();
            let _ = fs.unlink(dir, &name);
            confirmed
        }
        other => {
            put_back(target, &name)
                .map_err(|source| ReplaceError::Io { path: target.path.with_file_name(&name), source })?;
            Err(other.map_or_else(|error| target.io(error), |_| target.conflict("was changed meanwhile")))
        }
    }
}

/// Puts a file back under the target's name, unless the owner has made a new one meanwhile: that one stays.
fn put_back<F: Fs>(target: &Target<'_, F>, name: &OsStr) -> io::Result<()> {
    let (fs, dir) = (target.fs, &target.dir);
    let back = match fs.rename(dir, name, target.name, Rename::New) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => match fs.stat_at(dir, target.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs.rename(dir, name, target.name, Rename::Over)
            }
            _ => fs.unlink(dir, name),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs.unlink(dir, name),
        done => done,
    };
    // Under the other name it would be swept.
    let _ = fs.sync_dir(dir);
    back
}
