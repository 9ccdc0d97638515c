//! Test the writer with a power cut after every step, in every state that the cut can leave.
//!
//! The target is old or new, and every change that was acknowledged is there.

use super::crash::{Disk, Fault, Node, Tree, find};
use super::faulty::{NEW, OLD, sha};
use super::*;
use crate::cancel::CancelToken;

const OWNERS: &[u8] = b"owner's version";

/// Return the inode of a file in a tree, and its content.
fn inode_and_content<'a>(tree: &'a Tree, path: &str) -> Option<(u64, &'a [u8])> {
    let inode = find(tree, Path::new(path))?;
    let Node::File(content) = &tree[&inode] else { panic!("{path} is no file") };
    Some((inode, content))
}

fn content<'a>(tree: &'a Tree, path: &str) -> Option<&'a [u8]> {
    inode_and_content(tree, path).map(|(_, content)| content)
}

/// Return the tree after the sweep of the next run.
fn swept(tree: &Tree) -> Tree {
    let disk = Disk::new(tree.clone());
    sweep::sweep_in(&disk, Path::new("/d"), |_| false).unwrap();
    disk.make_durable();
    let mut after = None;
    disk.crashes(0, |tree| after = Some(tree.clone()));
    after.unwrap()
}

fn names(tree: &Tree) -> Vec<String> {
    match &tree[&find(tree, Path::new("/d")).unwrap()] {
        Node::Dir(names) => names.keys().map(|name| name.to_str().unwrap().to_owned()).collect(),
        Node::File(_) => panic!(),
    }
}

#[derive(Clone, Copy, Debug)]
struct Setup {
    present: bool,
    expected: Expected<'static>,
    backup: bool,
    exchange: bool,
    link: bool,
    /// Whether the file that is to be replaced is durable.
    old_is_durable: bool,
    /// Whether the content is edited as a stream, and whether the new file can share the blocks of the old one.
    edit: Option<bool>,
}

fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for (exchange, link) in [(true, true), (false, true), (true, false), (false, false)] {
        for (present, expected) in [
            (false, Expected::Absent),
            (false, Expected::Anything),
            (true, Expected::Anything),
            (true, Expected::Content(OLD)),
        ] {
            for (backup, old_is_durable) in [(false, true), (true, true), (true, false)] {
                if present || old_is_durable {
                    let edit = None;
                    setups.push(Setup { present, expected, backup, exchange, link, old_is_durable, edit });
                }
            }
        }
        for (backup, old_is_durable, share) in [
            (false, true, false),
            (false, true, true),
            (true, true, true),
            (true, true, false),
            (true, false, true),
        ] {
            let (expected, edit) = (Expected::Content(OLD), Some(share));
            setups.push(Setup { present: true, expected, backup, exchange, link, old_is_durable, edit });
        }
    }
    setups
}

/// Make a disk with the target; return the target's inode too.
fn disk(setup: Setup) -> (Disk, Option<u64>) {
    let mut disk = Disk::empty();
    (disk.exchange, disk.link, disk.share) = (setup.exchange, setup.link, setup.edit == Some(true));
    disk.make(Path::new("/d"), None);
    disk.make_durable();
    let old = setup.present.then(|| disk.make(Path::new("/d/target"), Some(OLD)));
    if setup.old_is_durable {
        disk.make_durable();
    }
    (disk, old)
}

fn run(disk: &Disk, setup: Setup) -> Result<(), ReplaceError> {
    let (target, backup) = (Path::new("/d/target"), setup.backup.then(|| Path::new("/d/backup")));
    if setup.edit.is_none() {
        return replace_in(disk, target, NEW, setup.expected, backup);
    }
    let edits = [Edit { offset: 0, old: &OLD[..3], new: &NEW[..3], times: 1 }];
    let change = Change { edits: &edits, backup, ..Change::default() };
    let seen = Seen { size: OLD.len() as u64, modified: 0, inode: disk.find(target).unwrap() };
    edit::edit_in(disk, target, &seen, &change, 8, &mut |_| Ok(()), &CancelToken::never()).map(drop)
}

