//! Test the writer while the file's owner changes the target: before each single call, and in a thread of its
//! own.

use super::faulty::{Fault, Faulty, NEW, OLD, edit_old, scratch, sha};
use super::*;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How an owner changes its file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum OwnerChange {
    /// Rename a new file over the old one.
    Rename,
    /// Truncate the file and write it again.
    InPlace,
    Delete,
}

const OWNER_CHANGES: [OwnerChange; 3] = [OwnerChange::Rename, OwnerChange::InPlace, OwnerChange::Delete];

fn apply(change: OwnerChange, path: &Path, content: &str) {
    match change {
        OwnerChange::Rename => {
            let new = path.with_file_name("owner's own temporary file");
            fs::write(&new, content).unwrap();
            fs::rename(&new, path).unwrap();
        }
        OwnerChange::InPlace => fs::write(path, content).unwrap(),
        OwnerChange::Delete => drop(fs::remove_file(path)),
    }
}

/// The writer's call that runs while the owner changes the file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Create,
    Replace { backup: bool },
    Remove,
    Edit { backup: bool, share: bool },
}

struct Outcome {
    target: Option<String>,
    result: Result<(), ReplaceError>,
    calls: Vec<&'static str>,
    folder: tempfile::TempDir,
}

/// Make the call while the owner changes the file just before each of these system calls.
fn race(call: Call, exchange: bool, changes: &[(usize, OwnerChange)]) -> Outcome {
    race_on(Faulty::new(Fault::None, 0), call, exchange, changes)
}

/// The same on this file system.
fn race_on(mut fs: Faulty, call: Call, exchange: bool, changes: &[(usize, OwnerChange)]) -> Outcome {
    let folder = scratch();
    let path = folder.path().join("target");
    let backup = folder.path().join("backup");
    if call != Call::Create {
        fs::write(&path, OLD).unwrap();
    }
    fs.exchange = exchange;
    for (version, &(at, change)) in changes.iter().enumerate() {
        let path = path.clone();
        fs.meanwhile
            .get_mut()
            .push((at, Box::new(move || apply(change, &path, &format!("owner's version {version}")))));
    }
    let result = match call {
        Call::Create => replace_in(&fs, &path, NEW, Expected::Absent, None),
        Call::Replace { backup: false } => replace_in(&fs, &path, NEW, Expected::Content(OLD), None),
        Call::Replace { backup: true } => replace_in(&fs, &path, NEW, Expected::Content(OLD), Some(&backup)),
        Call::Edit { backup: kept, share } => {
            fs.share = share;
            edit_old(&fs, &path, kept.then_some(&backup))
        }
        Call::Remove => remove_in(&fs, &path, &sha(OLD)),
    };
    let target = fs::read_to_string(&path).ok();
    Outcome { target, result, calls: fs.log.take(), folder }
}

/// Check that the owner's last change stays and that no other file is left.
fn check(call: Call, changes: &[(usize, OwnerChange)]) -> Outcome {
    let outcome = race(call, true, changes);
    let last = changes.len() - 1;
    let expected = (changes[last].1 != OwnerChange::Delete).then(|| format!("owner's version {last}"));
    let context = format!("{call:?}, {changes:?}: {:?}, {:?}", outcome.result, outcome.calls);
    if changes[last].0 < outcome.calls.len() {
        // The owner may have found no file to delete: before the writer creates it, or while it checks a
        // removal.
        let missed = matches!(call, Call::Create | Call::Remove) && expected.is_none();
        assert!(outcome.target == expected || missed, "{:?} {context}", outcome.target);
        assert!(matches!(outcome.result, Ok(()) | Err(ReplaceError::Conflict { .. })), "{context}");
    }
    let backup = fs::read(outcome.folder.path().join("backup")).ok();
    match outcome.result {
        Ok(()) if matches!(call, Call::Replace { backup: true } | Call::Edit { backup: true, .. }) => {
            assert_eq!(backup.as_deref(), Some(OLD), "{context}")
        }
        _ => assert_eq!(backup, None, "{context}"),
    }
    let names = fs::read_dir(outcome.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name != "target" && name != "backup").collect();
    assert_eq!(left, [] as [&str; 0], "{context}");
    outcome
}

const CALLS: [Call; 7] = [
    Call::Create,
    Call::Replace { backup: false },
    Call::Replace { backup: true },
    Call::Remove,
    Call::Edit { backup: false, share: true },
    Call::Edit { backup: true, share: true },
    Call::Edit { backup: true, share: false },
];

#[test]
fn one_owner_change_is_not_lost() {
    for call in CALLS {
        for change in OWNER_CHANGES {
            let (mut conflicts, mut done) = (0, 0);
            for at in 0.. {
                let outcome = check(call, &[(at, change)]);
                if at >= outcome.calls.len() {
                    break;
                }
                *if outcome.result.is_ok() { &mut done } else { &mut conflicts } += 1;
            }
            assert!(done > 0, "{call:?} {change:?}");
            assert!(
                conflicts > 0 || (call, change) == (Call::Create, OwnerChange::Delete),
                "{call:?} {change:?}"
            );
        }
    }
}

