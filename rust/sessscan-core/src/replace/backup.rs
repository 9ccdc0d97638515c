//! Keep the file that is replaced, under a second name beside it.

use super::error::ReplaceError;
use super::expected::{Digest, Version};
use super::fs::{Fs, Stamp, sync_and_check_size, write_all};
use super::target::{Found, Target, parent};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Return the time so many nanoseconds after the epoch; the epoch for one before it.
fn time_of(nanoseconds: i128) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

/// The name under which a replaced file is kept.
pub(super) struct Backup<'a, F: Fs> {
    target: &'a Target<'a, F>,
    name: &'a OsStr,
    path: &'a Path,
}

impl<'a, F: Fs> Backup<'a, F> {
    /// Check that the backup's path is in the target's folder and is not the target's own.
    pub(super) fn beside(target: &'a Target<'a, F>, path: &'a Path) -> Result<Self, ReplaceError> {
        match path.file_name() {
            Some(name) if parent(path) == parent(target.path) && name != target.name => {
                Ok(Backup { target, name, path })
            }
            _ => Err(ReplaceError::Io { path: path.to_owned(), source: io::ErrorKind::InvalidInput.into() }),
        }
    }

    /// Step 4: give the old file a second name and make it durable.
    ///
    /// A hard link takes no space and cannot be torn. Where there are none, the file is copied.
    pub(super) fn create(&self, old: &F::File, stamp: &Stamp, version: &Version) -> Result<(), ReplaceError> {
        let (fs, dir) = (self.target.fs, &self.target.dir);
        let failed = |source| ReplaceError::Io { path: self.path.to_owned(), source };
        let same = match fs.link(dir, self.target.name, self.name) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let copy = fs.create(dir, self.name).map_err(failed)?;
                self.copy(copy, version)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.target.conflict("does not exist any more"));
            }
            linked => {
                linked.map_err(failed)?;
                let second = fs.stat_at(dir, self.name);
                second.and_then(|second| fs.sync(old).map(|()| second.stamp.same_file(stamp)))
            }
        };
        let kept = match same {
            Ok(true) => fs.sync_dir(dir).map_err(failed),
            Ok(false) => Err(self.target.conflict("was replaced meanwhile")),
            Err(error) => Err(failed(error)),
        };
        kept.inspect_err(|_| self.remove())
    }

    /// Remove the backup, best effort.
    pub(super) fn remove(&self) {
        let _ = self.target.fs.unlink(&self.target.dir, self.name);
    }

    /// Copy the target; return whether what was copied is of this version.
    ///
    /// The copy has the time of the last write, too, as a link would: matching reads it, and for a content that
    /// is not read again it stands.
    fn copy(&self, mut copy: F::File, version: &Version) -> io::Result<bool> {
        let target = self.target;
        let Found::File(mut file, found) = target.find(target.name)? else { return Ok(false) };
        let mut hash = Sha256::new();
        let mut size = 0;
        target.read(&mut file, |block| {
            if matches!(version, Version::Digest(_)) {
                hash.update(block);
            }
            size += block.len() as u64;
            write_all(target.fs, &mut copy, block)
        })?;
        target.fs.copy_attributes(&file, &copy);
        target.fs.set_modified(&copy, time_of(found.modified));
        sync_and_check_size(target.fs, &copy, size)?;
        Ok(match version {
            Version::Digest(digest) => Digest::from(hash.finalize()) == *digest,
            Version::Stamp(stamp) => target.fs.stat(&file)?.stamp == *stamp,
        })
    }
}