/// Check a state of the disk after a crash. `result` is the writer's result if it had returned by then.
fn check(
    tree: &Tree,
    setup: Setup,
    old: Option<u64>,
    result: Option<&Result<(), ReplaceError>>,
    context: &dyn Fn() -> String,
) {
    let target = inode_and_content(tree, "/d/target");
    let replaced = target.is_some_and(|(inode, _)| Some(inode) != old);
    match target {
        Some((_, content)) if replaced => assert_eq!(content, NEW, "{}", context()),
        Some((_, content)) if setup.old_is_durable => assert_eq!(content, OLD, "{}", context()),
        None if setup.old_is_durable => assert!(!setup.present, "the file is missing: {}", context()),
        // The old file was not durable, so the writer does not answer for it.
        _ => {}
    }
    if replaced && setup.present && setup.backup {
        assert_eq!(content(tree, "/d/backup"), Some(OLD), "{}", context());
    }
    match result {
        Some(Ok(())) => assert!(replaced, "acknowledged but not there: {}", context()),
        Some(Err(ReplaceError::Io { .. } | ReplaceError::Conflict { .. } | ReplaceError::Edits { .. })) => {
            assert!(!replaced, "reported as not written but there: {}", context());
        }
        Some(Err(ReplaceError::Unconfirmed { .. })) | None => {}
    }
    let after = swept(tree);
    assert_eq!(inode_and_content(&after, "/d/target"), target, "{}", context());
    assert_eq!(inode_and_content(&after, "/d/backup"), inode_and_content(tree, "/d/backup"), "{}", context());
    let left: Vec<_> = names(&after).into_iter().filter(|name| name.starts_with('.')).collect();
    // A file that was not durable may have lost its expected content; a sweep must not remove it then.
    assert!(left.is_empty() || !setup.old_is_durable, "{left:?} {}", context());
}

/// Call `check` for each crash after each event from `first` on; after the last event, with the writer's
/// result.
fn crash(
    disk: &Disk,
    first: usize,
    result: &Result<(), ReplaceError>,
    mut check: impl FnMut(&Tree, Option<&Result<(), ReplaceError>>, usize),
) -> usize {
    let events = disk.events();
    let mut states = 0;
    for event in first..=events {
        let result = (event == events).then_some(result);
        states += disk.crashes(event, |tree| check(tree, result, event));
    }
    states
}

#[test]
fn a_power_cut_after_any_step_leaves_the_old_or_the_new_file() {
    let mut states = 0;
    for setup in setups() {
        let (disk, old) = disk(setup);
        let first = disk.events();
        let result = run(&disk, setup);
        result.as_ref().unwrap();
        states += crash(&disk, first, &result, |tree, acknowledged, event| {
            check(tree, setup, old, acknowledged, &|| format!("{setup:?}, event {event}: {tree:?}"));
        });
    }
    eprintln!("a power cut after any step: {states} states, violations: 0");
    assert!(states > 5_000, "only {states} states");
}

#[test]
fn a_power_cut_after_a_failed_call_leaves_the_old_or_the_new_file() {
    let (mut states, mut faults) = (0, 0);
    for setup in setups() {
        for kill in [false, true] {
            for at in 0.. {
                let (mut disk, old) = disk(setup);
                let first = disk.events();
                disk.fault = if kill { Fault::From(at) } else { Fault::Once(at) };
                let result = run(&disk, setup);
                if disk.calls() <= at {
                    break;
                }
                faults += 1;
                // A killed process reports no result.
                states += crash(&disk, disk.events().max(first), &result, |tree, acknowledged, event| {
                    let acknowledged = acknowledged.filter(|_| !kill);
                    check(tree, setup, old, acknowledged, &|| {
                        format!(
                            "{setup:?}, call {at} fails (kill: {kill}), event {event}: {result:?} {tree:?}"
                        )
                    });
                });
            }
        }
    }
    eprintln!("a failed call, then a power cut: {faults} faults, {states} states, violations: 0");
    assert!(faults > 1_000 && states > 5_000, "only {faults} faults, {states} states");
}

/// The owner saves the file as apps do, without a sync, just before one of the writer's calls.
#[test]
fn a_power_cut_after_an_owners_write_keeps_that_write() {
    let save = |disk: &Disk| {
        disk.make(Path::new("/d/theirs"), Some(OWNERS));
        disk.rename_over(Path::new("/d/theirs"), Path::new("/d/target"));
    };
    let (mut states, mut exchanges) = (0, 0);
    for (backup, link, edit) in [
        (false, true, None),
        (true, true, None),
        (true, false, None),
        (false, true, Some(false)),
        (true, true, Some(true)),
        (true, false, Some(true)),
    ] {
        let expected = Expected::Content(OLD);
        let setup =
            Setup { present: true, expected, backup, exchange: true, link, old_is_durable: true, edit };
        for at in 0.. {
            let (mut disk, _) = disk(setup);
            disk.meanwhile = Some((at, save));
            let result = run(&disk, setup);
            if disk.calls() <= at {
                break;
            }
            let exchanged_back = disk.exchanges() == 2;
            exchanges += usize::from(exchanged_back);
            assert!(!exchanged_back || matches!(result, Err(ReplaceError::Conflict { .. })), "{result:?}");
            let context = |tree: &Tree| format!("owner at {at}, backup {backup}: {result:?} {tree:?}");
            let theirs = disk.find(Path::new("/d/target"));
            states += disk.crashes(disk.events(), |tree| {
                if exchanged_back {
                    // The writer moved the owner's file, so its return must be durable.
                    assert_eq!(find(tree, Path::new("/d/target")), theirs, "{}", context(tree));
                }
                let kept = |tree: &Tree| {
                    names(tree).iter().any(|name| find(tree, &Path::new("/d").join(name)) == theirs)
                };
                assert!(!kept(tree) || kept(&swept(tree)), "{}", context(tree));
            });
        }
    }
    eprintln!(
        "an owner's write, then a power cut: {exchanges} exchanged back, {states} states, violations: 0"
    );
    assert!(exchanges > 5 && states > 100, "only {exchanges} exchanged back, {states} states");
}

