use super::fs::Stamp;
use super::name::TemporaryName;
use super::*;
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs;

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn conflict(result: Result<(), ReplaceError>) -> bool {
    matches!(result, Err(ReplaceError::Conflict { .. }))
}

fn io_kind(result: Result<(), ReplaceError>) -> io::ErrorKind {
    match result {
        Err(ReplaceError::Io { source, .. }) => source.kind(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_created_replaced_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local_a.json");
    replace(&path, b"one", Expected::Absent, None).unwrap();
    assert!(conflict(replace(&path, b"two", Expected::Absent, None)));
    assert!(conflict(replace(&path, b"two", Expected::Content(b"on"), None)));
    assert!(conflict(replace(&path, b"two", Expected::Digest([0; 32]), None)));
    assert_eq!(fs::read(&path).unwrap(), b"one");
    replace(&path, b"two", Expected::Content(b"one"), None).unwrap();
    replace(&path, b"", Expected::Digest(Sha256::digest(b"two").into()), None).unwrap();
    let long = vec![b'x'; 3 << 20];
    replace(&path, &long, Expected::Anything, None).unwrap();
    assert_eq!(fs::read(&path).unwrap(), long);

    assert!(conflict(remove(&path, &[0; 32])));
    assert_eq!(fs::read(&path).unwrap(), long);
    remove(&path, &Sha256::digest(&long).into()).unwrap();
    assert!(conflict(remove(&path, &Sha256::digest(&long).into())));
    assert!(conflict(replace(&path, b"two", Expected::Content(b""), None)));
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn the_backup_is_the_file_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("a"), folder.path().join("a.bak"));
    fs::write(&path, b"\0\0\0").unwrap();
    replace(&path, b"new", Expected::Content(b"\0\0\0"), Some(&backup)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read(&backup).unwrap(), b"\0\0\0");

    // An existing backup is not overwritten, and then the target is not replaced.
    assert_eq!(
        io_kind(replace(&path, b"newer", Expected::Content(b"new"), Some(&backup))),
        io::ErrorKind::AlreadyExists
    );
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read(&backup).unwrap(), b"\0\0\0");

    // A backup in another folder is refused: it would not be found again and may be on another disk.
    for elsewhere in [folder.path().join("folder").join("a.bak"), path.clone(), PathBuf::from("..")] {
        assert_eq!(
            io_kind(replace(&path, b"newer", Expected::Anything, Some(&elsewhere))),
            io::ErrorKind::InvalidInput
        );
    }
    assert_eq!(entries(folder.path()), ["a", "a.bak"]);
}

#[test]
fn folders_are_not_replaced_and_missing_ones_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local_a.json");
    fs::create_dir(&path).unwrap();
    assert_eq!(io_kind(replace(&path, b"x", Expected::Anything, None)), io::ErrorKind::IsADirectory);
    assert!(conflict(replace(&path, b"x", Expected::Absent, None)));
    assert!(conflict(replace(&path, b"x", Expected::Content(b""), None)));
    assert!(conflict(remove(&path, &[0; 32])));
    let missing = folder.path().join("missing").join("local_a.json");
    assert_eq!(io_kind(replace(&missing, b"x", Expected::Absent, None)), io::ErrorKind::NotFound);
    assert_eq!(io_kind(replace(Path::new("/"), b"x", Expected::Anything, None)), io::ErrorKind::InvalidInput);
    assert_eq!(entries(folder.path()), ["local_a.json"]);
}

