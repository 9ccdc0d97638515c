//! Test the writer on a file system that fails on demand: the target is old or new, and nothing is lost or
//! left behind.

use super::faulty::{Fault, Faulty, NEW, OLD, edit_old, scratch, sha};
use super::unix::Native;
use super::*;

/// A call of the writer, and what the file system supports.
#[derive(Clone, Copy, Debug)]
struct Setup {
    present: bool,
    expected: Expected<'static>,
    backup: bool,
    exchange: bool,
    link: bool,
    new: bool,
    /// Whether the content is edited as a stream, and whether the new file can share the blocks of the old one.
    edit: Option<bool>,
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
                let edit = None;
                setups.push(Setup { present, expected, backup, exchange, link, new, edit });
            }
        }
        for (backup, share) in [(false, false), (false, true), (true, false), (true, true)] {
            let (expected, edit) = (Expected::Content(OLD), Some(share));
            setups.push(Setup { present: true, expected, backup, exchange, link, new, edit });
        }
    }
    setups
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
        match self.setup.edit {
            None => replace_in(fs, &self.path("target"), NEW, self.setup.expected, backup.as_deref()),
            Some(share) => {
                fs.share = share;
                edit_old(fs, &self.path("target"), backup.as_deref())
            }
        }
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
            Err(ReplaceError::Conflict { .. } | ReplaceError::Edits { .. }) => {
                assert!(!replaced, "{context}: {result:?}")
            }
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
                // The sync after the rename, and the look at the file that was renamed over, are the only calls
                // whose failure leaves the new content.
                "sync_dir" | "stat" if folder.content("target").as_deref() == Some(NEW) => {
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
        let lost = fs.log.borrow()[fs.at] == "write";
        // A lost write is noticed by the size, which a patch does not change.
        if lost && folder.setup.edit == Some(true) && fs.log.borrow().contains(&"share") {
            return;
        }
        folder.check(&result, context);
        if lost {
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
