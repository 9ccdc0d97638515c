//! Test the writer on a file system that fails on demand: the target is old or new, and nothing is lost or
//! left behind.

use super::fs::{Fs, Rename, Stat};
use super::unix::Native;
use super::*;
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
    /// The most bytes that one write takes.
    pub(super) write: usize,
    /// Changes that another program makes just before the call with this number, in the order of the numbers.
    pub(super) meanwhile: RefCell<Vec<(usize, Interference)>>,
    pub(super) log: RefCell<Vec<&'static str>>,
}

/// A change that another program makes.
type Interference = Box<dyn FnOnce()>;

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
            write: usize::MAX,
            meanwhile: RefCell::default(),
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

/// A call of the writer, and what the file system supports.
#[derive(Clone, Copy, Debug)]
struct Setup {
    present: bool,
    expected: Expected<'static>,
    backup: bool,
    exchange: bool,
    link: bool,
    new: bool,
}

fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for (exchange, link, new) in [
        (true, true, true),
        (false, true, true),
        (false, false, false),
        (true, false, true),
        (true, true, false),
    ] {
        for (present, expected) in [
            (false, Expected::Absent),
            (false, Expected::Anything),
            (true, Expected::Anything),
            (true, Expected::Content(OLD)),
            (true, Expected::Digest(sha(OLD))),
        ] {
            for backup in [false, true] {
                setups.push(Setup { present, expected, backup, exchange, link, new });
            }
        }
    }
    setups
}

pub(super) fn sha(content: &[u8]) -> Digest {
    Sha256::digest(content).into()
}

/// Make a folder in memory if possible, because the tests make thousands.
pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A folder with the target, and the checks after a call.
struct TestFolder {
    directory: tempfile::TempDir,
    setup: Setup,
}

impl TestFolder {
    fn new(setup: Setup) -> TestFolder {
        let folder = TestFolder { directory: scratch(), setup };
        if setup.present {
            std::fs::write(folder.path("target"), OLD).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn content(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path(name)).ok()
    }

    fn run(&self, fs: &mut Faulty) -> Result<(), ReplaceError> {
        (fs.exchange, fs.link, fs.new) = (self.setup.exchange, self.setup.link, self.setup.new);
        let backup = self.setup.backup.then(|| self.path("backup"));
        replace_in(fs, &self.path("target"), NEW, self.setup.expected, backup.as_deref())
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let names = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| !path.ends_with("target") && !path.ends_with("backup")).collect()
    }

    fn before(&self) -> Option<Vec<u8>> {
        self.setup.present.then(|| OLD.to_vec())
    }

    /// Check what holds after any fault.
    fn check(&self, result: &Result<(), ReplaceError>, context: &str) {
        let target = self.content("target");
        let replaced = target.as_deref() == Some(NEW);
        assert!(replaced || target == self.before(), "{context}: {target:?}");
        match result {
            Ok(()) | Err(ReplaceError::Unconfirmed { .. }) => assert!(replaced, "{context}: {result:?}"),
            Err(ReplaceError::Conflict { .. }) => assert!(!replaced, "{context}: {result:?}"),
            Err(ReplaceError::Io { .. }) => {}
        }
        let backup = self.content("backup");
        if self.setup.backup && self.setup.present && replaced {
            assert_eq!(backup.as_deref(), Some(OLD), "{context}");
        }
        assert!(backup.is_none_or(|backup| !replaced || backup == OLD), "{context}");
    }

    /// Sweep the folder as the next run does.
    fn sweep(&self) {
        sweep::sweep_in(&Native, self.directory.path(), |_| false).unwrap();
    }
}

/// Run each setup with the fault at each of its calls in turn; return the number of faults.
fn at_every_call(
    fault: Fault,
    error: rustix::io::Errno,
    check: impl Fn(&TestFolder, &Faulty, Result<(), ReplaceError>, &str),
) -> usize {
    let mut faults = 0;
    for setup in setups() {
        for at in 0.. {
            let folder = TestFolder::new(setup);
            let mut fs = Faulty::new(fault, at);
            fs.error = error;
            let result = folder.run(&mut fs);
            if fs.log.borrow().len() <= at {
                assert!(result.is_ok(), "{setup:?}: {result:?}");
                break;
            }
            let log = fs.log.borrow().clone();
            let context = format!("{fault:?} {error} at {at} ({}) of {setup:?}, {log:?}", log[at]);
            check(&folder, &fs, result, &context);
            faults += 1;
        }
    }
    faults
}

