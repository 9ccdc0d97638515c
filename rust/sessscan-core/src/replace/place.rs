//! The steps of the writer, one by one, on a file in an open directory.

use super::fs::{Fs, Kind, Rename, Stamp, finish, write_all};
use super::temporary::Temporary;
use super::{Digest, Expected, ReplaceError};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// A file as it was found.
pub(super) struct Old<File> {
    pub(super) file: File,
    pub(super) stamp: Stamp,
    /// Of its content, if anybody wants to know.
    pub(super) digest: Option<Digest>,
}

/// What was found under a name.
pub(super) enum Found<File> {
    Nothing,
    File(File, Stamp),
    /// A link, a folder or something stranger.
    Other(Kind),
}

/// The file that is to be changed: a name in an open directory.
pub(super) struct Place<'a, F: Fs> {
    pub(super) fs: &'a F,
    pub(super) dir: F::Dir,
    pub(super) name: &'a OsStr,
    pub(super) path: &'a Path,
}

impl<'a, F: Fs> Place<'a, F> {
    pub(super) fn open(fs: &'a F, path: &'a Path) -> Result<Self, ReplaceError> {
        let open = || {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let dir = fs.open_dir(parent(path))?;
            Ok(Place { fs, dir, name, path })
        };
        open().map_err(|source| ReplaceError::Io { path: path.to_owned(), source })
    }

    pub(super) fn io(&self, source: io::Error) -> ReplaceError {
        ReplaceError::Io { path: self.path.to_owned(), source }
    }

    pub(super) fn conflict(&self, reason: &'static str) -> ReplaceError {
        ReplaceError::Conflict { path: self.path.to_owned(), reason }
    }

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

    pub(super) fn find(&self, name: &OsStr) -> io::Result<Found<F::File>> {
        // Looked at before it is opened: to open a device can do something.
        let kind = match self.fs.stat_at(&self.dir, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            stat => stat?.kind,
        };
        if kind != Kind::File {
            return Ok(Found::Other(kind));
        }
        let file = match self.fs.open(&self.dir, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            file => file?,
        };
        let stat = self.fs.stat(&file)?;
        Ok(if stat.kind == Kind::File { Found::File(file, stat.stamp) } else { Found::Other(stat.kind) })
    }

    /// The digest of a file's content; an error if it is written to meanwhile.
    pub(super) fn digest(&self, file: &mut F::File, stamp: &Stamp) -> io::Result<Digest> {
        let mut hash = Sha256::new();
        self.read(file, |block| {
            hash.update(block);
            Ok(())
        })?;
        if self.fs.stat(file)?.stamp != *stamp {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(hash.finalize().into())
    }

    fn read(&self, file: &mut F::File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut block = vec![0; 64 << 10];
        loop {
            match self.fs.read(file, &mut block)? {
                0 => return Ok(()),
                read => each(&block[..read])?,
            }
        }
    }

    /// Whether a name holds a file with this digest.
    pub(super) fn holds(&self, name: &OsStr, digest: &Digest) -> io::Result<bool> {
        match self.find(name)? {
            Found::File(mut file, stamp) => match self.digest(&mut file, &stamp) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
                found => Ok(found? == *digest),
            },
            Found::Nothing | Found::Other(_) => Ok(false),
        }
    }

