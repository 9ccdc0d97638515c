//! Find the file that is to be changed, and check what it is.

use super::error::ReplaceError;
use super::expected::{Digest, Expected, Seen, Version};
use super::fs::{Fs, Kind, Stamp, Stat};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// The target as it was found.
pub(super) struct Existing<File> {
    pub(super) file: File,
    pub(super) stamp: Stamp,
    /// The digest of its content, if [`Target::check`] was to compute it.
    pub(super) digest: Option<Digest>,
}

/// What a name stands for.
pub(super) enum Found<File> {
    Nothing,
    File(File, Stamp),
    /// A link, a folder or something else that is not a regular file.
    Other(Kind),
}

/// The file that is to be changed: a name in an open directory.
pub(super) struct Target<'a, F: Fs> {
    pub(super) fs: &'a F,
    pub(super) dir: F::Dir,
    pub(super) name: &'a OsStr,
    pub(super) path: &'a Path,
}

impl<'a, F: Fs> Target<'a, F> {
    pub(super) fn open(fs: &'a F, path: &'a Path) -> Result<Self, ReplaceError> {
        let open = || {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let dir = fs.open_dir(parent(path))?;
            Ok(Target { fs, dir, name, path })
        };
        open().map_err(|source| ReplaceError::Io { path: path.to_owned(), source })
    }

    pub(super) fn io(&self, source: io::Error) -> ReplaceError {
        ReplaceError::Io { path: self.path.to_owned(), source }
    }

    pub(super) fn conflict(&self, reason: &'static str) -> ReplaceError {
        ReplaceError::Conflict { path: self.path.to_owned(), reason }
    }

    /// Look up a name in the target's directory and open it if it is a regular file.
    pub(super) fn find(&self, name: &OsStr) -> io::Result<Found<F::File>> {
        // Look before opening: opening a device can have effects.
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

    /// Compute the digest of a file's content; fail with `ResourceBusy` if the file changes meanwhile.
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

    /// Read a file to its end, block by block.
    pub(super) fn read(
        &self,
        file: &mut F::File,
        mut each_block: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut block = vec![0; 64 << 10];
        loop {
            match self.fs.read(file, &mut block)? {
                0 => return Ok(()),
                read => each_block(&block[..read])?,
            }
        }
    }

    /// Return whether a name holds a file whose content has this digest.
    pub(super) fn has_digest(&self, name: &OsStr, digest: &Digest) -> io::Result<bool> {
        match self.find(name)? {
            Found::File(mut file, stamp) => match self.digest(&mut file, &stamp) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
                found => Ok(found? == *digest),
            },
            Found::Nothing | Found::Other(_) => Ok(false),
        }
    }

    /// Return whether a name holds a file of this version.
    pub(super) fn is_version(&self, name: &OsStr, version: &Version) -> io::Result<bool> {
        match version {
            Version::Digest(digest) => self.has_digest(name, digest),
            Version::Stamp(stamp) => match self.fs.stat_at(&self.dir, name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                stat => Ok(stat?.stamp == *stamp),
            },
        }
    }

    /// Step 1 where the content is not read: open the target if it is what was seen.
    pub(super) fn seen(&self, seen: &Seen) -> Result<(F::File, Stat), ReplaceError> {
        let file = match self.find(self.name).map_err(|error| self.io(error))? {
            Found::Nothing => return Err(self.conflict("does not exist any more")),
            Found::Other(_) => return Err(self.conflict("is not a regular file")),
            Found::File(file, _) => file,
        };
        let stat = self.fs.stat(&file).map_err(|error| self.io(error))?;
        if seen.fits(&stat.stamp) {
            return Ok((file, stat));
        }
        let grown = Seen { size: stat.stamp.size, modified: stat.stamp.modified, ..*seen }.fits(&stat.stamp)
            && stat.stamp.size > seen.size;
        Err(self.conflict(if grown {
            "has grown since it was looked at"
        } else {
            "was changed since it was looked at"
        }))
    }

    /// Step 1: check that the target is what is expected, and open it if it exists.
    ///
    /// Its digest is computed if `expected` or `with_digest` asks for one.
    pub(super) fn check(
        &self,
        expected: Expected<'_>,
        with_digest: bool,
    ) -> Result<Option<Existing<F::File>>, ReplaceError> {
        let wanted = expected.digest();
        match self.find(self.name).map_err(|error| self.io(error))? {
            Found::Nothing if wanted.is_some() => Err(self.conflict("does not exist any more")),
            Found::Nothing => Ok(None),
            _ if expected == Expected::Absent => Err(self.conflict("already exists")),
            Found::Other(_) if wanted.is_some() => Err(self.conflict("is not a regular file")),
            Found::Other(kind) => Err(self.io(not_a_file(kind))),
            Found::File(mut file, stamp) => {
                let digest = if with_digest || wanted.is_some() {
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
                    return Err(self.conflict("does not have the expected content"));
                }
                Ok(Some(Existing { file, stamp, digest }))
            }
        }
    }

    /// Step 7: make the new name durable.
    pub(super) fn sync_directory(&self) -> Result<(), ReplaceError> {
        let unconfirmed = |source| ReplaceError::Unconfirmed { path: self.path.to_owned(), source };
        self.fs.sync_dir(&self.dir).map_err(unconfirmed)
    }
}

pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Return the error that the operating system gives where a file of this kind stands in a regular file's
/// place.
pub(super) fn not_a_file(kind: Kind) -> io::Error {
    match kind {
        #[cfg(unix)]
        Kind::Link => rustix::io::Errno::LOOP.into(),
        Kind::Directory => io::ErrorKind::IsADirectory.into(),
        _ => io::ErrorKind::InvalidInput.into(),
    }
}
