//! The steps of the writer, one by one, on a file in an open directory.

use super::error::ReplaceError;
use super::expected::{Digest, Expected};
use super::fs::{Fs, Kind, Stamp};
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

    pub(super) fn read(
        &self,
        file: &mut F::File,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
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

    /// Step 7.
    pub(super) fn confirm(&self) -> Result<(), ReplaceError> {
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

/// The error that the system itself has for such a case.
pub(super) fn not_a_file(kind: Kind) -> io::Error {
    match kind {
        #[cfg(unix)]
        Kind::Link => rustix::io::Errno::LOOP.into(),
        Kind::Directory => io::ErrorKind::IsADirectory.into(),
        _ => io::ErrorKind::InvalidInput.into(),
    }
}