#[test]
fn a_power_cut_during_a_removal_leaves_the_file_or_nothing() {
    let mut states = 0;
    for fault in [Fault::None].into_iter().chain((0..20).map(Fault::Once)).chain((0..20).map(Fault::From)) {
        let mut disk = Disk::empty();
        disk.make(Path::new("/d"), None);
        disk.make(Path::new("/d/target"), Some(OLD));
        disk.make_durable();
        disk.fault = fault;
        let result = remove_in(&disk, Path::new("/d/target"), &sha(OLD));
        for event in 0..=disk.events() {
            states += disk.crashes(event, |tree| {
                let context = || format!("{fault:?}, event {event}: {result:?} {tree:?}");
                let there = content(tree, "/d/target");
                assert!(there.is_none_or(|content| content == OLD), "{}", context());
                if event == disk.events() && result.is_ok() {
                    assert_eq!(there, None, "acknowledged but still there: {}", context());
                }
                let io = matches!(result, Err(ReplaceError::Io { .. }));
                if event == disk.events() && io && !matches!(fault, Fault::From(_)) {
                    assert!(there.is_some(), "reported as not removed but missing: {}", context());
                }
                assert_eq!(content(&swept(tree), "/d/target"), there, "{}", context());
                assert!(names(&swept(tree)).len() <= 1, "{}", context());
            });
        }
    }
    eprintln!("a removal, then a power cut: {states} states, violations: 0");
    assert!(states > 100, "only {states} states");
}

const JOURNAL: &str = "/d/runs/journal";
const RECORDS: [&[u8]; 3] = [b"{\"one\":1}\n", b"{\"two\":22}\n", b"{\"three\":333}\n"];

/// Make a disk on which the journal's folder exists but is not synced.
fn journal_disk() -> Disk {
    let disk = Disk::empty();
    disk.make(Path::new("/d"), None);
    disk.make(Path::new("/d/runs"), None);
    disk
}

fn append(disk: &Disk, record: &[u8]) -> Result<(), ReplaceError> {
    append::append_in(disk, Path::new(JOURNAL), record)
}

/// Return the journal's content, or nothing if it or a folder above it does not exist.
fn journal(tree: &Tree) -> &[u8] {
    content(tree, JOURNAL).unwrap_or_default()
}

#[test]
fn an_acknowledged_append_survives_a_power_cut() {
    let disk = journal_disk();
    let mut acknowledged = Vec::new();
    let mut states = 0;
    for record in RECORDS {
        let first = disk.events();
        append(&disk, record).unwrap();
        let whole = [&acknowledged, record].concat();
        for event in first..=disk.events() {
            states += disk.crashes(event, |tree| {
                let journal = journal(tree);
                let context = || format!("{}: {tree:?}", String::from_utf8_lossy(journal));
                assert!(journal.starts_with(&acknowledged), "{}", context());
                assert!(journal.len() <= whole.len(), "{}", context());
                if event == disk.events() {
                    assert_eq!(journal, whole, "{}", context());
                }
            });
        }
        acknowledged = whole;
    }
    eprintln!("an append, then a power cut: {states} states, violations: 0");
    assert!(states > 50, "only {states} states");
}

#[test]
fn an_append_after_a_failed_one_survives_a_power_cut() {
    let mut states = 0;
    for fault in (0..20).flat_map(|at| [Fault::Once(at), Fault::From(at)]) {
        let mut disk = journal_disk();
        disk.fault = fault;
        let first = append(&disk, RECORDS[0]);
        disk.fault = Fault::None;
        let old = disk.find(Path::new(JOURNAL)).map_or(0, |inode| disk.size(inode));
        append(&disk, RECORDS[1]).unwrap();
        states += disk.crashes(disk.events(), |tree| {
            let journal = journal(tree);
            let context = || format!("{fault:?}: {first:?}, {}", String::from_utf8_lossy(journal));
            assert_eq!(journal.get(old..), Some(RECORDS[1]), "{}", context());
            if first.is_ok() {
                assert!(journal.starts_with(RECORDS[0]), "{}", context());
            }
        });
    }
    eprintln!("an append after a failed one, then a power cut: {states} states, violations: 0");
    assert!(states > 40, "only {states} states");
}
