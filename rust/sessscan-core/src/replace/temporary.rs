//! Our files beside the target: their names, and that they go when we do.
//!
//! `.sessscan-<process>-<random>` is being written and nobody's loss. Before it is exchanged with the target
//! it becomes `.sessscan-<process>-<random>-<inode>-<digest>`: the inode of our own file, and the beginning of the
//! SHA-256 of what may come out. Whoever finds such a name after a crash can tell by it whether the file is
//! ours, or what we meant to replace, or something that an owner wrote in that very moment and that must
//! stay. The names neither begin nor end like any that the app looks at.

use super::fs::{Fs, Rename, Stamp, finish, write_all};
use super::place::Place;
use super::{Digest, ReplaceError};
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;

const PREFIX: &str = ".sessscan-";

/// A file of ours. Dropped, it is removed, unless it was disarmed.
pub(super) struct Temporary<'a, F: Fs> {
    place: &'a Place<'a, F>,
    pub(super) name: OsString,
    /// Of our own file, wherever it may be now.
    pub(super) stamp: Stamp,
    armed: bool,
}

impl<'a, F: Fs> Temporary<'a, F> {
    /// Steps 2 and 3 of the writer.
    pub(super) fn write(
        place: &'a Place<'a, F>,
        data: &[u8],
        like: Option<&F::File>,
    ) -> Result<Self, ReplaceError> {
        Self::try_write(place, data, like).map_err(|error| place.io(error))
    }

    fn try_write(place: &'a Place<'a, F>, data: &[u8], like: Option<&F::File>) -> io::Result<Self> {
        let fs = place.fs;
        let (name, mut file) = create(place)?;
        let nowhere = Stamp { device: 0, inode: 0, size: 0, modified: 0 };
        let mut new = Temporary { place, name, stamp: nowhere, armed: true };
        write_all(fs, &mut file, data)?;
        if let Some(like) = like {
            fs.copy_attributes(like, &file);
        }
        new.stamp = finish(fs, &file, data.len() as u64)?;
        Ok(new)
    }

    /// Gives it the name that tells what it may be exchanged for.
    pub(super) fn mark(&mut self, before: &Digest) -> io::Result<()> {
        let mut marked = self.name.clone();
        marked.push(mark(self.stamp.inode, before));
        self.place.fs.rename(&self.place.dir, &self.name, &marked, Rename::Over)?;
        self.name = marked;
        Ok(())
    }

    /// Takes the target out of its place and, if it has this digest, away; a conflict otherwise, and it is back.
    pub(super) fn take(place: &'a Place<'a, F>, expected: &Digest) -> Result<(), ReplaceError> {
        let (fs, dir) = (place.fs, &place.dir);
        let mut name = random_name();
        name.push(mark(0, expected));
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

    pub(super) fn path(&self) -> PathBuf {
        self.place.path.with_file_name(&self.name)
    }

    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }

    pub(super) fn arm(&mut self) {
        self.armed = true;
    }
}

impl<F: Fs> Drop for Temporary<'_, F> {
    fn drop(&mut self) {
        if self.armed {
            // What cannot be removed is swept by a later run.
            let _ = self.place.fs.unlink(&self.place.dir, &self.name);
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

fn create<F: Fs>(place: &Place<'_, F>) -> io::Result<(OsString, F::File)> {
    let mut attempts = 0;
    loop {
        let name = random_name();
        match place.fs.create(&place.dir, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 100 => attempts += 1,
            created => return Ok((name, created?)),
        }
    }
}

fn random_name() -> OsString {
    // Each `RandomState` has keys of its own, from the system's randomness.
    let random = RandomState::new().hash_one(std::time::SystemTime::now());
    format!("{PREFIX}{}-{random:016x}", std::process::id()).into()
}

fn mark(inode: u64, digest: &Digest) -> String {
    format!("-{inode:x}-{}", short(digest))
}

fn short(digest: &Digest) -> String {
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a temporary file's name tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// The process that made it.
    pub(super) process: u32,
    /// The inode of our own file, and the digest of what it may have been exchanged for.
    pub(super) exchanged: Option<(u64, &'a str)>,
}

impl<'a> Name<'a> {
    /// None for a name that is not of our making.
    pub(super) fn parse(name: &'a OsStr) -> Option<Name<'a>> {
        let mut parts = name.to_str()?.strip_prefix(PREFIX)?.split('-');
        let process = parts.next()?.parse().ok()?;
        u64::from_str_radix(parts.next()?, 16).ok()?;
        let exchanged = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(inode), Some(digest), None) => Some((u64::from_str_radix(inode, 16).ok()?, digest)),
            _ => return None,
        };
        Some(Name { process, exchanged })
    }

    /// Whether the file may be removed: it was never exchanged, is ours, or is what we meant to replace.
    pub(super) fn is_spare(&self, inode: u64, links: u64, digest: impl FnOnce() -> Option<Digest>) -> bool {
        match self.exchanged {
            None => true,
            Some((ours, _)) if ours == inode => true,
            // A backup is another name of it.
            Some(_) if links > 1 => true,
            Some((_, expected)) => digest().is_some_and(|digest| short(&digest) == expected),
        }
    }
}
