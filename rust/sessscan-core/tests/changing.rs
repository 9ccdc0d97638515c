//! Files that change at a known moment of a scan: when it looks up and asks whether to go on.
//!
//! What comes out must be what the file said at one moment, whole, or its beginning. Changes at random moments are
//! tried by `tests/test_truncation.py`.

// Tests make the files that they then look at.
#![allow(clippy::disallowed_methods)]

use sessscan_core::{EventKind, EventKinds, Events, Strictness, Transcript, scan_bytes, scan_file, uuids};
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const MIB: usize = 1 << 20;

/// A transcript of about this size whose every record bears its name.
fn text(name: &str, size: usize) -> Vec<u8> {
    let filler = "x".repeat(10_000);
    let mut text = Vec::new();
    for number in 0.. {
        writeln!(
            text,
            r#"{{"parentUuid":null,"uuid":"{name}-{number}","cwd":"/{name}/{number}","filler":"{filler}"}}"#
        )
        .unwrap();
        if text.len() >= size {
            break;
        }
    }
    text
}

fn says(data: &[u8]) -> Transcript {
    scan_bytes(data, Some("session".to_owned()), Strictness::Structure)
}

struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(data: &[u8]) -> Scene {
        let scene = Scene { folder: tempfile::tempdir().unwrap() };
        fs::write(scene.path(), data).unwrap();
        scene
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("session.jsonl")
    }

    /// Scans the file; at the `moment`th time that the scan looks up, `change` comes to pass.
    fn scan(&self, threads: usize, moment: usize, change: impl Fn(&Path)) -> std::io::Result<Transcript> {
        let mut times = 0;
        let scanned = scan_file(&self.path(), Strictness::Structure, threads, &mut |_| {
            times += 1;
            if times == moment {
                change(&self.path());
            }
            ControlFlow::Continue(())
        });
        assert!(times >= moment, "the scan looked up only {times} times");
        scanned
    }
}

fn cut(size: usize) -> impl Fn(&Path) {
    move |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(size as u64).unwrap()
}

#[test]
fn cut_between_two_windows() {
    let data = text("a", 20 * MIB);
    for size in [0, 100, 4096, 9 * MIB, 9 * MIB + 1, 12 * MIB - 1, data.len() - 1] {
        let scanned = Scene::new(&data).scan(1, 1, cut(size)).unwrap();
        assert_eq!(scanned, says(&data[..size]), "cut at {size}");
    }
}

#[test]
fn cut_while_several_threads_scan_it() {
    let data = text("a", 50 * MIB);
    for size in [0, 100, 5 * MIB, 17 * MIB, 40 * MIB + 1] {
        let scanned = Scene::new(&data).scan(3, 1, cut(size)).unwrap();
        assert!(scanned == says(&data[..size]) || scanned == says(&data), "cut at {size}: {scanned:?}");
    }
}

#[test]
fn another_file_in_its_place() {
    let (before, after) = (text("a", 100 * MIB), text("b", 110 * MIB));
    for threads in [1, 2, 4] {
        let scene = Scene::new(&before);
        let new = scene.path().with_extension("new");
        fs::write(&new, &after).unwrap();
        let scanned = scene.scan(threads, 1, |path| fs::rename(&new, path).unwrap());
        let scanned = scanned.unwrap();
        assert!(
            scanned == says(&before) || scanned == says(&after),
            "{threads} threads: neither the one nor the other: {scanned:?}"
        );
    }
}

#[test]
fn deleted() {
    let data = text("a", 50 * MIB);
    for threads in [1, 3] {
        match Scene::new(&data).scan(threads, 1, |path| fs::remove_file(path).unwrap()) {
            Ok(scanned) => assert_eq!(scanned, says(&data)),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
}

#[test]
fn grown() {
    for (size, threads) in [(MIB / 2, 1), (20 * MIB, 1), (50 * MIB, 3)] {
        let data = text("a", size + 2 * MIB);
        let scanned = Scene::new(&data[..size]).scan(threads, 1, |path| {
            fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&data[size..]).unwrap();
        });
        let scanned = scanned.unwrap();
        assert!(scanned.size as usize >= size && scanned == says(&data[..scanned.size as usize]));
    }
}

/// One text over another, in the same file: no answer may be put together from both.
#[test]
fn written_over() {
    for (size, threads) in [(MIB / 2, 1), (20 * MIB, 1), (50 * MIB, 3)] {
        for larger in [0, MIB / 4, MIB] {
            let (before, after) = (text("a", size), text("b", size + larger));
            let scanned = Scene::new(&before).scan(threads, 1, |path| fs::write(path, &after).unwrap());
            match scanned {
                Ok(scanned) => assert!(
                    scanned == says(&before) || scanned == says(&after),
                    "{size} bytes, {larger} more, {threads} threads: neither the one nor the other: {scanned:?}"
                ),
                Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::Interrupted),
            }
        }
    }
}

#[test]
fn events_of_a_file_that_is_cut() {
    let data = text("a", 30 * MIB);
    for size in [0, 5 * MIB + 77, 12 * MIB, data.len() - 1] {
        let scene = Scene::new(&data);
        let kinds = EventKinds { title: false, cwd: true, timestamp: false };
        let mut events = Events::open(&scene.path(), kinds).unwrap();
        let mut seen = 0;
        while let Some(event) = events.next(&mut |_| ControlFlow::Continue(())).unwrap() {
            assert_eq!(event.kind, EventKind::Cwd(format!("/a/{seen}")));
            if seen == 10 {
                cut(size)(&scene.path());
            }
            seen += 1;
        }
        let whole = says(&data[..size]).records;
        // The first window was read before.
        assert!((whole..=whole.max(8 * MIB as u64 / 10_000)).contains(&seen), "cut at {size}: {seen} events");
    }
}

#[test]
fn uuids_of_a_file_that_is_cut() {
    let data = text("a", 30 * MIB);
    let scene = Scene::new(&data);
    let mut times = 0;
    let found = uuids(&scene.path(), &mut |_| {
        times += 1;
        if times == 1 {
            cut(12 * MIB)(&scene.path());
        }
        ControlFlow::Continue(())
    });
    let found = found.unwrap();
    assert_eq!(found.len() as u64, says(&data[..12 * MIB]).records);
    assert!((0..).zip(&found).all(|(number, uuid)| *uuid == format!("a-{number}")));
}