#[test]
fn a_failed_call_leaves_the_old_or_the_new_file() {
    use rustix::io::Errno;
    let mut faults = 0;
    for error in [
        Errno::IO,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ROFS,
        Errno::PERM,
        Errno::ACCESS,
        Errno::XDEV,
        Errno::NOENT,
    ] {
        faults += at_every_call(Fault::Once, error, |folder, fs, result, context| {
            folder.check(&result, context);
            let failed = fs.log.borrow()[fs.at];
            match failed {
                // No content depends on these calls.
                "copy_attributes" | "unlink" => assert!(result.is_ok(), "{context}: {result:?}"),
                // The sync after the rename is the only call whose failure leaves the new content.
                "sync_dir" if folder.content("target").as_deref() == Some(NEW) => {
                    assert!(matches!(result, Err(ReplaceError::Unconfirmed { .. })), "{context}: {result:?}");
                }
                _ if result.is_err() => assert_eq!(folder.content("target"), folder.before(), "{context}"),
                // `NOENT` from a look-up is the same as a missing file.
                _ => {}
            }
            if failed == "sync" {
                assert!(matches!(result, Err(ReplaceError::Io { .. })), "{context}: {result:?}");
                assert!(!fs.log.borrow()[fs.at + 1..].contains(&"sync"), "tried again: {context}");
            }
            if result.is_err()
                && folder.content("target") == folder.before()
                && failed != "stat_at"
                && failed != "exchange"
            {
                assert_eq!(folder.content("backup"), None, "{context}");
            }
            if failed != "unlink" && result.is_ok() {
                assert_eq!(folder.leftovers(), [] as [PathBuf; 0], "{context}");
            }
            folder.sweep();
            assert_eq!(folder.leftovers(), [] as [PathBuf; 0], "{context}");
        });
    }
    eprintln!("a failed call: {faults} faults, violations: 0");
    assert!(faults > 3000, "only {faults} faults");
}

#[test]
fn a_killed_process_leaves_the_old_or_the_new_file() {
    // If all calls from one on fail, the disk is left as by a process that is killed at that call.
    let faults = at_every_call(Fault::From, rustix::io::Errno::IO, |folder, _, result, context| {
        folder.check(&result, context);
        let kept = |path: &PathBuf| std::fs::read(path).is_ok_and(|content| content == OLD);
        let replaced = folder.content("target").as_deref() == Some(NEW);
        let verified = folder.setup.exchange && folder.setup.expected != Expected::Anything;
        if replaced && folder.setup.present && result.is_err() && (verified || folder.setup.backup) {
            // The change was not confirmed, so the old file must still exist.
            assert!(folder.content("backup").is_some() || folder.leftovers().iter().any(kept), "{context}");
        }
        folder.sweep();
        assert_eq!(folder.leftovers(), [] as [PathBuf; 0], "{context}");
        folder.check(&result, context);
    });
    eprintln!("a killed process: {faults} faults, violations: 0");
    assert!(faults > 500, "only {faults} faults");
}

#[test]
fn a_call_that_works_but_reports_failure_leaves_the_old_or_the_new_file() {
    let faults = at_every_call(Fault::Reported, rustix::io::Errno::IO, |folder, _, result, context| {
        folder.check(&result, context);
        folder.sweep();
        assert_eq!(folder.leftovers(), [] as [PathBuf; 0], "{context}");
        folder.check(&result, context);
    });
    eprintln!("a false failure: {faults} faults, violations: 0");
    assert!(faults > 500, "only {faults} faults");
}

#[test]
fn a_false_failure_that_cannot_be_checked_keeps_the_old_file() {
    let faults = at_every_call(Fault::Hidden, rustix::io::Errno::IO, |folder, _, result, context| {
        folder.check(&result, context);
        let replaced = folder.content("target").as_deref() == Some(NEW);
        if let (Some(old), Err(ReplaceError::Io { .. }), true) = (folder.before(), result, replaced) {
            // The change was reported as not made, so the old file must still exist.
            let exchanged = folder.setup.exchange && folder.setup.expected != Expected::Anything;
            let kept = |path: &PathBuf| std::fs::read(path).is_ok_and(|content| content == old);
            assert!(folder.leftovers().iter().any(kept) || folder.setup.backup || !exchanged, "{context}");
        }
    });
    eprintln!("a false failure that cannot be checked: {faults} faults, violations: 0");
    assert!(faults > 500, "only {faults} faults");
}

#[test]
fn a_lost_write_is_noticed() {
    at_every_call(Fault::Lost, rustix::io::Errno::IO, |folder, fs, result, context| {
        folder.check(&result, context);
        if fs.log.borrow()[fs.at] == "write" {
            assert!(result.is_err(), "{context}");
            assert_eq!(folder.leftovers(), [] as [PathBuf; 0], "{context}");
        }
    });
}

#[test]
fn short_writes_are_completed() {
    for setup in setups() {
        for write in [1, 7] {
            let folder = TestFolder::new(setup);
            let mut fs = Faulty::new(Fault::None, 0);
            fs.write = write;
            let result = folder.run(&mut fs);
            folder.check(&result, "short writes");
            result.unwrap();
            assert_eq!(folder.leftovers(), [] as [PathBuf; 0]);
        }
    }
}
