//! Move a file or folder to another directory of its file system.

use super::error::ReplaceError;
use super::fs::{Fs, Kind};
use super::target::Target;
use std::io;
use std::path::Path;

pub(super) fn relocate_in<F: Fs>(fs: &F, path: &Path, to: &Path, inode: u64) -> Result<(), ReplaceError> {
    let (old, new) = (Target::open(fs, path)?, Target::open(fs, to)?);
    match fs.stat_at(&old.dir, old.name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(old.conflict("does not exist any more"));
        }
        Err(error) => return Err(old.io(error)),
        Ok(stat) if !matches!(stat.kind, Kind::File | Kind::Directory) => {
            return Err(old.conflict("is neither a file nor a folder"));
        }
        Ok(stat) if inode != 0 && stat.stamp.inode != inode => {
            return Err(old.conflict("was replaced since it was looked at"));
        }
        Ok(_) => {}
    }
    match fs.rename_into(&old.dir, old.name, &new.dir, new.name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(new.conflict("already exists"));
        }
        done => done.map_err(|error| old.io(error))?,
    }
    // The new name first: if the power fails in between, there may be two names, but never none.
    new.sync_directory()?;
    old.sync_directory()
}
