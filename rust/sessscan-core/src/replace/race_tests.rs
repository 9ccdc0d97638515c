//! An owner who changes the target while we replace it: at every moment of it, and for real.

use super::faults::{Fault, Faulty, NEW, OLD, scratch, sha};
use super::*;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How an owner changes its file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Style {
    /// A new file, renamed over the old one.
    Rename,
    /// Cut to nothing and written again.
    InPlace,
    Delete,
}

const STYLES: [Style; 3] = [Style::Rename, Style::InPlace, Style::Delete];

fn act(style: Style, path: &Path, content: &str) {
    match style {
        Style::Rename => {
            let new = path.with_file_name("owner's own temporary file");
            fs::write(&new, content).unwrap();
            fs::rename(&new, path).unwrap();
        }
        Style::InPlace => fs::write(path, content).unwrap(),
        Style::Delete => drop(fs::remove_file(path)),
    }
}

/// What we do while the owner acts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    Create,
    Replace { backup: bool },
    Remove,
}

struct Outcome {
    target: Option<String>,
    result: Result<(), ReplaceError>,
    calls: Vec<&'static str>,
    folder: tempfile::TempDir,
}

/// Does it while the owner acts just before each of these calls.
fn race(work: Work, exchange: bool, acts: &[(usize, Style)]) -> Outcome {
    race_on(Faulty::new(Fault::None, 0), work, exchange, acts)
}

/// The same on a file system of this kind.
fn race_on(mut fs: Faulty, work: Work, exchange: bool, acts: &[(usize, Style)]) -> Outcome {
    let folder = scratch();
    let path = folder.path().join("target");
    let backup = folder.path().join("backup");
    if work != Work::Create {
        fs::write(&path, OLD).unwrap();
    }
    fs.exchange = exchange;
    for (version, &(at, style)) in acts.iter().enumerate() {
        let path = path.clone();
        fs.meanwhile
            .get_mut()
            .push((at, Box::new(move || act(style, &path, &format!("owner's version {version}")))));
    }
    let result = match work {
        Work::Create => replace_in(&fs, &path, NEW, Expected::Absent, None),
        Work::Replace { backup: false } => replace_in(&fs, &path, NEW, Expected::Content(OLD), None),
        Work::Replace { backup: true } => replace_in(&fs, &path, NEW, Expected::Content(OLD), Some(&backup)),
        Work::Remove => remove_in(&fs, &path, &sha(OLD)),
    };
    let target = fs::read_to_string(&path).ok();
    Outcome { target, result, calls: fs.log.take(), folder }
}

/// What the owner did last is what counts.
fn check(work: Work, acts: &[(usize, Style)]) -> Outcome {
    let outcome = race(work, true, acts);
    let last = acts.len() - 1;
    let expected = (acts[last].1 != Style::Delete).then(|| format!("owner's version {last}"));
    let context = format!("{work:?}, {acts:?}: {:?}, {:?}", outcome.result, outcome.calls);
    if acts[last].0 < outcome.calls.len() {
        // A delete may have met with nothing: before we create the file, and while we have it out to look at it.
        let missed = matches!(work, Work::Create | Work::Remove) && expected.is_none();
        assert!(outcome.target == expected || missed, "{:?} {context}", outcome.target);
        assert!(matches!(outcome.result, Ok(()) | Err(ReplaceError::Conflict { .. })), "{context}");
    }
    let backup = fs::read(outcome.folder.path().join("backup")).ok();
    match outcome.result {
        Ok(()) if work == (Work::Replace { backup: true }) => {
            assert_eq!(backup.as_deref(), Some(OLD), "{context}")
        }
        _ => assert_eq!(backup, None, "{context}"),
    }
    let names = fs::read_dir(outcome.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name != "target" && name != "backup").collect();
    assert_eq!(left, [] as [&str; 0], "{context}");
    outcome
}

const WORKS: [Work; 4] =
    [Work::Create, Work::Replace { backup: false }, Work::Replace { backup: true }, Work::Remove];

#[test]
fn the_owner_acts_once() {
    for work in WORKS {
        for style in STYLES {
            let (mut conflicts, mut done) = (0, 0);
            for at in 0.. {
                let outcome = check(work, &[(at, style)]);
                if at >= outcome.calls.len() {
                    break;
                }
                *if outcome.result.is_ok() { &mut done } else { &mut conflicts } += 1;
            }
            assert!(done > 0, "{work:?} {style:?}");
            assert!(conflicts > 0 || (work, style) == (Work::Create, Style::Delete), "{work:?} {style:?}");
        }
    }
}

