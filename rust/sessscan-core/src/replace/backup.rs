//! The copy that is kept of a file that is replaced.

use super::error::ReplaceError;
use super::expected::Digest;
use super::fs::{Fs, Stamp, finish, write_all};
use super::target::{Found, Target, parent};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// The name that a replaced file is kept under.
pub(super) struct Backup<'a> {
    pub(super) name: &'a OsStr,
    path: &'a Path,
}

impl<F: Fs> Target<'_, F> {
    /// The name of a backup, which must be in the same directory.
    pub(super) fn beside<'b>(&self, backup: &'b Path) -> Result<Backup<'b>, ReplaceError> {
        match backup.file_name() {
            Some(name) if parent(backup) == parent(self.path) && name != self.name => {
                Ok(Backup { name, path: backup })
            }
            _ => {
                Err(ReplaceError::Io { path: backup.to_owned(), source: io::ErrorKind::InvalidInput.into() })
            }
        }
    }

    /// Step 4. A second name for the old file costs no space and cannot be torn; elsewhere a copy has to do.
    pub(super) fn keep(
        &self,
        old: &F::File,
        stamp: &Stamp,
        digest: &Digest,
        backup: &Backup,
    ) -> Result<(), ReplaceError> {
        let failed = |source| ReplaceError::Io { path: backup.path.to_owned(), source };
        let same = match self.fs.link(&self.dir, self.name, backup.name) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let copy = self.fs.create(&self.dir, backup.name).map_err(failed)?;
                self.copy(copy, digest)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.conflict("is not there any more"));
            }
            linked => {
                linked.map_err(failed)?;
                let second = self.fs.stat_at(&self.dir, backup.name);
                second.and_then(|second| self.fs.sync(old).map(|()| second.stamp.same_file(stamp)))
            }
        };
        let kept = match same {
            Ok(true) => self.fs.sync_dir(&self.dir).map_err(failed),
            Ok(false) => Err(self.conflict("was replaced meanwhile")),
            Err(error) => Err(failed(error)),
        };
        kept.inspect_err(|_| {
            let _ = self.fs.unlink(&self.dir, backup.name);
        })
    }

    /// Copies the target; whether what was copied has this digest.
    fn copy(&self, mut copy: F::File, digest: &Digest) -> io::Result<bool> {
        let Found::File(mut file, _) = self.find(self.name)? else { return Ok(false) };
        let mut hash = Sha256::new();
        let mut size = 0;
        self.read(&mut file, |block| {
            hash.update(block);
            size += block.len() as u64;
            write_all(self.fs, &mut copy, block)
        })?;
        self.fs.copy_attributes(&file, &copy);
        finish(self.fs, &copy, size)?;
        Ok(Digest::from(hash.finalize()) == *digest)
    }
}
