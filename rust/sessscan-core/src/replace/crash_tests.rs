//! A power cut after every step, in every state it can leave: old or new, and what was acknowledged is there.

use super::crash::{Disk, Fault, Node, Tree, find};
use super::faults::{NEW, OLD, sha};
use super::*;

const OWNERS: &[u8] = b"what the owner wrote";

/// The inode of a name in a tree, and what it holds.
fn held<'a>(tree: &'a Tree, path: &str) -> Option<(u64, &'a [u8])> {
    let inode = find(tree, Path::new(path))?;
    let Node::File(content) = &tree[&inode] else { panic!("{path} is no file") };
    Some((inode, content))
}

fn content<'a>(tree: &'a Tree, path: &str) -> Option<&'a [u8]> {
    held(tree, path).map(|(_, content)| content)
}

/// The same tree after the next run has swept it.
fn swept(tree: &Tree) -> Tree {
    let disk = Disk::new(tree.clone());
    sweep::sweep_in(&disk, Path::new("/d"), |_| false).unwrap();
    disk.settle();
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
struct Case {
    present: bool,
    expected: Expected<'static>,
    backup: bool,
    exchange: bool,
    link: bool,
    /// Whether what is to be replaced was durable itself.
    settled: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (exchange, link) in [(true, true), (false, true), (true, false), (false, false)] {
        for (present, expected) in [
            (false, Expected::Absent),
            (false, Expected::Anything),
            (true, Expected::Anything),
            (true, Expected::Content(OLD)),
        ] {
            for (backup, settled) in [(false, true), (true, true), (true, false)] {
                if present || settled {
                    cases.push(Case { present, expected, backup, exchange, link, settled });
                }
            }
        }
    }
    cases
}

/// A disk with the target, and its inode.
fn disk(case: Case) -> (Disk, Option<u64>) {
    let mut disk = Disk::empty();
    (disk.exchange, disk.link) = (case.exchange, case.link);
    disk.make(Path::new("/d"), None);
    disk.settle();
    let old = case.present.then(|| disk.make(Path::new("/d/target"), Some(OLD)));
    if case.settled {
        disk.settle();
    }
    (disk, old)
}

fn run(disk: &Disk, case: Case) -> Result<(), ReplaceError> {
    let backup = case.backup.then(|| Path::new("/d/backup"));
    replace_in(disk, Path::new("/d/target"), NEW, case.expected, backup)
}

/// What holds in every state after every crash; `over`: the writer had come back with this.
fn check(
    tree: &Tree,
    case: Case,
    old: Option<u64>,
    over: Option<&Result<(), ReplaceError>>,
    context: &dyn Fn() -> String,
) {
    let target = held(tree, "/d/target");
    let replaced = target.is_some_and(|(inode, _)| Some(inode) != old);
    match target {
        Some((_, content)) if replaced => assert_eq!(content, NEW, "{}", context()),
        Some((_, content)) if case.settled => assert_eq!(content, OLD, "{}", context()),
        None if case.settled => assert!(!case.present, "the file is gone: {}", context()),
        // Never durable before we came: it is for whoever wrote it to answer.
        _ => {}
    }
    if replaced && case.present && case.backup {
        assert_eq!(content(tree, "/d/backup"), Some(OLD), "{}", context());
    }
    match over {
        Some(Ok(())) => assert!(replaced, "acknowledged, and not there: {}", context()),
        Some(Err(ReplaceError::Io { .. } | ReplaceError::Conflict { .. })) => {
            assert!(!replaced, "reported as not written, and there: {}", context());
        }
        Some(Err(ReplaceError::Unconfirmed { .. })) | None => {}
    }
    let after = swept(tree);
    assert_eq!(held(&after, "/d/target"), target, "{}", context());
    assert_eq!(held(&after, "/d/backup"), held(tree, "/d/backup"), "{}", context());
    let left: Vec<_> = names(&after).into_iter().filter(|name| name.starts_with('.')).collect();
    // What was never durable is no more what it was expected to be: it is not for us to remove.
    assert!(left.is_empty() || !case.settled, "{left:?} {}", context());
}

/// Crashes after each of the events from `first` on, and when all is over.
fn crash(
    disk: &Disk,
    first: usize,
    result: &Result<(), ReplaceError>,
    mut check: impl FnMut(&Tree, Option<&Result<(), ReplaceError>>, usize),
) -> usize {
    let events = disk.events();
    let mut states = 0;
    for event in first..=events {
        let over = (event == events).then_some(result);
        states += disk.crashes(event, |tree| check(tree, over, event));
    }
    states
}

#[test]
fn a_power_cut_at_any_moment() {
    let mut states = 0;
    for case in cases() {
        let (disk, old) = disk(case);
        let first = disk.events();
        let result = run(&disk, case);
        result.as_ref().unwrap();
        states += crash(&disk, first, &result, |tree, over, event| {
            check(tree, case, old, over, &|| format!("{case:?}, event {event}: {tree:?}"));
        });
    }
    eprintln!("power cut at any moment: {states} states, violations: 0");
    assert!(states > 5_000, "only {states} states");
}

#[test]
fn a_call_fails_and_then_the_power() {
    let (mut states, mut faults) = (0, 0);
    for case in cases() {
        for kill in [false, true] {
            for at in 0.. {
                let (mut disk, old) = disk(case);
                let first = disk.events();
                disk.fault = if kill { Fault::On(at) } else { Fault::Once(at) };
                let result = run(&disk, case);
                if disk.calls() <= at {
                    break;
                }
                faults += 1;
                // Who is killed tells nobody how it ended.
                states += crash(&disk, disk.events().max(first), &result, |tree, over, event| {
                    let over = over.filter(|_| !kill);
                    check(tree, case, old, over, &|| {
                        format!(
                            "{case:?}, call {at} fails (kill: {kill}), event {event}: {result:?} {tree:?}"
                        )
                    });
                });
            }
        }
    }
    eprintln!("a call fails, then a power cut: {faults} faults, {states} states, violations: 0");
    assert!(faults > 1_000 && states > 5_000, "only {faults} faults, {states} states");
}

/// An owner saves the file as apps do, without a sync, just before one of our calls.
#[test]
fn the_owner_writes_and_then_the_power_fails() {
    let save = |disk: &Disk| {
        disk.make(Path::new("/d/theirs"), Some(OWNERS));
        disk.put(Path::new("/d/theirs"), Path::new("/d/target"));
    };
    let (mut states, mut swaps) = (0, 0);
    for (backup, link) in [(false, true), (true, true), (true, false)] {
        let expected = Expected::Content(OLD);
        let case = Case { present: true, expected, backup, exchange: true, link, settled: true };
        for at in 0.. {
            let (mut disk, _) = disk(case);
            disk.meanwhile = Some((at, save));
            let result = run(&disk, case);
            if disk.calls() <= at {
                break;
            }
            let swapped = disk.exchanges() == 2;
            swaps += usize::from(swapped);
            assert!(!swapped || matches!(result, Err(ReplaceError::Conflict { .. })), "{result:?}");
            let context = |tree: &Tree| format!("owner at {at}, backup {backup}: {result:?} {tree:?}");
            let theirs = disk.find(Path::new("/d/target"));
            states += disk.crashes(disk.events(), |tree| {
                if swapped {
                    // It has been in our hands: it is put back for good.
                    assert_eq!(find(tree, Path::new("/d/target")), theirs, "{}", context(tree));
                }
                let kept = |tree: &Tree| {
                    names(tree).iter().any(|name| find(tree, &Path::new("/d").join(name)) == theirs)
                };
                assert!(!kept(tree) || kept(&swept(tree)), "{}", context(tree));
            });
        }
    }
    eprintln!("the owner writes, then a power cut: {swaps} swapped back, {states} states, violations: 0");
    assert!(swaps > 5 && states > 100, "only {swaps} swapped back, {states} states");
}

#[test]
fn removing_and_then_the_power_fails() {
    let mut states = 0;
    for fault in [Fault::None].into_iter().chain((0..20).map(Fault::Once)).chain((0..20).map(Fault::On)) {
        let mut disk = Disk::empty();
        disk.make(Path::new("/d"), None);
        disk.make(Path::new("/d/target"), Some(OLD));
        disk.settle();
        disk.fault = fault;
        let result = remove_in(&disk, Path::new("/d/target"), &sha(OLD));
        for event in 0..=disk.events() {
            states += disk.crashes(event, |tree| {
                let context = || format!("{fault:?}, event {event}: {result:?} {tree:?}");
                let there = content(tree, "/d/target");
                assert!(there.is_none_or(|content| content == OLD), "{}", context());
                if event == disk.events() && result.is_ok() {
                    assert_eq!(there, None, "acknowledged, and still there: {}", context());
                }
                let io = matches!(result, Err(ReplaceError::Io { .. }));
                if event == disk.events() && io && !matches!(fault, Fault::On(_)) {
                    assert!(there.is_some(), "reported as not removed, and gone: {}", context());
                }
                assert_eq!(content(&swept(tree), "/d/target"), there, "{}", context());
                assert!(names(&swept(tree)).len() <= 1, "{}", context());
            });
        }
    }
    eprintln!("removing, then a power cut: {states} states, violations: 0");
    assert!(states > 100, "only {states} states");
}

const JOURNAL: &str = "/d/runs/journal";
const RECORDS: [&[u8]; 3] = [b"{\"one\":1}\n", b"{\"two\":22}\n", b"{\"three\":333}\n"];

/// A disk on which the journal's folder is, but only in the cache.
fn journal_disk() -> Disk {
    let disk = Disk::empty();
    disk.make(Path::new("/d"), None);
    disk.make(Path::new("/d/runs"), None);
    disk
}

fn append(disk: &Disk, record: &[u8]) -> Result<(), ReplaceError> {
    append::append_in(disk, Path::new(JOURNAL), record)
}

/// The journal, empty where it or a folder above it is not there.
fn journal(tree: &Tree) -> &[u8] {
    content(tree, JOURNAL).unwrap_or_default()
}

#[test]
fn what_is_appended_is_there() {
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
    eprintln!("appending, then a power cut: {states} states, violations: 0");
    assert!(states > 50, "only {states} states");
}

#[test]
fn what_is_appended_after_a_failure_is_there() {
    let mut states = 0;
    for fault in (0..20).flat_map(|at| [Fault::Once(at), Fault::On(at)]) {
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
    eprintln!("appending after a failure, then a power cut: {states} states, violations: 0");
    assert!(states > 40, "only {states} states");
}