#[test]
fn the_owner_acts_twice() {
    let mut races = 0;
    for work in WORKS {
        for (first, second) in STYLES.iter().flat_map(|&first| STYLES.map(|second| (first, second))) {
            for at in 0.. {
                let mut calls = 0;
                for then in at + 1.. {
                    calls = check(work, &[(at, first), (then, second)]).calls.len();
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
    eprintln!("the owner acts twice: {races} races, violations: 0");
    assert!(races > 3000, "only {races} races");
}

/// Whatever fails then, what the owner wrote is there: in its place, or under our name, which a sweep spares.
#[test]
fn the_owner_acts_and_the_disk_fails() {
    let mut races = 0;
    for (work, style, fault) in WORKS.into_iter().flat_map(|work| {
        let faults = [Fault::Once, Fault::On, Fault::Reported, Fault::Hidden];
        [Style::Rename, Style::InPlace]
            .into_iter()
            .flat_map(move |style| faults.map(|fault| (work, style, fault)))
    }) {
        for at in 0.. {
            let calls = race(work, true, &[(at, style)]).calls.len();
            if at >= calls {
                break;
            }
            // The act itself is no call of ours: it may come just before the one that fails.
            for then in at..calls {
                let outcome = race_on(Faulty::new(fault, then), work, true, &[(at, style)]);
                let context =
                    format!("{work:?} {style:?} at {at}, {fault:?} at {then}: {:?}", outcome.result);
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
    eprintln!("the owner acts and the disk fails: {races} races, violations: 0");
    assert!(races > 3000, "only {races} races");
}

/// The control: where files cannot be exchanged there is one moment in which an update is lost, and this
/// harness sees it.
#[test]
fn without_exchange_one_moment_is_left() {
    let mut lost = Vec::new();
    for at in 0.. {
        let outcome = race(Work::Replace { backup: false }, false, &[(at, Style::Rename)]);
        if at >= outcome.calls.len() {
            break;
        }
        if outcome.target.as_deref() != Some("owner's version 0") {
            assert!(outcome.result.is_ok());
            lost.push((at, outcome.calls[at]));
        }
    }
    let calls = race(Work::Replace { backup: false }, false, &[]).calls;
    let compared = calls.iter().rposition(|&call| call == "open").unwrap();
    let renamed = calls.iter().rposition(|&call| call == "rename").unwrap();
    assert_eq!(lost.first().map(|(at, _)| *at), Some(compared + 1), "{calls:?}");
    assert_eq!(lost.last().map(|(at, _)| *at), Some(renamed), "{calls:?}");
}

/// An owner writes version after version and looks whether the last one is still there before it writes the
/// next; meanwhile the file is repaired thousands of times. Not one version may be lost.
#[test]
fn an_owner_who_rewrites_all_the_time_loses_nothing() {
    for style in [Style::Rename, Style::InPlace] {
        // In memory, where syncs take no time: the disk's would make the owner win nearly always.
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
                    act(style, &path, &version.to_string());
                    std::thread::sleep(Duration::from_micros(200));
                    // While we look at what came out, it is out; it has to come back.
                    let patience = Instant::now() + Duration::from_secs(1);
                    let there =
                        || fs::read_to_string(&path).is_ok_and(|text| version_of(&text) == Some(version));
                    while !there() {
                        if Instant::now() > patience {
                            lost.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                    }
                    written.store(version, Ordering::Relaxed);
                }
            });
            let end = Instant::now() + Duration::from_secs(2);
            while Instant::now() < end {
                let before = fs::read_to_string(&path).unwrap();
                let Some(version) = version_of(&before) else { continue };
                let mended = format!("{version} mended {repaired}");
                match replace(&path, mended.as_bytes(), Expected::Content(before.as_bytes()), None) {
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
            "an owner rewrites all the time ({style:?}): {written} versions, {repaired} repairs, {conflicts} conflicts, \
             violations: {lost}"
        );
        assert_eq!(lost, 0);
        assert!(written > 100 && repaired > 10 && conflicts > 10, "{written} {repaired} {conflicts}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

fn version_of(text: &str) -> Option<usize> {
    text.split(' ').next()?.parse().ok()
}