    /// Step 1. The target, if there is one, with its digest where one is expected or `digest` asks for it.
    pub(super) fn expect(
        &self,
        expected: Expected<'_>,
        digest: bool,
    ) -> Result<Option<Old<F::File>>, ReplaceError> {
        let wanted = expected.digest();
        match self.find(self.name).map_err(|error| self.io(error))? {
            Found::Nothing if wanted.is_some() => Err(self.conflict("is not there any more")),
            Found::Nothing => Ok(None),
            _ if expected == Expected::Absent => Err(self.conflict("exists already")),
            Found::Other(_) if wanted.is_some() => Err(self.conflict("is no regular file")),
            Found::Other(kind) => Err(self.io(not_a_file(kind))),
            Found::File(mut file, stamp) => {
                let digest = if digest || wanted.is_some() {
                    match self.digest(&mut file, &stamp) {
                        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                            return Err(self.conflict("is being written to"));
                        }
                        found => Some(found.map_err(|error| self.io(error))?),
                    }
                } else {
                    None
                };
                if wanted.is_some() && wanted != digest {
                    return Err(self.conflict("is not what it was expected to be"));
                }
                Ok(Some(Old { file, stamp, digest }))
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

    /// Step 5 where whatever is there may go.
    pub(super) fn rename_over(&self, new: &mut Temporary<'_, F>) -> Result<(), ReplaceError> {
        let renamed = self.fs.rename(&self.dir, &new.name, self.name, Rename::Over);
        self.settle(renamed, new).map_err(|error| self.io(error))?;
        new.disarm();
        Ok(())
    }

    /// Step 5 where nothing is there, and nothing that comes meanwhile may be lost.
    pub(super) fn appear(&self, new: &mut Temporary<'_, F>) -> Result<(), ReplaceError> {
        let exists = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.conflict("exists already"),
            _ => self.io(error),
        };
        let renamed = self.fs.rename(&self.dir, &new.name, self.name, Rename::New);
        match self.settle(renamed, new) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => {
                done.map_err(exists)?;
                new.disarm();
                return Ok(());
            }
        }
        // A link never replaces either; our first name goes as any temporary one does.
        let linked = self.fs.link(&self.dir, &new.name, self.name);
        match self.settle(linked, new) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => return done.map_err(exists),
        }
        match self.find(self.name).map_err(|error| self.io(error))? {
            Found::Nothing => self.rename_over(new),
            _ => Err(self.conflict("exists already")),
        }
    }

    /// Steps 5 and 6.
    pub(super) fn exchange(&self, new: &mut Temporary<'_, F>, before: &Digest) -> Result<(), ReplaceError> {
        if !F::EXCHANGES {
            return self.compare_and_rename(new, before);
        }
        new.mark(before).map_err(|error| self.io(error))?;
        // Until it is known what stands under our name, nothing may remove it.
        new.disarm();
        let exchanged = self.fs.rename(&self.dir, &new.name, self.name, Rename::Exchange);
        if let Err(error) = self.settle(exchanged, new) {
            return match error.kind() {
                io::ErrorKind::Unsupported => self.compare_and_rename(new, before),
                io::ErrorKind::NotFound => Err(self.conflict("is not there any more")),
                _ => Err(self.io(error)),
            };
        }
        let looked = self.holds(&new.name, before);
        if !matches!(looked, Ok(true)) {
            self.swap_back(new).map_err(|source| ReplaceError::Io { path: new.path(), source })?;
        }
        new.arm();
        match looked {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.conflict("was changed meanwhile")),
            Err(error) => Err(self.io(error)),
        }
    }

    fn compare_and_rename(&self, new: &mut Temporary<'_, F>, before: &Digest) -> Result<(), ReplaceError> {
        if !self.holds(self.name, before).map_err(|error| self.io(error))? {
            return Err(self.conflict("was changed meanwhile"));
        }
        self.rename_over(new)
    }

    /// Step 6. The owner may write again before we are done: then what comes out is not what we put in, and
    /// is in its turn the version that must stay. Decided by the files' stamps: reading takes so long that an
    /// owner who writes all the time would never let us end.
    fn swap_back(&self, new: &Temporary<'_, F>) -> io::Result<()> {
        let mut put = new.stamp;
        for _ in 0..1000 {
            let theirs = self.fs.stat_at(&self.dir, &new.name)?.stamp;
            let settled = match self.fs.rename(&self.dir, &new.name, self.name, Rename::Exchange) {
                // The owner removed the file: so it shall be.
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                done => {
                    done?;
                    self.fs.stat_at(&self.dir, &new.name)?.stamp == put
                }
            };
            if settled {
                // Nobody is told that this is durable; but the sooner it is, the better.
                let _ = self.fs.sync_dir(&self.dir);
                return Ok(());
            }
            put = theirs;
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Step 7.
    pub(super) fn confirm(&self) -> Result<(), ReplaceError> {
        let unconfirmed = |source| ReplaceError::Unconfirmed { path: self.path.to_owned(), source };
        self.fs.sync_dir(&self.dir).map_err(unconfirmed)
    }

    /// Whether our file is the target now; None if that cannot be told.
    pub(super) fn is_there(&self, new: &Temporary<'_, F>) -> Option<bool> {
        match self.fs.stat_at(&self.dir, self.name) {
            Ok(stat) => Some(stat.stamp.same_file(&new.stamp)),
            Err(error) => (error.kind() == io::ErrorKind::NotFound).then_some(false),
        }
    }

    /// A rename may be reported as failed and have happened (a network file system that tried twice). Only where
    /// our file certainly is not the target is it known that our name holds it.
    fn settle(&self, renamed: io::Result<()>, new: &mut Temporary<'_, F>) -> io::Result<()> {
        let Err(error) = renamed else { return Ok(()) };
        let there = if error.kind() == io::ErrorKind::Unsupported { Some(false) } else { self.is_there(new) };
        if there == Some(true) {
            return Ok(());
        }
        if there == Some(false) {
            new.arm();
        }
        Err(error)
    }
}

/// The name that a replaced file is kept under.
pub(super) struct Backup<'a> {
    pub(super) name: &'a OsStr,
    path: &'a Path,
}

pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The error that the system itself has for such a case.
pub(super) fn not_a_file(kind: Kind) -> io::Error {
    match kind {
        #[cfg(unix)]
        Kind::Link => rustix::io::Errno::LOOP.into(),
        Kind::Directory => io::ErrorKind::IsADirectory.into(),
        _ => io::ErrorKind::InvalidInput.into(),
    }
}
