//! Test the writer of edited copies while the file's owner appends to it: no line may be lost.

use super::edit_tests::{names, reason, run, seen};
use super::faulty::{Fault, Faulty, edit_old, scratch};
use super::fs::Fs;
use super::unix::Native;
use super::*;
use crate::cancel::CancelToken;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn append(path: &Path, line: &str) {
    // As the CLI does: it opens the file anew for each line.
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// What a file system can do, and whether there is a backup.
#[derive(Clone, Copy, Debug)]
struct Setup {
    exchange: bool,
    link: bool,
    share: bool,
    backup: bool,
}

fn setups() -> impl Iterator<Item = Setup> {
    (0..16).map(|bits| Setup {
        exchange: bits & 1 == 0,
        link: bits & 2 == 0,
        share: bits & 4 == 0,
        backup: bits & 8 == 0,
    })
}

struct Appended {
    calls: Vec<&'static str>,
    result: Result<(), ReplaceError>,
    folder: tempfile::TempDir,
}

/// Edit a file while another program appends a line just before each of these calls.
fn append_before(mut fs: Faulty, setup: Setup, calls: &[usize]) -> Appended {
    let folder = scratch();
    let path = folder.path().join("target");
    fs::write(&path, "old content").unwrap();
    (fs.exchange, fs.link, fs.share) = (setup.exchange, setup.link, setup.share);
    for (line, &at) in calls.iter().enumerate() {
        let path = path.clone();
        fs.meanwhile.get_mut().push((at, Box::new(move || append(&path, &format!("line {line}")))));
    }
    let backup = folder.path().join("backup");
    let result = edit_old(&fs, &path, setup.backup.then_some(&backup));
    Appended { calls: fs.log.take(), result, folder }
}

/// Check that the target has both its content, new or old, and the lines once each, and nothing is left.
fn check(appended: &Appended, setup: Setup, at: &[usize]) {
    let text = fs::read_to_string(appended.folder.path().join("target")).unwrap();
    let context = format!("{setup:?} at {at:?}: {text:?}, {:?}, {:?}", appended.result, appended.calls);
    let content = if appended.result.is_ok() { "new content" } else { "old content" };
    let rest = text.strip_prefix(content).unwrap_or_else(|| panic!("{context}"));
    let mut lines: Vec<_> = rest.lines().collect();
    lines.sort_unstable();
    let made: Vec<_> = (0..at.len()).map(|line| format!("line {line}")).collect();
    assert_eq!(lines, made, "{context}");
    assert!(matches!(appended.result, Ok(()) | Err(ReplaceError::Conflict { .. })), "{context}");
    let kept = appended.result.is_ok() && setup.backup;
    assert_eq!(
        names(appended.folder.path()),
        if kept { &["backup", "target"][..] } else { &["target"] },
        "{context}"
    );
}

#[test]
fn a_line_that_is_appended_at_any_moment_is_not_lost() {
    let (mut races, mut conflicts, mut carried) = (0, 0, 0);
    for setup in setups() {
        for first in 0.. {
            let appended = append_before(Faulty::new(Fault::None, 0), setup, &[first]);
            let calls = appended.calls.len();
            if first >= calls {
                break;
            }
            check(&appended, setup, &[first]);
            for second in first + 1..calls {
                let appended = append_before(Faulty::new(Fault::None, 0), setup, &[first, second]);
                if second < appended.calls.len() {
                    check(&appended, setup, &[first, second]);
                    races += 1;
                    conflicts += usize::from(appended.result.is_err());
                    carried += usize::from(appended.calls.contains(&"open_append"));
                }
            }
        }
    }
    eprintln!("appended lines: {races} races, {conflicts} conflicts, {carried} carried, violations: 0");
    assert!(races > 2_000 && conflicts > 1_000 && carried > 50, "{races} {conflicts} {carried}");
}

/// Whatever call fails then, the line is in a file: the target, the backup, or a temporary one that a sweep
/// does not remove. (Where files can be neither exchanged nor linked, the old one has no other name.)
#[test]
fn an_appended_line_is_not_lost_when_a_call_fails() {
    let mut races = 0;
    for setup in setups().filter(|setup| setup.backup && (setup.exchange || setup.link)) {
        for fault in [Fault::Once, Fault::From, Fault::Reported] {
            for first in 0.. {
                let calls = append_before(Faulty::new(Fault::None, 0), setup, &[first]).calls.len();
                if first >= calls {
                    break;
                }
                for at in first..calls {
                    let appended = append_before(Faulty::new(fault, at), setup, &[first]);
                    let folder = appended.folder.path();
                    sweep::sweep_in(&Native, folder, |_| false).unwrap();
                    let mut files =
                        names(folder).into_iter().map(|name| fs::read(folder.join(name)).unwrap());
                    assert!(
                        files.any(|text| memchr::memmem::find(&text, b"line 0\n").is_some()),
                        "{setup:?}, a line at {first}, {fault:?} at {at}: {:?}, {:?}",
                        appended.result,
                        appended.calls
                    );
                    races += 1;
                }
            }
        }
    }
    eprintln!("an appended line and a failed call: {races} races, violations: 0");
    assert!(races > 3_000, "only {races} races");
}

/// A program that has opened the old file just before the exchange writes into it much later.
#[test]
fn a_program_that_has_the_file_open_is_waited_for() {
    let folder = scratch();
    let path = folder.path().join("target");
    fs::write(&path, "old content").unwrap();
    let file = Native.open(&Native.open_dir(folder.path()).unwrap(), OsStr::new("target")).unwrap();
    if Native.has_writer(&file).is_none() {
        eprintln!("this system cannot tell whether a file is open for writing");
        return;
    }
    let opened = fs::OpenOptions::new().append(true).open(&path).unwrap();
    assert_eq!(Native.has_writer(&file), Some(true));
    let mut fs = Faulty::new(Fault::None, 0);
    assert!(reason(run(&fs, &path, &Change::default(), 4)).contains("open for writing"));
    drop(opened);
    assert_eq!(Native.has_writer(&file), Some(false));

    let exchanged = append_before(
        Faulty::new(Fault::None, 0),
        Setup { exchange: true, link: true, share: true, backup: false },
        &[],
    );
    let at = exchanged.calls.iter().position(|&call| call == "exchange").unwrap();
    fs.patient = true;
    fs.log.get_mut().clear();
    let late = path.clone();
    let interference = move || {
        let mut opened = fs::OpenOptions::new().append(true).open(late).unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            opened.write_all(b"late\n").unwrap();
        });
    };
    fs.meanwhile.get_mut().push((at, Box::new(interference)));
    let result = edit_old(&fs, &path, None);
    assert!(matches!(result, Err(ReplaceError::Conflict { .. })), "{result:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old contentlate\n");
}

