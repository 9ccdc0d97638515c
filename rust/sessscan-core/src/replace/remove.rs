//! Removing a file that is what it is expected to be.

use super::error::ReplaceError;
use super::expected::{Digest, Expected};
use super::fs::{Fs, Rename};
use super::name;
use super::place::Place;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

pub(super) fn remove_in<F: Fs>(fs: &F, path: &Path, expected: &Digest) -> Result<(), ReplaceError> {
    let place = Place::open(fs, path)?;
    place.expect(Expected::Digest(*expected), false)?;
    take(&place, expected)
}

/// Takes the target out of its place and, if it has this digest, away; a conflict otherwise, and it is back.
pub(super) fn take<F: Fs>(place: &Place<'_, F>, expected: &Digest) -> Result<(), ReplaceError> {
    let (fs, dir) = (place.fs, &place.dir);
    let mut name = name::random();
    name.push(name::mark(0, expected));
    match fs.rename(dir, place.name, &name, Rename::Over) {
        // Reported as failed, and yet it happened: see `Place::settle`.
        Err(_) if fs.stat_at(dir, &name).is_ok() => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(place.conflict("is not there any more"));
        }
        done => done.map_err(|error| place.io(error))?,
    }
    match place.holds(&name, expected) {
        Ok(true) => {
            // Away only when the other name's end is durable: never are both to be missing by accident.
            let confirmed = place.confirm();
            let _ = fs.unlink(dir, &name);
            confirmed
        }
        other => {
            put_back(place, &name)
                .map_err(|source| ReplaceError::Io { path: place.path.with_file_name(&name), source })?;
            Err(other.map_or_else(|error| place.io(error), |_| place.conflict("was changed meanwhile")))
        }
    }
}

/// Puts a file back under the target's name, unless the owner has made a new one meanwhile: that one stays.
fn put_back<F: Fs>(place: &Place<'_, F>, name: &OsStr) -> io::Result<()> {
    let (fs, dir) = (place.fs, &place.dir);
    let back = match fs.rename(dir, name, place.name, Rename::New) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => match fs.stat_at(dir, place.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs.rename(dir, name, place.name, Rename::Over)
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
