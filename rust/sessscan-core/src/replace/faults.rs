//! A file system that fails on demand, and what the writer makes of it: old or new, nothing lost, nothing left.

use super::fs::{Fs, Rename, Stat};
use super::unix::Native;
use super::*;
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;

/// The real file system, except for what is wrong with it. Syncs are counted, not made: nobody pulls the plug.
pub(super) struct Faulty {
    pub(super) fault: Fault,
    /// The number of the call that fails, from 0.
    pub(super) at: usize,
    pub(super) error: rustix::io::Errno,
    /// What it cannot do.
    pub(super) exchange: bool,
    pub(super) new: bool,
    pub(super) link: bool,
    /// How much a write takes.
    pub(super) write: usize,
    /// What somebody else does just before the call of this number, in the order of the numbers.
    pub(super) meanwhile: RefCell<Vec<(usize, Deed)>>,
    pub(super) log: RefCell<Vec<&'static str>>,
}

/// What somebody else does.
type Deed = Box<dyn FnOnce()>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    /// Call `at` fails.
    Once,
    /// It and all that follow: a disk that is gone, or a process that is.
    On,
    /// It is done and reported as failed.
    Reported,
    /// The same, and the next call, which would have shown what happened, fails too.
    Hidden,
    /// If it is a write: it is not done and reported as done.
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
            Fault::On if number >= self.at => Err(self.error.into()),
            Fault::Reported | Fault::Hidden if number == self.at => call().and(Err(self.error.into())),
            Fault::Hidden if number == self.at + 1 => Err(self.error.into()),
            _ => call(),
        }
    }

    fn can<T>(can: bool, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if can { call() } else { Err(io::ErrorKind::Unsupported.into()) }
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
        // Whether each of its steps works is nobody's condition.
        let _ = self.call("copy_attributes", || {
            Native.copy_attributes(from, to);
            Ok(())
        });
    }
    fn sync(&self, _: &File) -> io::Result<()> {
        self.call("sync", || Ok(()))
    }
    fn sync_dir(&self, _: &OwnedFd) -> io::Result<()> {
        self.call("sync_dir", || Ok(()))
    }
    fn link(&self, dir: &OwnedFd, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.call("link", || Self::can(self.link, || Native.link(dir, from, to)))
    }
    fn rename(&self, dir: &OwnedFd, from: &OsStr, to: &OsStr, how: Rename) -> io::Result<()> {
        let (name, can) = match how {
            Rename::Over => ("rename", true),
            Rename::New => ("rename_new", self.new),
            Rename::Exchange => ("exchange", self.exchange),
        };
        self.call(name, || Self::can(can, || Native.rename(dir, from, to, how)))
    }
    fn unlink(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
        self.call("unlink", || Native.unlink(dir, name))
    }
    fn list(&self, dir: &OwnedFd) -> io::Result<Vec<OsString>> {
        self.call("list", || Native.list(dir))
    }
}

pub(super) const OLD: &[u8] = b"what was there";
pub(super) const NEW: &[u8] = b"what is to be there";

/// What is to be done, and what the file system can do.
#[derive(Clone, Copy, Debug)]
struct Case {
    present: bool,
    expected: Expected<'static>,
    backup: bool,
    exchange: bool,
    link: bool,
    new: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
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
                cases.push(Case { present, expected, backup, exchange, link, new });
            }
        }
    }
    cases
}

pub(super) fn sha(content: &[u8]) -> Digest {
    Sha256::digest(content).into()
}

/// A folder in memory, where there is one: thousands are made.
pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A folder with the target, and everything one may want to know of it afterwards.
struct Scene {
    folder: tempfile::TempDir,
    case: Case,
}

impl Scene {
    fn new(case: Case) -> Scene {
        let scene = Scene { folder: scratch(), case };
        if case.present {
            std::fs::write(scene.path("target"), OLD).unwrap();
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn content(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path(name)).ok()
    }

    fn run(&self, fs: &mut Faulty) -> Result<(), ReplaceError> {
        (fs.exchange, fs.link, fs.new) = (self.case.exchange, self.case.link, self.case.new);
        let backup = self.case.backup.then(|| self.path("backup"));
        replace_in(fs, &self.path("target"), NEW, self.case.expected, backup.as_deref())
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let names = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| !path.ends_with("target") && !path.ends_with("backup")).collect()
    }

    fn before(&self) -> Option<Vec<u8>> {
        self.case.present.then(|| OLD.to_vec())
    }

    /// What holds after any fault whatsoever.
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
        if self.case.backup && self.case.present && replaced {
            assert_eq!(backup.as_deref(), Some(OLD), "{context}");
        }
        assert!(backup.is_none_or(|backup| !replaced || backup == OLD), "{context}");
    }

    /// What the next run does about what is left.
    fn sweep(&self) {
        sweep::sweep_in(&Native, self.folder.path(), |_| false).unwrap();
    }
}

/// Runs every case with the fault at every call, until a run is through before it comes to it.
fn at_every_call(
    fault: Fault,
    error: rustix::io::Errno,
    check: impl Fn(&Scene, &Faulty, Result<(), ReplaceError>, &str),
) -> usize {
    let mut faults = 0;
    for case in cases() {
        for at in 0.. {
            let scene = Scene::new(case);
            let mut fs = Faulty::new(fault, at);
            fs.error = error;
            let result = scene.run(&mut fs);
            if fs.log.borrow().len() <= at {
                assert!(result.is_ok(), "{case:?}: {result:?}");
                break;
            }
            let log = fs.log.borrow().clone();
            let context = format!("{fault:?} {error} at {at} ({}) of {case:?}, {log:?}", log[at]);
            check(&scene, &fs, result, &context);
            faults += 1;
        }
    }
    faults
}

