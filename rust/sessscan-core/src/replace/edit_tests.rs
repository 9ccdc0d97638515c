//! Test the writer of edited copies: what comes of them, and what is refused.

use super::edits::tests::{OwnedEdit, content_and_edits, edited};
use super::faulty::{Fault, Faulty, edit_old, scratch};
use super::*;
use crate::cancel::CancelToken;
use proptest::prelude::*;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

pub(super) fn seen(path: &Path) -> Seen {
    let metadata = fs::metadata(path).unwrap();
    let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Seen { size: metadata.len(), modified, inode: metadata.ino() }
}

pub(super) fn run(fs: &Faulty, path: &Path, change: &Change<'_>, piece: usize) -> Result<Seen, ReplaceError> {
    edit::edit_in(fs, path, &seen(path), change, piece, &mut |_| Ok(()), &CancelToken::never())
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

pub(super) fn reason(result: Result<Seen, ReplaceError>) -> &'static str {
    match result {
        Err(ReplaceError::Conflict { reason, .. } | ReplaceError::Edits { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_file_becomes_what_its_edited_content_is(
        (content, edits) in content_and_edits(100),
        piece in 1..70_usize,
        short in 1..50_usize,
        share in any::<bool>(),
    ) {
        let folder = scratch();
        let (path, backup) = (folder.path().join("a"), folder.path().join("a.bak"));
        fs::write(&path, &content).unwrap();
        let edits: Vec<_> = edits.iter().map(OwnedEdit::borrowed).collect();
        let mut fs = Faulty::new(Fault::None, 0);
        (fs.write, fs.share) = (short, share);
        let change = Change { edits: &edits, backup: Some(&backup), ..Change::default() };
        let new = run(&fs, &path, &change, piece).unwrap();
        prop_assert_eq!(fs::read(&path).unwrap(), edited(&content, &edits).unwrap());
        prop_assert_eq!(fs::read(&backup).unwrap(), &content[..]);
        prop_assert_eq!(new, seen(&path));
        prop_assert_eq!(names(folder.path()), ["a", "a.bak"]);
        let taken = Change { source: Some((&backup, seen(&backup))), ..Change::default() };
        run(&fs, &path, &taken, piece).unwrap();
        prop_assert_eq!(fs::read(&path).unwrap(), content);
    }

    #[test]
    fn a_file_in_utf_16_becomes_utf_8(
        text in any::<String>(),
        added in any::<String>(),
        big in any::<bool>(),
        piece in 1..40_usize,
    ) {
        let folder = scratch();
        let path = folder.path().join("a");
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        fs::write(&path, units.flat_map(bytes).collect::<Vec<_>>()).unwrap();
        let edits =
            [Edit { offset: text.len() as u64, old: b"", new: added.as_bytes(), times: 1 }];
        let change = Change { edits: &edits, utf16: true, ..Change::default() };
        run(&Faulty::new(Fault::None, 0), &path, &change, piece).unwrap();
        prop_assert_eq!(fs::read_to_string(&path).unwrap(), text + &added);
    }
}

#[test]
fn pieces_of_the_usual_size_are_joined() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mut content: Vec<u8> = (0..3 << 20).map(|at: u32| (at % 251) as u8).collect();
    let piece = content::PIECE;
    content[piece - 3..piece + 3].fill(0);
    fs::write(&path, &content).unwrap();
    let edits = [
        Edit { offset: piece as u64 - 3, old: b"\0", new: b" ", times: 6 },
        Edit { offset: 2 * piece as u64, old: &content[2 * piece..2 * piece + 2], new: b"", times: 1 },
        Edit { offset: content.len() as u64, old: b"", new: b"end\n", times: 1 },
    ];
    for edits in [&edits[..1], &edits] {
        fs::write(&path, &content).unwrap();
        let change = Change { edits, ..Change::default() };
        edit(&path, &seen(&path), &change, &mut |_| Ok(()), &CancelToken::never()).unwrap();
        assert!(fs::read(&path).unwrap() == edited(&content, edits).unwrap());
    }
}

#[test]
fn what_does_not_fit_is_a_conflict_and_leaves_nothing_behind() {
    let folder = scratch();
    let path = folder.path().join("a");
    fs::write(&path, "0123456789").unwrap();
    let fs = Faulty::new(Fault::None, 0);
    let edit = |offset, old: &'static str, new: &'static str| Edit {
        offset,
        old: old.as_bytes(),
        new: new.as_bytes(),
        times: 1,
    };
    for (edits, part) in [
        (vec![edit(3, "x", "y")], "other bytes"),
        (vec![edit(3, "3", ""), edit(9, "x", "")], "other bytes"),
        (vec![edit(5, "5", ""), edit(3, "3", "")], "order"),
        (vec![edit(9, "9a", "")], "beyond the end"),
    ] {
        let found = reason(run(&fs, &path, &Change { edits: &edits, ..Change::default() }, 4));
        assert!(found.contains(part), "{edits:?}: {found}");
    }
    assert!(reason(run(&fs, &path, &Change { utf16: true, ..Change::default() }, 4)).contains("UTF-16"));
    let elsewhere = Seen { inode: 1, ..seen(&path) };
    let grown = Seen { size: 9, ..seen(&path) };
    for (wrong, part) in [(elsewhere, "was changed"), (grown, "has grown")] {
        let change = Change::default();
        let result = edit::edit_in(&fs, &path, &wrong, &change, 4, &mut |_| Ok(()), &CancelToken::never());
        assert!(reason(result).contains(part));
        let Err(ReplaceError::Conflict { .. }) = remove_seen(&path, &wrong) else { panic!() };
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "0123456789");
    assert_eq!(names(folder.path()), ["a"]);
    remove_seen(&path, &seen(&path)).unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn only_a_regular_file_is_edited() {
    let folder = scratch();
    let at = |name| folder.path().join(name);
    fs::write(at("file"), "x").unwrap();
    std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let before = names(folder.path());
    let nothing = Seen { size: 1, modified: 0, inode: 0 };
    let call = |path: &Path| edit(path, &nothing, &Change::default(), &mut |_| Ok(()), &CancelToken::never());
    for name in ["link", "folder", "fifo"] {
        assert!(reason(call(&at(name))).contains("not a regular file"), "{name}");
    }
    assert!(reason(call(Path::new("/dev/null"))).contains("not a regular file"));
    assert!(reason(call(&at("missing"))).contains("does not exist"));
    assert_eq!(names(folder.path()), before);
}

/// The file is cut while it is copied.
#[test]
fn a_file_that_is_cut_while_it_is_copied_is_left_alone() {
    let (mut conflicts, mut at) = (0, 0);
    loop {
        let folder = scratch();
        let path = folder.path().join("target");
        fs::write(&path, "old content").unwrap();
        let mut fs = Faulty::new(Fault::None, 0);
        let cut = path.clone();
        let interference = move || fs::OpenOptions::new().write(true).open(cut).unwrap().set_len(5).unwrap();
        fs.meanwhile.get_mut().push((at, Box::new(interference)));
        let result = edit_old(&fs, &path, Some(&folder.path().join("backup")));
        let calls = fs.log.take();
        if at >= calls.len() {
            break;
        }
        assert!(matches!(result, Ok(()) | Err(ReplaceError::Conflict { .. })), "{result:?} {calls:?}");
        assert_eq!(fs::metadata(&path).unwrap().len(), 5, "{at} {calls:?}");
        if result.is_err() {
            conflicts += 1;
            assert_eq!(names(folder.path()), ["target"], "{at} {calls:?}");
        }
        at += 1;
    }
    assert!(conflicts > 10, "{conflicts}");
}

#[test]
fn an_announcement_or_a_cancellation_stops_the_write() {
    let folder = scratch();
    let path = folder.path().join("a");
    fs::write(&path, vec![b'x'; 100]).unwrap();
    let before = seen(&path);
    let mut told = None;
    let mut announce = |new: &Seen| {
        told = Some(*new);
        assert_eq!(names(folder.path()).len(), 2, "nothing but the temporary file is there yet");
        Err(io::ErrorKind::PermissionDenied.into())
    };
    let change = Change { edits: &[Edit { offset: 0, old: b"x", new: b"", times: 50 }], ..Change::default() };
    let result = edit(&path, &before, &change, &mut announce, &CancelToken::never());
    assert!(matches!(result, Err(ReplaceError::Io { .. })), "{result:?}");
    assert_eq!(told.map(|new| new.size), Some(50));
    let cancelled = |_| ControlFlow::Break(());
    let result = edit(&path, &before, &change, &mut |_| Ok(()), &CancelToken::new(&cancelled));
    let Err(ReplaceError::Io { source, .. }) = result else { panic!("{result:?}") };
    assert_eq!(source.kind(), io::ErrorKind::Interrupted);
    assert_eq!((seen(&path), names(folder.path())), (before, vec!["a".to_owned()]));
}

/// A program writes other bytes while the file is copied, and gives it the time that it had.
#[test]
fn a_file_that_is_written_with_its_old_time_while_it_is_copied_is_left_alone() {
    let replaced = b"old CONTENT";
    let attempt = |at: Option<usize>| {
        let folder = scratch();
        let path = folder.path().join("target");
        fs::write(&path, "old content").unwrap();
        // So that the next change is of another tick of the clock.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut fs = Faulty::new(Fault::None, 0);
        fs.share = false;
        if let Some(at) = at {
            let other = path.clone();
            let interference = move || {
                let time = fs::metadata(&other).unwrap().modified().unwrap();
                fs::write(&other, replaced).unwrap();
                fs::File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
            };
            fs.meanwhile.get_mut().push((at, Box::new(interference)));
        }
        (edit_old(&fs, &path, None), fs.log.take(), fs::read(&path).unwrap())
    };
    let (_, calls, _) = attempt(None);
    let at = calls.iter().rposition(|&call| call == "write").unwrap();
    let (result, _, content) = attempt(Some(at));
    assert!(matches!(result, Err(ReplaceError::Conflict { .. })), "{result:?}");
    assert_eq!(content, replaced);
}

#[test]
fn a_new_file_has_the_content_and_mode_of_its_source_and_takes_no_name_that_is_taken() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, elsewhere) = (scratch(), scratch());
    let (path, source) = (folder.path().join("new"), elsewhere.path().join("source"));
    fs::write(&source, vec![b'x'; 3 * content::PIECE + 7]).unwrap();
    fs::set_permissions(&source, fs::Permissions::from_mode(0o640)).unwrap();
    let faulty = Faulty::new(Fault::None, 0);
    let copy = |announce: &mut Announce<'_>| {
        edit::copy_new_in(&faulty, &path, &source, &seen(&source), announce, &CancelToken::never())
    };
    let refused = copy(&mut |_| Err(std::io::ErrorKind::Other.into()));
    assert!(matches!(refused, Err(ReplaceError::Io { .. })));
    assert_eq!(names(folder.path()), [""; 0]);
    let mut announced = None;
    let new = copy(&mut |new| {
        announced = Some(*new);
        Ok(())
    });
    assert_eq!(new.unwrap(), seen(&path));
    assert_eq!(announced, Some(seen(&path)));
    assert!(fs::read(&path).unwrap() == fs::read(&source).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(reason(copy(&mut |_| Ok(()))), "already exists");
    fs::remove_file(&path).unwrap();
    let mut taken = |_: &Seen| fs::write(&path, "meanwhile");
    assert_eq!(reason(copy(&mut taken)), "already exists");
    assert_eq!(fs::read_to_string(&path).unwrap(), "meanwhile");
    let other = Seen { size: 1, ..seen(&source) };
    fs::remove_file(&path).unwrap();
    let wrong = edit::copy_new_in(&faulty, &path, &source, &other, &mut |_| Ok(()), &CancelToken::never());
    assert!(reason(wrong).contains("since it was looked at"));
    assert_eq!(names(folder.path()), [""; 0]);
}
