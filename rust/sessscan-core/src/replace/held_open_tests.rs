//! Test the writer while another program writes in moments that are chosen, through a file that it has open or
//! under the name of the backup.

use super::faulty::{Fault, Faulty, Interference, NEW, OLD, scratch};
use super::*;
use std::fs::{self, OpenOptions};
use std::io::{Seek, Write};

/// A target that its owner has open, and the backup's path.
struct Scene {
    folder: tempfile::TempDir,
    target: PathBuf,
    backup: PathBuf,
    owner: fs::File,
}

impl Scene {
    fn new() -> Scene {
        let folder = scratch();
        let (target, backup) = (folder.path().join("target"), folder.path().join("backup"));
        fs::write(&target, OLD).unwrap();
        let owner = OpenOptions::new().write(true).open(&target).unwrap();
        Scene { folder, target, backup, owner }
    }

    /// Write these bytes into the file that the owner has open, cut to their length.
    fn write(&self, content: &'static [u8]) -> Interference {
        let mut owner = self.owner.try_clone().unwrap();
        Box::new(move || {
            owner.rewind().unwrap();
            owner.write_all(content).unwrap();
            owner.set_len(content.len() as u64).unwrap();
        })
    }

    fn replace(&self, fs: &Faulty, with_backup: bool) -> Result<(), ReplaceError> {
        replace_in(
            fs,
            &self.target,
            NEW,
            Expected::Content(OLD),
            with_backup.then_some(self.backup.as_path()),
        )
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn conflict(result: &Result<(), ReplaceError>, because: &str) -> bool {
    matches!(result, Err(ReplaceError::Conflict { reason, .. }) if *reason == because)
}

/// The numbers of the calls of this name.
fn numbers(calls: &[&'static str], name: &str) -> Vec<usize> {
    (0..calls.len()).filter(|&number| calls[number] == name).collect()
}

/// The calls of a replacement that nobody disturbs.
fn calls(exchange: bool, with_backup: bool) -> Vec<&'static str> {
    let mut fs = Faulty::new(Fault::None, 0);
    fs.exchange = exchange;
    Scene::new().replace(&fs, with_backup).unwrap();
    fs.log.take()
}

#[test]
fn what_is_written_into_the_old_file_between_the_two_looks_is_put_back() {
    for content in [&b"OLD content"[..], b"old content, and more", b"old", b""] {
        for with_backup in [false, true] {
            let scene = Scene::new();
            let fs = Faulty::new(Fault::None, 0);
            fs.while_waiting.replace(Some(scene.write(content)));
            let result = scene.replace(&fs, with_backup);
            assert!(conflict(&result, "was changed meanwhile"), "{result:?}");
            assert_eq!(fs::read(&scene.target).unwrap(), content);
            assert_eq!(scene.names(), ["target"]);
        }
    }
}

/// What remains: the first promise holds for this only if the file is kept.
#[test]
fn what_is_written_into_the_old_file_after_both_looks_is_in_the_backup() {
    let scene = Scene::new();
    let fs = Faulty::new(Fault::None, 0);
    let last = *numbers(&calls(true, true), "sync_dir").last().unwrap();
    fs.meanwhile.replace(vec![(last, scene.write(b"late"))]);
    scene.replace(&fs, true).unwrap();
    assert_eq!(
        (fs::read(&scene.target).unwrap(), fs::read(&scene.backup).unwrap()),
        (NEW.into(), b"late".into())
    );
}

#[test]
fn the_writer_gives_others_a_moment() {
    let began = std::time::Instant::now();
    native::Native.let_others_finish();
    assert!(began.elapsed() >= std::time::Duration::from_millis(1));
}

/// The digest is that of the whole content, but the file no longer holds it.
#[test]
fn a_file_that_is_cut_while_its_digest_is_made_is_not_taken_for_whole() {
    // Without exchange the last comparison decides.
    let log = calls(false, false);
    let renamed = numbers(&log, "rename").pop().unwrap();
    let compared = numbers(&log[..renamed], "stat").pop().unwrap();
    assert_eq!(log[compared - 1], "read", "{log:?}");
    let first = numbers(&log, "stat").into_iter().find(|&at| log[at - 1] == "read").unwrap();
    for (at, reason) in [(first, "is being written to"), (compared, "was changed meanwhile")] {
        for content in [&b"old"[..], b""] {
            let scene = Scene::new();
            let mut fs = Faulty::new(Fault::None, 0);
            fs.exchange = false;
            fs.meanwhile.replace(vec![(at, scene.write(content))]);
            let result = scene.replace(&fs, false);
            assert!(conflict(&result, reason), "{result:?}");
            assert_eq!(fs::read(&scene.target).unwrap(), content);
            assert_eq!(scene.names(), ["target"]);
        }
    }
}

/// The owner renames another file over the target before the link, and the old content after it.
#[test]
fn a_backup_that_is_another_file_is_not_taken_for_the_old_one() {
    let at = numbers(&calls(true, true), "link")[0];
    let scene = Scene::new();
    let fs = Faulty::new(Fault::None, 0);
    let rename = |content: &'static [u8]| -> Interference {
        let (other, target) = (scene.folder.path().join("other"), scene.target.clone());
        Box::new(move || {
            fs::write(&other, content).unwrap();
            fs::rename(&other, &target).unwrap();
        })
    };
    fs.meanwhile.replace(vec![(at, rename(b"another")), (at + 1, rename(OLD))]);
    let result = scene.replace(&fs, true);
    assert!(conflict(&result, "was replaced meanwhile"), "{result:?}");
    assert_eq!(fs::read(&scene.target).unwrap(), OLD);
    assert_eq!(scene.names(), ["target"]);
}

/// The same where the backup is a copy.
#[test]
fn a_copy_of_another_content_is_not_taken_for_the_backup() {
    let scene = Scene::new();
    let mut fs = Faulty::new(Fault::None, 0);
    fs.link = false;
    let log = {
        let mut fs = Faulty::new(Fault::None, 0);
        fs.link = false;
        Scene::new().replace(&fs, true).unwrap();
        fs.log.take()
    };
    let copied = numbers(&log, "create")[1];
    let read = copied + numbers(&log[copied..], "read")[0];
    fs.meanwhile.replace(vec![(read, scene.write(b"OLD content")), (read + 1, scene.write(OLD))]);
    let result = scene.replace(&fs, true);
    assert!(conflict(&result, "was replaced meanwhile"), "{result:?}");
    assert_eq!(fs::read(&scene.target).unwrap(), OLD);
    assert_eq!(scene.names(), ["target"]);
}