#[test]
fn a_temporary_name_tells_whether_the_file_can_be_removed() {
    let digest: Digest = Sha256::digest(b"x").into();
    let name = format!(".sessscan-17-00ff-a-{}", &hex(&digest)[..32]);
    let name = TemporaryName::parse(OsStr::new(&name)).unwrap();
    assert_eq!(name.process, 17);
    let stamp = |inode, size, modified| Stamp { device: 1, inode, size, modified };
    let (ours, other) = (stamp(10, 0, 0), stamp(11, 0, 0));
    assert!(name.is_removable(&ours, 1, || None), "our own file");
    assert!(name.is_removable(&other, 2, || None), "has another name");
    assert!(name.is_removable(&other, 1, || Some(digest)), "the file that was to be replaced");
    assert!(
        !name.is_removable(&other, 1, || Some([0; 32])) && !name.is_removable(&other, 1, || None),
        "another program's file"
    );
    assert!(TemporaryName::parse(OsStr::new(".sessscan-17-00ff")).unwrap().is_removable(&ours, 1, || None));

    let replaced = stamp(11, 300, -5);
    let name = format!(".sessscan-17-00ff{}", name::exchange_suffix(10, 200, &Version::Stamp(replaced)));
    let name = TemporaryName::parse(OsStr::new(&name)).unwrap();
    let never = || panic!("it is not read");
    assert!(name.is_removable(&stamp(10, 200, 7), 1, never), "our own file");
    assert!(!name.is_removable(&stamp(10, 201, 7), 1, never), "our own file, and what somebody appended");
    assert!(name.is_removable(&replaced, 1, never), "the file that was to be replaced");
    assert!(!name.is_removable(&stamp(11, 301, -5), 1, never), "what somebody appended to it");
    assert!(!name.is_removable(&stamp(11, 300, -4), 1, never), "what somebody wrote into it");
    assert!(name.is_removable(&stamp(11, 301, -5), 2, never), "has another name");
    for other in [
        "",
        "local_a.json",
        ".sessscan-",
        ".sessscan-x-1",
        ".sessscan-1",
        ".sessscan-1-g",
        ".sessscan-1-1-1",
        ".sessscan-1-1-1-1-1",
        ".sessscan-1-1-1-1-1-1-1",
        ".sessscan-1-1-1-1-1-x",
    ] {
        assert_eq!(TemporaryName::parse(OsStr::new(other)), None, "{other}");
    }
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_sweep_removes_what_dead_processes_left() {
    let folder = tempfile::tempdir().unwrap();
    let ours = |rest: &str| folder.path().join(format!(".sessscan-{rest}"));
    let alive = |process| process == 1;
    let expected = &hex(&Sha256::digest(b"old").into())[..32];
    let dead = ours("2-aa");
    fs::write(&dead, "half of the new conte").unwrap();
    fs::write(ours("1-aa"), "being written").unwrap();
    let replaced = ours(&format!("2-ab-1-{expected}"));
    fs::write(&replaced, "old").unwrap();
    fs::write(ours(&format!("2-ac-1-{expected}")), "the owner's").unwrap();
    fs::create_dir(ours("2-ad")).unwrap();
    fs::write(folder.path().join(".sessscan-notes"), "a user's").unwrap();
    fs::write(folder.path().join("local_a.json"), "").unwrap();

    let swept = sweep::sweep_in(&Native, folder.path(), alive).unwrap();
    assert_eq!(swept, [dead, replaced]);
    assert_eq!(entries(folder.path()).len(), 5);
    assert!(sweep::sweep_in(&Native, folder.path(), alive).unwrap().is_empty());
    assert_eq!(sweep(&folder.path().join("missing")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn an_append_creates_the_file_or_adds_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    append_durable(&path, b"one\n").unwrap();
    append_durable(&path, b"").unwrap();
    append_durable(&path, b"two\n").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    assert!(append_durable(folder.path(), b"x").is_err());
    assert_eq!(io_kind(append_durable(&path.join("x"), b"x")), io::ErrorKind::NotADirectory);
}

#[cfg(unix)]
mod unix {
    use super::super::faulty::{Fault, Faulty, OLD, scratch, sha};
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn mode_owner_and_attributes_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace(&path, b"1", Expected::Absent, None).unwrap();
        let mode = || fs::metadata(&path).unwrap().mode() & 0o7777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let attribute = (c"user.sessscan", b"kept");
        let flags = rustix::fs::XattrFlags::empty();
        let settable = rustix::fs::setxattr(&path, attribute.0, attribute.1, flags).is_ok();
        // Only root can change the owner; for others the file has the right owner already.
        let given = std::os::unix::fs::chown(&path, Some(12345), Some(23456)).is_ok();
        replace(&path, b"2", Expected::Content(b"1"), Some(&folder.path().join("b"))).unwrap();
        assert_eq!(mode(), 0o640);
        if given {
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (12345, 23456));
        }
        if settable {
            let mut value = [0; 10];
            let length = rustix::fs::getxattr(&path, attribute.0, &mut value[..]).unwrap();
            assert_eq!(&value[..length], attribute.1);
        }
        // The same where the backup has to be a copy.
        let copied = folder.path().join("c");
        let mut fs_without = Faulty::new(Fault::None, 0);
        (fs_without.link, fs_without.exchange) = (false, false);
        replace_in(&fs_without, &path, b"3", Expected::Content(b"2"), Some(&copied)).unwrap();
        assert_eq!(fs::metadata(&copied).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read(&copied).unwrap(), b"2");
    }

    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("local_a.json"), folder.path().join("target"));
        fs::write(&target, "another file").unwrap();
        symlink(&target, &path).unwrap();
        let Err(ReplaceError::Io { source, .. }) = replace(&path, b"x", Expected::Anything, None) else {
            panic!()
        };
        assert_eq!(source.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        assert!(conflict(replace(&path, b"x", Expected::Content(b"another file"), None)));
        assert!(conflict(replace(&path, b"x", Expected::Absent, None)));
        assert!(conflict(remove(&path, &sha(b"another file"))));
        assert!(append_durable(&path, b"x").is_err());
        // A link at the backup's name counts as an existing backup.
        let backup = folder.path().join("a.bak");
        symlink(folder.path().join("missing"), &backup).unwrap();
        let kept = replace(&target, b"x", Expected::Anything, Some(&backup));
        assert_eq!(io_kind(kept), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"another file");
        assert_eq!(entries(folder.path()), ["a.bak", "local_a.json", "target"]);
    }

    #[test]
    fn create_fails_where_a_file_or_link_exists() {
        use super::super::fs::Fs;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "theirs").unwrap();
        symlink(folder.path().join("elsewhere"), folder.path().join("link")).unwrap();
        let dir = Native.open_dir(folder.path()).unwrap();
        for name in ["file", "link"] {
            let error = Native.create(&dir, OsStr::new(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"theirs");
        assert_eq!(entries(folder.path()), ["file", "link"]);
    }

    #[test]
    fn a_link_that_takes_the_name_after_the_look_is_not_opened() {
        use super::super::fs::Fs;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "theirs").unwrap();
        symlink(folder.path().join("secret"), folder.path().join("link")).unwrap();
        let dir = Native.open_dir(folder.path()).unwrap();
        for error in [
            Native.open(&dir, OsStr::new("link")).unwrap_err(),
            Native.open_append(&dir, OsStr::new("link")).unwrap_err(),
        ] {
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        }
    }

    /// Another group must not get the rights that the old one had, where the group cannot be kept.
    #[cfg(target_os = "linux")]
    #[test]
    fn rights_of_the_group_are_not_given_to_another_group() {
        use super::super::fs::Fs;
        use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
        if !rustix::process::geteuid().is_root() {
            return; // only root can make a file of a group that it then gives up
        }
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, user: u32, group: u32, mode: u32| {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            fs::OpenOptions::new().read(true).write(true).open(&path).unwrap()
        };
        for (group, kept) in [(23456, 0o604), (34567, 0o664)] {
            let (old, new) = (open("old", 23456, group, 0o664), open("new", 12345, 34567, 0o600));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // Of this thread alone, and of the process neither user nor groups.
                    let (user, group) = (Uid::from_raw(12345), Gid::from_raw(34567));
                    set_thread_groups(&[]).unwrap();
                    set_thread_res_gid(group, group, group).unwrap();
                    set_thread_res_uid(user, user, user).unwrap();
                    Native.copy_attributes(&old, &new);
                });
            });
            let metadata = new.metadata().unwrap();
            assert_eq!((metadata.gid(), metadata.mode() & 0o7777), (34567, kept), "from {group}");
        }
    }

    #[test]
    fn a_fifo_is_neither_opened_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local_a.json");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(io_kind(replace(&path, b"x", Expected::Anything, None)), io::ErrorKind::InvalidInput);
        assert!(conflict(replace(&path, b"x", Expected::Content(b""), None)));
        assert!(append_durable(&path, b"x").is_err());
    }

    #[test]
    fn names_may_have_255_bytes_of_any_value() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        for name in [&[b'x'; 255][..], b"local_\xff\n\x1b[31m.json"] {
            let path = folder.path().join(OsStr::from_bytes(name));
            replace(&path, b"1", Expected::Absent, None).unwrap();
            replace(&path, b"2", Expected::Content(b"1"), None).unwrap();
            remove(&path, &sha(b"2")).unwrap();
        }
        let long = folder.path().join(OsStr::from_bytes(&[b'x'; 256]));
        let Err(ReplaceError::Io { source, .. }) = replace(&long, b"1", Expected::Absent, None) else {
            panic!()
        };
        assert_eq!(source.raw_os_error(), Some(rustix::io::Errno::NAMETOOLONG.raw_os_error()));
        assert!(entries(folder.path()).is_empty());
    }

    #[test]
    fn files_and_folder_are_synced_before_the_exchange_and_the_folder_after() {
        let folder = scratch();
        let path = folder.path().join("a");
        fs::write(&path, OLD).unwrap();
        let fs = Faulty::new(Fault::None, 0);
        replace_in(&fs, &path, b"new", Expected::Content(OLD), Some(&folder.path().join("b"))).unwrap();
        let steps = [
            "create",
            "write",
            "copy_attributes",
            "sync",
            "link",
            "sync_dir",
            "rename",
            "exchange",
            "unlink",
        ];
        let calls = fs.log.take();
        let calls: Vec<_> = calls.into_iter().filter(|call| steps.contains(call)).collect();
        let expected = [
            "create",
            "write",
            "copy_attributes",
            "sync",
            "link",
            "sync",
            "sync_dir",
            "rename",
            "exchange",
            "sync_dir",
            "unlink",
        ];
        assert_eq!(calls, expected);
    }

    #[test]
    fn a_removal_with_a_fault_at_each_call_loses_nothing() {
        for fault in [Fault::Once, Fault::From, Fault::Reported] {
            for at in 0.. {
                let folder = scratch();
                let path = folder.path().join("a");
                fs::write(&path, OLD).unwrap();
                let fs = Faulty::new(fault, at);
                let result = remove_in(&fs, &path, &sha(OLD));
                let context = format!("{fault:?} at {at}: {result:?}, {:?}", fs.log.borrow());
                // Until the removal is confirmed the content exists under one name or the other.
                let there = path.exists();
                match result {
                    Ok(()) | Err(ReplaceError::Unconfirmed { .. }) => assert!(!there, "{context}"),
                    Err(_) if fault == Fault::Once => assert!(there, "{context}"),
                    Err(_) => assert_eq!(entries(folder.path()).len(), 1, "{context}"),
                }
                assert!(there || sweep::sweep_in(&Native, folder.path(), |_| false).is_ok());
                assert_eq!(entries(folder.path()).len(), usize::from(there), "{context}");
                if fs.log.borrow().len() <= at {
                    break;
                }
            }
        }
    }

    #[test]
    fn an_append_with_a_fault_at_each_call_is_whole_or_absent() {
        for (fault, before, at) in
            [(Fault::Once, true), (Fault::Once, false), (Fault::From, true), (Fault::From, false)]
                .into_iter()
                .flat_map(|(fault, before)| (0..12).map(move |at| (fault, before, at)))
        {
            let folder = scratch();
            let path = folder.path().join("journal");
            if before {
                fs::write(&path, "one\n").unwrap();
            }
            let mut fs = Faulty::new(fault, at);
            fs.write = 2;
            let result = append::append_in(&fs, &path, b"two\n");
            let content = fs::read_to_string(&path).unwrap_or_default();
            let context = format!("{fault:?} at {at}: {result:?}, {:?}", fs.log.borrow());
            let (old, new) = if before { ("one\n", "one\ntwo\n") } else { ("", "two\n") };
            match result {
                Ok(()) => assert_eq!(content, new, "{context}"),
                Err(_) => {
                    let torn = fault == Fault::From && new.starts_with(&content);
                    assert!(content == old || content == new || torn, "{context}");
                }
            }
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::*;
    use std::fs::OpenOptions;
    use std::os::windows::fs::OpenOptionsExt;
    use std::time::Duration;

    #[test]
    fn a_rename_waits_for_a_reader_that_closes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local_a.json");
        fs::write(&path, "old").unwrap();
        let reader = OpenOptions::new().read(true).open(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                drop(reader);
            });
            replace(&path, b"new", Expected::Content(b"old"), None).unwrap();
        });
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_reader_that_keeps_the_file_open_makes_the_rename_fail() {
        let folder = tempfile::tempdir().unwrap();
        let (path, backup) = (folder.path().join("local_a.json"), folder.path().join("a.bak"));
        fs::write(&path, "old").unwrap();
        // The reader shares reading but not deleting, which a rename over the file needs.
        let reader = OpenOptions::new().read(true).share_mode(1).open(&path).unwrap();
        let result = replace(&path, b"new", Expected::Content(b"old"), Some(&backup));
        let Err(ReplaceError::Io { source, .. }) = result else { panic!("{result:?}") };
        assert!(matches!(source.raw_os_error(), Some(5 | 32)), "{source}");
        drop(reader);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(folder.path()), ["local_a.json"]);
    }
}
