//! Our files beside the target: that they go when we do.

use super::error::ReplaceError;
use super::expected::Digest;
use super::fs::{Fs, Rename, Stamp, finish, write_all};
use super::name;
use super::place::Place;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

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
        marked.push(name::mark(self.stamp.inode, before));
        self.place.fs.rename(&self.place.dir, &self.name, &marked, Rename::Over)?;
        self.name = marked;
        Ok(())
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

fn create<F: Fs>(place: &Place<'_, F>) -> io::Result<(OsString, F::File)> {
    let mut attempts = 0;
    loop {
        let name = name::random();
        match place.fs.create(&place.dir, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 100 => attempts += 1,
            created => return Ok((name, created?)),
        }
    }
}
