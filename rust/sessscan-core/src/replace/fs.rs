//! The file system as the writer sees it: one method for each call that touches a file.
//!
//! Names are relative to an open directory, so a folder that is meanwhile moved, or exchanged for a link,
//! does not lead the writer elsewhere. The tests put other file systems behind the same trait: ones that fail
//! on demand.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// The metadata of a name or an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: Kind,
    pub(crate) stamp: Stamp,
    /// When it was last written, renamed or linked: nanoseconds since the epoch.
    pub(crate) changed: i128,
    /// The number of names it has.
    pub(crate) links: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    Other,
}

/// A file's identity and version, as far as its metadata tells.
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

/// What a rename does if the new name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rename {
    /// Replace the file there.
    Over,
    /// Fail with `AlreadyExists`.
    New,
    /// Exchange the two files.
    Exchange,
}

/// A file system.
///
/// A call that it does not support fails with `Unsupported`. Calls that a signal interrupts are repeated
/// here, except a sync: a failed sync is not retried, whatever the reason.
pub(crate) trait Fs {
    type Dir;
    type File;

    /// False if no file system behind this implementation can exchange two files.
    const EXCHANGES: bool = true;

    fn open_dir(&self, path: &Path) -> io::Result<Self::Dir>;
    /// Open for reading, without following a link or waiting for the other end of a FIFO.
    fn open(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Self::File>;
    /// Create for writing, readable by the owner only; fail if the name exists.
    fn create(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Self::File>;
    /// Open an existing file for writing at its end.
    fn open_append(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Self::File>;
    fn read(&self, file: &mut Self::File, buffer: &mut [u8]) -> io::Result<usize>;
    /// Let the next read or write begin at this offset.
    fn seek(&self, file: &mut Self::File, offset: u64) -> io::Result<()>;
    /// Give an empty file the content of another one by sharing its blocks.
    fn share(&self, from: &Self::File, to: &Self::File) -> io::Result<()>;
    fn write(&self, file: &mut Self::File, data: &[u8]) -> io::Result<usize>;
    fn truncate(&self, file: &Self::File, size: u64) -> io::Result<()>;
    fn stat(&self, file: &Self::File) -> io::Result<Stat>;
    /// Return the metadata of a name; of a link itself if it is one.
    fn stat_at(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<Stat>;
    /// Copy mode, owner and extended attributes, as far as the file system and our rights allow.
    fn copy_attributes(&self, from: &Self::File, to: &Self::File);
    /// Set the time of a file's last write, as far as the file system allows.
    fn set_modified(&self, file: &Self::File, time: SystemTime);
    /// Make a file's content durable.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Make the names in a directory durable.
    fn sync_dir(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Give a file a second name; fail if that name exists.
    fn link(&self, dir: &Self::Dir, from: &OsStr, to: &OsStr) -> io::Result<()>;
    fn rename(&self, dir: &Self::Dir, from: &OsStr, to: &OsStr, mode: Rename) -> io::Result<()>;
    /// Move a file or folder into another directory; fail with `AlreadyExists` if the name exists there.
    fn rename_into(&self, _: &Self::Dir, _: &OsStr, _: &Self::Dir, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn unlink(&self, dir: &Self::Dir, name: &OsStr) -> io::Result<()>;
    fn list(&self, dir: &Self::Dir) -> io::Result<Vec<OsString>>;
    /// Wait for a moment in which a write that another program has begun reaches its file.
    fn let_others_finish(&self) {}
    /// Return whether a program has the file open for writing; None if that cannot be told.
    fn has_writer(&self, _: &Self::File) -> Option<bool> {
        None
    }
    /// Wait until a write would give a file a later time than this one.
    fn wait_past(&self, _: i128) {}
}

/// Write all of `data`, in as many calls as the file system needs.
pub(crate) fn write_all<F: Fs>(fs: &F, file: &mut F::File, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match fs.write(file, data)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => data = &data[written..],
        }
    }
    Ok(())
}

/// Make a new file durable and check that it has the expected size in bytes.
pub(crate) fn sync_and_check_size<F: Fs>(fs: &F, file: &F::File, size: u64) -> io::Result<Stamp> {
    fs.sync(file)?;
    let stamp = fs.stat(file)?.stamp;
    if stamp.size == size { Ok(stamp) } else { Err(io::ErrorKind::WriteZero.into()) }
}
