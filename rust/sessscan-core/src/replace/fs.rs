//! The seam between what the writer does and what the system does: every call that touches a file.
//!
//! Names are relative to an open directory, so that a folder that is moved or exchanged for a link meanwhile
//! does not lead the writer elsewhere. The tests put another file system under the same code: one that fails
//! on demand.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

/// What stands under a name, or behind a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: Kind,
    pub(crate) stamp: Stamp,
    /// When it was last written, renamed or linked: nanoseconds since the epoch.
    pub(crate) changed: i128,
    /// How many names it has.
    pub(crate) links: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    Other,
}

/// Which file it is, and which version of it: as much as can be told without reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Nanoseconds since the epoch.
    pub(crate) modified: i128,
}

impl Stamp {
    pub(crate) fn same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What a rename does with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rename {
    /// It is replaced.
    Over,
    /// It stays, and the rename fails with `AlreadyExists`.
    New,
    /// The two change places.
    Exchange,
}

/// A file system. A call that it does not know fails with `Unsupported`; what a signal interrupted it has tried
/// again already, except for a sync: one that failed is never tried again, whatever the reason.
pub(crate) trait Fs {
    type Dir;
    type File;

    /// Whether two files can ever change places here.
    const EXCHANGES: bool = true;

    fn open_dir(&self, path: &Path) -> io::Result<Self::Dir>;
    /// For reading; never through a link, never waiting for whoever is at a FIFO's other end.
    fn open(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Self::File>;
    /// For writing, readable by its owner only; a name that exists is an error.
    fn create(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Self::File>;
    /// For writing at the end of a file that exists.
    fn open_append(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Self::File>;
    fn read(&self, file: &mut Self::File, buffer: &mut [u8]) -> io::Result<usize>;
    fn write(&self, file: &mut Self::File, data: &[u8]) -> io::Result<usize>;
    fn truncate(&self, file: &Self::File, size: u64) -> io::Result<()>;
    fn stat(&self, file: &Self::File) -> io::Result<Stat>;
    /// Of the name itself, should it be a link.
    fn stat_at(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Stat>;
    /// Mode, owner and extended attributes, as far as the file system and our rights allow.
    fn copy_attributes(&self, from: &Self::File, to: &Self::File);
    /// Makes a file's content durable.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes a directory's names durable.
    fn sync_dir(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Gives a file a second name, which must not exist.
    fn link(&self, dir: &Self::Dir, from: &OsStr, to: &OsStr) -> io::Result<()>;
    fn rename(&self, dir: &Self::Dir, from: &OsStr, to: &OsStr, how: Rename) -> io::Result<()>;
    fn unlink(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<()>;
    fn list(&self, dir: &Self::Dir) -> io::Result<Vec<OsString>>;
}

/// Writes all of `data`, however little the file system takes at a time.
pub(crate) fn write_all<F: Fs>(fs: &F, file: &mut F::File, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match fs.write(file, data)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => data = &data[written..],
        }
    }
    Ok(())
}

/// Makes a new file durable and sees that it is as long as it should be.
pub(crate) fn finish<F: Fs>(fs: &F, file: &F::File, size: u64) -> io::Result<Stamp> {
    fs.sync(file)?;
    let stamp = fs.stat(file)?.stamp;
    if stamp.size == size { Ok(stamp) } else { Err(io::ErrorKind::WriteZero.into()) }
}
