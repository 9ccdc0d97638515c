//! Test scans of files that change at a known moment: when the scan calls back to ask whether to go on.
//!
//! The answer must be right for the file as it was at one moment, or for the beginning of it.
//! `tests/test_truncation.py` changes files at random moments.

// These tests create the files that they scan.
#![allow(clippy::disallowed_methods)]

use sessscan_core::{
    CancelToken, EventKind, EventKinds, Events, Strictness, Transcript, scan_bytes, scan_file, uuids,
};
use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const MIB: usize = 1 << 20;

/// Make a transcript of about `size` bytes in which each record has the transcript's name.
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

fn scan_of(data: &[u8]) -> Transcript {
    scan_bytes(data, Some("session".to_owned()), Strictness::Structure)
}

/// A folder with one transcript.
struct TestFile {
    folder: tempfile::TempDir,
}

impl TestFile {
    fn new(data: &[u8]) -> TestFile {
        let file = TestFile { folder: tempfile::tempdir().unwrap() };
        fs::write(file.path(), data).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("session.jsonl")
    }

    /// Scan the file, and change it when the scan calls back for the `moment`th time.
    fn scan(&self, threads: usize, moment: usize, change: impl Fn(&Path)) -> std::io::Result<Transcript> {
        let times = Cell::new(0);
        let report = |_| {
            times.set(times.get() + 1);
            if times.get() == moment {
                change(&self.path());
            }
            ControlFlow::Continue(())
        };
        let token = CancelToken::new(&report);
        let scanned = scan_file(&self.path(), Strictness::Structure, threads, &token);
        assert!(times.get() >= moment, "the scan called back only {} times", times.get());
        scanned
    }
}

fn cut(size: usize) -> impl Fn(&Path) {
    move |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(size as u64).unwrap()
}

#[test]
fn a_cut_between_two_windows() {
    let data = text("a", 20 * MIB);
    for size in [0, 100, 4096, 9 * MIB, 9 * MIB + 1, 12 * MIB - 1, data.len() - 1] {
        let scanned = TestFile::new(&data).scan(1, 1, cut(size)).unwrap();
        assert_eq!(scanned, scan_of(&data[..size]), "cut at {size}");
    }
}

#[test]
fn a_cut_during_a_scan_on_several_threads() {
    let data = text("a", 50 * MIB);
    for size in [0, 100, 5 * MIB, 17 * MIB, 40 * MIB + 1] {
        let scanned = TestFile::new(&data).scan(3, 1, cut(size)).unwrap();
        assert!(scanned == scan_of(&data[..size]) || scanned == scan_of(&data), "cut at {size}: {scanned:?}");
    }
}

#[test]
fn a_replacement_during_a_scan() {
    let (before, after) = (text("a", 100 * MIB), text("b", 110 * MIB));
    for threads in [1, 2, 4] {
        let file = TestFile::new(&before);
        let new = file.path().with_extension("new");
        fs::write(&new, &after).unwrap();
        let scanned = file.scan(threads, 1, |path| fs::rename(&new, path).unwrap());
        let scanned = scanned.unwrap();
        assert!(
            scanned == scan_of(&before) || scanned == scan_of(&after),
            "{threads} threads: neither file's answer: {scanned:?}"
        );
    }
}

#[test]
fn a_deletion_during_a_scan() {
    let data = text("a", 50 * MIB);
    for threads in [1, 3] {
        match TestFile::new(&data).scan(threads, 1, |path| fs::remove_file(path).unwrap()) {
            Ok(scanned) => assert_eq!(scanned, scan_of(&data)),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
}

#[test]
fn growth_during_a_scan() {
    for (size, threads) in [(MIB / 2, 1), (20 * MIB, 1), (50 * MIB, 3)] {
        let data = text("a", size + 2 * MIB);
        let scanned = TestFile::new(&data[..size]).scan(threads, 1, |path| {
            fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&data[size..]).unwrap();
        });
        let scanned = scanned.unwrap();
        assert!(scanned.size as usize >= size && scanned == scan_of(&data[..scanned.size as usize]));
    }
}

/// A text is written over another in the same file. No answer may be a mixture of both.
#[test]
fn overwriting_during_a_scan() {
    for (size, threads) in [(MIB / 2, 1), (20 * MIB, 1), (50 * MIB, 3)] {
        for larger in [0, MIB / 4, MIB] {
            let (before, after) = (text("a", size), text("b", size + larger));
            let scanned = TestFile::new(&before).scan(threads, 1, |path| fs::write(path, &after).unwrap());
            match scanned {
                Ok(scanned) => assert!(
                    scanned == scan_of(&before) || scanned == scan_of(&after),
                    "{size} bytes, {larger} more, {threads} threads: neither text's answer: {scanned:?}"
                ),
                Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::Interrupted),
            }
        }
    }
}

#[test]
fn a_cut_while_events_are_read() {
    let data = text("a", 30 * MIB);
    for size in [0, 5 * MIB + 77, 12 * MIB, data.len() - 1] {
        let file = TestFile::new(&data);
        let kinds = EventKinds { title: false, cwd: true, timestamp: false };
        let mut events = Events::open(&file.path(), kinds).unwrap();
        let mut seen = 0;
        while let Some(event) = events.next(&CancelToken::never()).unwrap() {
            assert_eq!(event.kind, EventKind::Cwd(format!("/a/{seen}")));
            if seen == 10 {
                cut(size)(&file.path());
            }
            seen += 1;
        }
        let whole = scan_of(&data[..size]).records;
        // The first window, 8 MiB, was read before the cut.
        assert!((whole..=whole.max(8 * MIB as u64 / 10_000)).contains(&seen), "cut at {size}: {seen} events");
    }
}

#[test]
fn a_cut_while_uuids_are_read() {
    let data = text("a", 30 * MIB);
    let file = TestFile::new(&data);
    let times = Cell::new(0);
    let report = |_| {
        times.set(times.get() + 1);
        if times.get() == 1 {
            cut(12 * MIB)(&file.path());
        }
        ControlFlow::Continue(())
    };
    let found = uuids(&file.path(), &CancelToken::new(&report)).unwrap();
    assert_eq!(found.len() as u64, scan_of(&data[..12 * MIB]).records);
    assert!((0..).zip(&found).all(|(number, uuid)| *uuid == format!("a-{number}")));
}