#[test]
fn one_call_fails() {
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
        faults += at_every_call(Fault::Once, error, |scene, fs, result, context| {
            scene.check(&result, context);
            let failed = fs.log.borrow()[fs.at];
            match failed {
                // What nobody's content hangs on.
                "copy_attributes" | "unlink" => assert!(result.is_ok(), "{context}: {result:?}"),
                // The last one, after the rename, is the only one whose failure leaves the new content.
                "sync_dir" if scene.content("target").as_deref() == Some(NEW) => {
                    assert!(matches!(result, Err(ReplaceError::Unconfirmed { .. })), "{context}: {result:?}");
                }
                _ if result.is_err() => assert_eq!(scene.content("target"), scene.before(), "{context}"),
                // Not found where it would be looked for: the same as not being there.
                _ => {}
            }
            if failed == "sync" {
                assert!(matches!(result, Err(ReplaceError::Io { .. })), "{context}: {result:?}");
                assert!(!fs.log.borrow()[fs.at + 1..].contains(&"sync"), "tried again: {context}");
            }
            if result.is_err()
                && scene.content("target") == scene.before()
                && failed != "stat_at"
                && failed != "exchange"
            {
                assert_eq!(scene.content("backup"), None, "{context}");
            }
            if failed != "unlink" && result.is_ok() {
                assert_eq!(scene.leftovers(), [] as [PathBuf; 0], "{context}");
            }
            scene.sweep();
            assert_eq!(scene.leftovers(), [] as [PathBuf; 0], "{context}");
        });
    }
    eprintln!("one call fails: {faults} faults, violations: 0");
    assert!(faults > 3000, "only {faults} faults");
}

#[test]
fn everything_fails_from_some_call_on() {
    // A process that is killed leaves the same behind: what comes after the call does not happen.
    let faults = at_every_call(Fault::On, rustix::io::Errno::IO, |scene, _, result, context| {
        scene.check(&result, context);
        let kept = |path: &PathBuf| std::fs::read(path).is_ok_and(|content| content == OLD);
        let replaced = scene.content("target").as_deref() == Some(NEW);
        let verified = scene.case.exchange && scene.case.expected != Expected::Anything;
        if replaced && scene.case.present && result.is_err() && (verified || scene.case.backup) {
            // Nobody has confirmed anything: the old file is still to be had.
            assert!(scene.content("backup").is_some() || scene.leftovers().iter().any(kept), "{context}");
        }
        scene.sweep();
        assert_eq!(scene.leftovers(), [] as [PathBuf; 0], "{context}");
        scene.check(&result, context);
    });
    eprintln!("everything fails from some call on: {faults} faults, violations: 0");
    assert!(faults > 500, "only {faults} faults");
}

#[test]
fn a_call_is_done_and_reported_as_failed() {
    let faults = at_every_call(Fault::Reported, rustix::io::Errno::IO, |scene, _, result, context| {
        scene.check(&result, context);
        scene.sweep();
        assert_eq!(scene.leftovers(), [] as [PathBuf; 0], "{context}");
        scene.check(&result, context);
    });
    eprintln!("a call is done and reported as failed: {faults} faults, violations: 0");
    assert!(faults > 500, "only {faults} faults");
}

#[test]
fn what_happened_cannot_be_seen() {
    let faults = at_every_call(Fault::Hidden, rustix::io::Errno::IO, |scene, _, result, context| {
        scene.check(&result, context);
        let replaced = scene.content("target").as_deref() == Some(NEW);
        if let (Some(old), Err(ReplaceError::Io { .. }), true) = (scene.before(), result, replaced) {
            // It was said not to be done, so the old file is still to be had.
            let exchanged = scene.case.exchange && scene.case.expected != Expected::Anything;
            let kept = |path: &PathBuf| std::fs::read(path).is_ok_and(|content| content == old);
            assert!(scene.leftovers().iter().any(kept) || scene.case.backup || !exchanged, "{context}");
        }
    });
    eprintln!("what happened cannot be seen: {faults} faults, violations: 0");
    assert!(faults > 500, "only {faults} faults");
}

#[test]
fn a_write_that_never_happened_is_noticed() {
    at_every_call(Fault::Lost, rustix::io::Errno::IO, |scene, fs, result, context| {
        scene.check(&result, context);
        if fs.log.borrow()[fs.at] == "write" {
            assert!(result.is_err(), "{context}");
            assert_eq!(scene.leftovers(), [] as [PathBuf; 0], "{context}");
        }
    });
}

#[test]
fn short_writes_are_nothing() {
    for case in cases() {
        for write in [1, 7] {
            let scene = Scene::new(case);
            let mut fs = Faulty::new(Fault::None, 0);
            fs.write = write;
            let result = scene.run(&mut fs);
            scene.check(&result, "short writes");
            result.unwrap();
            assert_eq!(scene.leftovers(), [] as [PathBuf; 0]);
        }
    }
}
