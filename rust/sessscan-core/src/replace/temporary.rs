//! Write the temporary file beside the target, and remove it when it is no longer needed.

use super::error::ReplaceError;
use super::expected::Version;
use super::fs::{Fs, Rename, Stamp, sync_and_check_size, write_all};
use super::name;
use super::target::Target;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

/// A temporary file beside the target. Dropping it removes the file while `remove_on_drop` is set.
pub(super) struct Temporary<'a, F: Fs> {
    pub(super) target: &'a Target<'a, F>,
    pub(super) name: OsString,
    /// The stamp of our own file, under whatever name it is now.
    pub(super) stamp: Stamp,
    pub(super) remove_on_drop: bool,
}

impl<'a, F: Fs> Temporary<'a, F> {
    /// Steps 2 and 3: write the data to a new temporary file, with the attributes of `like` and the given
    /// time of its last write, and sync it.
    pub(super) fn write(
        target: &'a Target<'a, F>,
        data: &[u8],
        like: Option<&F::File>,
        modified: Option<SystemTime>,
    ) -> Result<Self, ReplaceError> {
        Self::try_write(target, data, like, modified).map_err(|error| target.io(error))
    }

    fn try_write(
        target: &'a Target<'a, F>,
        data: &[u8],
        like: Option<&F::File>,
        modified: Option<SystemTime>,
    ) -> io::Result<Self> {
        let (mut new, mut file) = Self::create(target)?;
        write_all(target.fs, &mut file, data)?;
        new.complete(&file, like, modified, data.len() as u64)?;
        Ok(new)
    }

    /// Step 2: create an empty temporary file.
    pub(super) fn create(target: &'a Target<'a, F>) -> io::Result<(Self, F::File)> {
        let (name, file) = create(target)?;
        let not_yet_known = Stamp { device: 0, inode: 0, size: 0, modified: 0 };
        Ok((Temporary { target, name, stamp: not_yet_known, remove_on_drop: true }, file))
    }

    /// The end of step 3: give the written file its attributes and its time, sync it, and check its size.
    pub(super) fn complete(
        &mut self,
        file: &F::File,
        like: Option<&F::File>,
        modified: Option<SystemTime>,
        size: u64,
    ) -> io::Result<()> {
        let fs = self.target.fs;
        if let Some(like) = like {
            fs.copy_attributes(like, file);
        }
        if let Some(time) = modified {
            fs.set_modified(file, time);
        }
        self.stamp = sync_and_check_size(fs, file, size)?;
        Ok(())
    }

    /// Rename the file so that its name tells what it may be exchanged for.
    pub(super) fn mark_for_exchange(&mut self, before: &Version) -> io::Result<()> {
        let mut marked = self.name.clone();
        marked.push(name::exchange_suffix(self.stamp.inode, self.stamp.size, before));
        self.target.fs.rename(&self.target.dir, &self.name, &marked, Rename::Over)?;
        self.name = marked;
        Ok(())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.target.path.with_file_name(&self.name)
    }

    /// Return whether the target's name stands for our file now; None if that cannot be told.
    pub(super) fn is_at_target(&self) -> Option<bool> {
        match self.target.fs.stat_at(&self.target.dir, self.target.name) {
            Ok(stat) => Some(stat.stamp.same_file(&self.stamp)),
            Err(error) => (error.kind() == io::ErrorKind::NotFound).then_some(false),
        }
    }
}

impl<F: Fs> Drop for Temporary<'_, F> {
    fn drop(&mut self) {
        if self.remove_on_drop {
            // If that fails, a later run sweeps the file.
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
