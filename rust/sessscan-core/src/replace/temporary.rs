//! Our files beside the target: that they go when we do.

use super::error::ReplaceError;
use super::expected::Digest;
use super::fs::{Fs, Rename, Stamp, finish, write_all};
use super::name;
use super::target::Target;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// A file of ours. Dropped, it is removed, unless it was disarmed.
pub(super) struct Temporary<'a, F: Fs> {
    target: &'a Target<'a, F>,
    pub(super) name: OsString,
    /// Of our own file, wherever it may be now.
    pub(super) stamp: Stamp,
    armed: bool,
}

impl<'a, F: Fs> Temporary<'a, F> {
    /// Steps 2 and 3 of the writer.
    pub(super) fn write(
        target: &'a Target<'a, F>,
        data: &[u8],
        like: Option<&F::File>,
    ) -> Result<Self, ReplaceError> {
        Self::try_write(target, data, like).map_err(|error| target.io(error))
    }

    fn try_write(target: &'a Target<'a, F>, data: &[u8], like: Option<&F::File>) -> io::Result<Self> {
        let fs = target.fs;
        let (name, mut file) = create(target)?;
        let nowhere = Stamp { device: 0, inode: 0, size: 0, modified: 0 };
        let mut new = Temporary { target, name, stamp: nowhere, armed: true };
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
        self.target.fs.rename(&self.target.dir, &self.name, &marked, Rename::Over)?;
        self.name = marked;
        Ok(())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.target.path.with_file_name(&self.name)
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
            let _ = self.target.fs.unlink(&self.target.dir, &self.name);
        }
    }
}

fn create<F: Fs>(target: &Target<'_, F>) -> io::Result<(OsString, F::File)> {
    let mut attempts = 0;
    loop {
        let name = name::random();
        match target.fs.create(&target.dir, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 100 => attempts += 1,
            created => return Ok((name, created?)),
        }
    }
}