/// The kernel sets the time of a write before the size: the file that comes back may have the one without the
/// other.
#[test]
fn a_line_of_which_only_the_time_can_be_seen_is_not_lost() {
    let folder = scratch();
    let path = folder.path().join("target");
    fs::write(&path, "old content").unwrap();
    let calls = append_before(
        Faulty::new(Fault::None, 0),
        Setup { exchange: true, link: true, share: true, backup: false },
        &[],
    )
    .calls;
    let exchange = calls.iter().position(|&call| call == "exchange").unwrap();
    let mut fs = Faulty::new(Fault::None, 0);
    let opened = std::rc::Rc::new(std::cell::RefCell::new(None));
    let (before, after) = (path.clone(), path.clone());
    let (opening, begun, finished) = (opened.clone(), opened.clone(), opened);
    let meanwhile = fs.meanwhile.get_mut();
    meanwhile.push((exchange, Box::new(move || append(&before, "line 0"))));
    meanwhile.push((
        exchange + 1,
        Box::new(move || {
            *opening.borrow_mut() = Some(fs::OpenOptions::new().append(true).open(after).unwrap())
        }),
    ));
    // The calls after the exchange: the look at the old file, the look before and the exchange back, and then
    // the look at ours.
    meanwhile.push((
        exchange + 4,
        Box::new(move || {
            let later = std::time::SystemTime::now() + Duration::from_secs(1);
            begun.borrow().as_ref().unwrap().set_modified(later).unwrap();
        }),
    ));
    *fs.while_waiting.get_mut() =
        Some(Box::new(move || finished.take().unwrap().write_all(b"line 1\n").unwrap()));
    let result = edit_old(&fs, &path, None);
    assert!(matches!(result, Err(ReplaceError::Conflict { .. })), "{result:?}");
    let calls = fs.log.take();
    assert_eq!(calls[exchange..][..5], ["exchange", "stat_at", "stat_at", "exchange", "stat_at"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old contentline 0\nline 1\n");
    assert_eq!(names(folder.path()), ["target"]);
}

/// A program has opened our file while it was in place, and writes long after it was taken back.
#[test]
fn our_file_is_left_to_a_program_that_keeps_it_open() {
    let folder = scratch();
    let path = folder.path().join("target");
    fs::write(&path, "old content").unwrap();
    let exchanged = Setup { exchange: true, link: true, share: true, backup: false };
    let calls = append_before(Faulty::new(Fault::None, 0), exchanged, &[]).calls;
    let exchange = calls.iter().position(|&call| call == "exchange").unwrap();
    let mut fs = Faulty::new(Fault::None, 0);
    let opened = std::rc::Rc::new(std::cell::RefCell::new(None));
    let (before, after, opening) = (path.clone(), path.clone(), opened.clone());
    let meanwhile = fs.meanwhile.get_mut();
    meanwhile.push((exchange, Box::new(move || append(&before, "line 0"))));
    meanwhile.push((
        exchange + 1,
        Box::new(move || {
            *opening.borrow_mut() = Some(fs::OpenOptions::new().append(true).open(after).unwrap())
        }),
    ));
    if Native.has_writer(&fs::File::open(&path).unwrap()).is_none() {
        eprintln!("this system cannot tell whether a file is open for writing");
        return;
    }
    let result = edit_old(&fs, &path, None);
    assert!(matches!(result, Err(ReplaceError::Io { .. })), "{result:?}");
    opened.take().unwrap().write_all(b"late\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old contentline 0\n");
    sweep::sweep_in(&Native, folder.path(), |_| false).unwrap();
    let kept = names(folder.path());
    assert_eq!(kept.len(), 2, "{kept:?}");
    let texts = kept.iter().map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    assert!(texts.into_iter().any(|text| text == "new contentlate\n"), "{kept:?}");
}

/// A program appends line after line, each time opening the file anew, while it is repaired thousands of
/// times.
#[test]
fn an_owner_who_appends_all_the_time_loses_nothing() {
    let folder = scratch();
    let path = folder.path().join("a.jsonl");
    let damage = "{\"damaged\":true}\n";
    fs::write(&path, damage).unwrap();
    let over = AtomicBool::new(false);
    let (mut repaired, mut conflicts, mut written) = (0, 0, 0);
    std::thread::scope(|scope| {
        let owner = scope.spawn(|| {
            let mut line = 0;
            while !over.load(Ordering::Relaxed) {
                append(&path, &line.to_string());
                line += 1;
                // In bursts, so that some repairs meet none, and some meet several.
                let pause = if line % 64 == 0 { 1_000 } else { line % 8 };
                std::thread::sleep(Duration::from_micros(pause));
            }
            line
        });
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2)
            || ((repaired < 200 || conflicts < 200) && began.elapsed() < Duration::from_secs(30))
        {
            let before = seen(&path);
            // One byte longer and one byte shorter in turn, so that each repair is a new file.
            let (old, new) =
                if repaired % 2 == 0 { (&b"true"[..], &b"false"[..]) } else { (&b"false"[..], &b"true"[..]) };
            let edits = [Edit { offset: 11, old, new, times: 1 }];
            let change = Change { edits: &edits, ..Change::default() };
            // This file system does not wait for the clock's next tick, so that the two meet often.
            let mut fs = Faulty::new(Fault::None, 0);
            fs.patient = true;
            let result =
                edit::edit_in(&fs, &path, &before, &change, 1 << 16, &mut |_| Ok(()), &CancelToken::never());
            match result {
                Ok(_) => repaired += 1,
                Err(ReplaceError::Conflict { .. }) => conflicts += 1,
                Err(error) => panic!("{error}"),
            }
        }
        over.store(true, Ordering::Relaxed);
        written = owner.join().unwrap();
    });
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<u64> = text.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    lines.sort_unstable();
    let lost = (0..written).filter(|line| lines.binary_search(line).is_err()).count();
    eprintln!(
        "an owner appends all the time: {written} lines, {repaired} repairs, {conflicts} conflicts, \
         violations: {lost}"
    );
    assert_eq!(lines.len() as u64, written, "a line is there twice, or lost");
    assert_eq!(lost, 0);
    assert!(repaired > 100 && conflicts > 100, "{repaired} {conflicts}");
    assert_eq!(names(folder.path()), ["a.jsonl"]);
}
