//! The real file system, which fails on demand and is changed by another program.

use super::fs::{Fs, Rename, Stat};
use super::unix::Native;
use super::*;
use crate::cancel::CancelToken;
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

/// The real file system with faults. Syncs are logged but not made, because these tests cut no power.
pub(super) struct Faulty {
    pub(super) fault: Fault,
    /// The number of the call that fails, counted from 0.
    pub(super) at: usize,
    pub(super) error: rustix::io::Errno,
    /// Whether it can exchange files.
    pub(super) exchange: bool,
    /// Whether it can rename without replacing.
    pub(super) new: bool,
    /// Whether it has hard links.
    pub(super) link: bool,
    /// Whether a file can share the blocks of another.
    pub(super) share: bool,
    /// Whether it waits for other programs to finish what they have begun.
    pub(super) patient: bool,
    /// The most bytes that one write takes.
    pub(super) write: usize,
    /// Changes that another program makes just before the call with this number, in the order of the numbers.
    pub(super) meanwhile: RefCell<Vec<(usize, Interference)>>,
    /// A change that another program makes while the writer waits for others to finish.
    pub(super) while_waiting: RefCell<Option<Interference>>,
    pub(super) log: RefCell<Vec<&'static str>>,
}

/// A change that another program makes.
pub(super) type Interference = Box<dyn FnOnce()>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    /// The call `at` fails.
    Once,
    /// The call `at` and all after it fail: the disk has vanished or the process is killed.
    From,
    /// The call is made and reported as failed.
    Reported,
    /// The same, and the next call, which would show what happened, fails too.
    Hidden,
    /// If the call is a write, it is not made and reported as made.
    Lost,
}

impl Faulty {
    pub(super) fn new(fault: Fault, at: usize) -> Faulty {
        Faulty {
            fault,
            at,
            error: rustix::io::Errno::IO,
            exchange: true,
            new: true,
            link: true,
            share: true,
            patient: false,
            write: usize::MAX,
            meanwhile: RefCell::default(),
            while_waiting: RefCell::default(),
            log: RefCell::default(),
        }
    }

    fn call<T>(&self, name: &'static str, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let number = self.log.borrow().len();
        self.log.borrow_mut().push(name);
        let mut meanwhile = self.meanwhile.borrow_mut();
        if meanwhile.first().is_some_and(|(at, _)| *at == number) {
            meanwhile.remove(0).1();
        }
        match self.fault {
            Fault::Once if number == self.at => Err(self.error.into()),
            Fault::From if number >= self.at => Err(self.error.into()),
            Fault::Reported | Fault::Hidden if number == self.at => call().and(Err(self.error.into())),
            Fault::Hidden if number == self.at + 1 => Err(self.error.into()),
            _ => call(),
        }
    }

    fn if_supported<T>(supported: bool, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if supported { call() } else { Err(io::ErrorKind::Unsupported.into()) }
    }
}

impl Fs for Faulty {
    type Dir = OwnedFd;
    type File = File;

    fn open_dir(&self, path: &Path) -> io::Result<OwnedFd> {
        self.call("open_dir", || Native.open_dir(path))
    }
    fn open(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
        self.call("open", || Native.open(dir, name))
    }
    fn create(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
        self.call("create", || Native.create(dir, name))
    }
    fn open_append(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
        self.call("open_append", || Native.open_append(dir, name))
    }
    fn read(&self, file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
        self.call("read", || Native.read(file, buffer))
    }
    fn seek(&self, file: &mut File, offset: u64) -> io::Result<()> {
        self.call("seek", || Native.seek(file, offset))
    }
    fn share(&self, from: &File, to: &File) -> io::Result<()> {
        self.call("share", || {
            Self::if_supported(self.share, || {
                let (mut from, mut to) = (from, to);
                io::copy(&mut from, &mut to).map(drop)
            })
        })
    }
    fn has_writer(&self, file: &File) -> Option<bool> {
        Native.has_writer(file)
    }
    fn let_others_finish(&self) {
        if let Some(change) = self.while_waiting.take() {
            change();
        }
        if self.patient {
            Native.let_others_finish();
        }
    }
    fn write(&self, file: &mut File, data: &[u8]) -> io::Result<usize> {
        let lost = self.fault == Fault::Lost && self.log.borrow().len() == self.at;
        let data = &data[..data.len().min(self.write)];
        self.call("write", || if lost { Ok(data.len()) } else { Native.write(file, data) })
    }
    fn truncate(&self, file: &File, size: u64) -> io::Result<()> {
        self.call("truncate", || Native.truncate(file, size))
    }
    fn stat(&self, file: &File) -> io::Result<Stat> {
        self.call("stat", || Native.stat(file))
    }
    fn stat_at(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<Stat> {
        self.call("stat_at", || Native.stat_at(dir, name))
    }
    fn copy_attributes(&self, from: &File, to: &File) {
        // The writer does not depend on the result of this call.
        let _ = self.call("copy_attributes", || {
            Native.copy_attributes(from, to);
            Ok(())
        });
    }
    fn set_modified(&self, file: &File, time: SystemTime) {
        Native.set_modified(file, time);
    }
    fn sync(&self, _: &File) -> io::Result<()> {
        self.call("sync", || Ok(()))
    }
    fn sync_dir(&self, _: &OwnedFd) -> io::Result<()> {
        self.call("sync_dir", || Ok(()))
    }
    fn link(&self, dir: &OwnedFd, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.call("link", || Self::if_supported(self.link, || Native.link(dir, from, to)))
    }
    fn rename(&self, dir: &OwnedFd, from: &OsStr, to: &OsStr, mode: Rename) -> io::Result<()> {
        let (name, supported) = match mode {
            Rename::Over => ("rename", true),
            Rename::New => ("rename_new", self.new),
            Rename::Exchange => ("exchange", self.exchange),
        };
        self.call(name, || Self::if_supported(supported, || Native.rename(dir, from, to, mode)))
    }
    fn unlink(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
        self.call("unlink", || Native.unlink(dir, name))
    }
    fn list(&self, dir: &OwnedFd) -> io::Result<Vec<OsString>> {
        self.call("list", || Native.list(dir))
    }
}

pub(super) const OLD: &[u8] = b"old content";
pub(super) const NEW: &[u8] = b"new content";

pub(super) fn sha(content: &[u8]) -> Digest {
    Sha256::digest(content).into()
}

/// Make a folder in memory if possible, because the tests make thousands.
pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Turn `OLD` into `NEW` as a stream, in pieces of 4 bytes.
pub(super) fn edit_old(fs: &Faulty, path: &Path, backup: Option<&Path>) -> Result<(), ReplaceError> {
    let stamp = Native
        .open_dir(path.parent().unwrap())
        .and_then(|dir| Native.stat_at(&dir, path.file_name().unwrap()));
    let edits = [Edit { offset: 0, old: &OLD[..3], new: &NEW[..3], times: 1 }];
    let change = Change { edits: &edits, backup, ..Change::default() };
    let seen = stamp.unwrap().stamp.into();
    edit::edit_in(fs, path, &seen, &change, 4, &mut |_| Ok(()), &CancelToken::never()).map(drop)
}