#[test]
fn two_owner_changes_are_not_lost() {
    let mut races = 0;
    for call in CALLS {
        for (first, second) in
            OWNER_CHANGES.iter().flat_map(|&first| OWNER_CHANGES.map(|second| (first, second)))
        {
            for at in 0.. {
                let mut calls = 0;
                for then in at + 1.. {
                    calls = check(call, &[(at, first), (then, second)]).calls.len();
                    races += 1;
                    if then >= calls {
                        break;
                    }
                }
                if at >= calls {
                    break;
                }
            }
        }
    }
    eprintln!("two owner changes: {races} races, violations: 0");
    assert!(races > 3000, "only {races} races");
}

/// Whatever call fails then, the owner's version exists: at the target, or under a temporary name that a
/// sweep does not remove.
#[test]
fn an_owner_change_is_not_lost_when_a_call_fails() {
    let mut races = 0;
    for (call, change, fault) in CALLS.into_iter().flat_map(|call| {
        let faults = [Fault::Once, Fault::From, Fault::Reported, Fault::Hidden];
        [OwnerChange::Rename, OwnerChange::InPlace]
            .into_iter()
            .flat_map(move |change| faults.map(|fault| (call, change, fault)))
    }) {
        for at in 0.. {
            let calls = race(call, true, &[(at, change)]).calls.len();
            if at >= calls {
                break;
            }
            // The change is not one of the writer's calls, so it may come just before the one that fails.
            for then in at..calls {
                let outcome = race_on(Faulty::new(fault, then), call, true, &[(at, change)]);
                let context =
                    format!("{call:?} {change:?} at {at}, {fault:?} at {then}: {:?}", outcome.result);
                let folder = outcome.folder.path();
                sweep::sweep_in(&native::Native, folder, |_| false).unwrap();
                let mut files =
                    fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
                assert!(
                    files.any(|content| content == b"owner's version 0"),
                    "{context}, {:?}",
                    outcome.calls
                );
                races += 1;
            }
        }
    }
    eprintln!("an owner change and a failed call: {races} races, violations: 0");
    assert!(races > 3000, "only {races} races");
}

/// Control: without an exchange an update between the comparison and the rename is lost, and these tests see
/// it.
#[test]
fn without_exchange_an_update_before_the_rename_is_lost() {
    let mut lost = Vec::new();
    for at in 0.. {
        let outcome = race(Call::Replace { backup: false }, false, &[(at, OwnerChange::Rename)]);
        if at >= outcome.calls.len() {
            break;
        }
        if outcome.target.as_deref() != Some("owner's version 0") {
            assert!(outcome.result.is_ok());
            lost.push((at, outcome.calls[at]));
        }
    }
    let calls = race(Call::Replace { backup: false }, false, &[]).calls;
    let compared = calls.iter().rposition(|&call| call == "open").unwrap();
    let renamed = calls.iter().rposition(|&call| call == "rename").unwrap();
    assert_eq!(lost.first().map(|(at, _)| *at), Some(compared + 1), "{calls:?}");
    assert_eq!(lost.last().map(|(at, _)| *at), Some(renamed), "{calls:?}");
}

/// The owner writes version after version and checks each before it writes the next, while the file is
/// replaced thousands of times. No version may be lost.
#[test]
fn an_owner_who_writes_all_the_time_loses_nothing() {
    for change in [OwnerChange::Rename, OwnerChange::InPlace] {
        // In memory, because syncs of a real disk are so slow that the owner would nearly always be first.
        let folder = scratch();
        let path = folder.path().join("local_a.json");
        fs::write(&path, "0").unwrap();
        let (over, lost, written) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let (mut repaired, mut conflicts) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for version in 1.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    apply(change, &path, &version.to_string());
                    std::thread::sleep(Duration::from_micros(200));
                    // The version is away while the writer checks it, and must come back.
                    let deadline = Instant::now() + Duration::from_secs(1);
                    let there =
                        || fs::read_to_string(&path).is_ok_and(|text| version_of(&text) == Some(version));
                    while !there() {
                        if Instant::now() > deadline {
                            lost.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                    }
                    written.store(version, Ordering::Relaxed);
                }
            });
            let began = Instant::now();
            // On a busy machine the two meet seldom: go on until they have met often enough to tell.
            while began.elapsed() < Duration::from_secs(2)
                || (conflicts <= 10 && began.elapsed() < Duration::from_secs(30))
            {
                let before = fs::read_to_string(&path).unwrap();
                let Some(version) = version_of(&before) else { continue };
                let repair = format!("{version} repaired {repaired}");
                match replace(&path, repair.as_bytes(), Expected::Content(before.as_bytes()), None) {
                    Ok(()) => repaired += 1,
                    Err(ReplaceError::Conflict { .. }) => conflicts += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        let written = written.into_inner();
        let lost = lost.into_inner();
        eprintln!(
            "an owner writes all the time ({change:?}): {written} versions, {repaired} repairs, \
             {conflicts} conflicts, violations: {lost}"
        );
        assert_eq!(lost, 0);
        assert!(written > 100 && repaired > 10 && conflicts > 10, "{written} {repaired} {conflicts}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

fn version_of(text: &str) -> Option<usize> {
    text.split(' ').next()?.parse().ok()
}
