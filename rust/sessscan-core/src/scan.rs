//! Files, and many of them, to what is known of their sessions.

use crate::event::{self, Event, EventKind, RecordType};
use crate::grammar::Strictness;
use crate::record::{Key, Record, View};
use crate::scanner::{Scanner, Sink};
use crate::source::{Poll, Source};
use crate::structure::Width;
use crate::transcript::{Defect, Fold, Transcript};
use std::collections::{HashSet, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

impl Sink for Fold {
    fn line(&mut self) {
        Fold::line(self);
    }

    fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
        Fold::record(self, record);
    }

    fn defect(&mut self, defect: Defect) {
        Fold::defect(self, defect);
    }

    fn settle(&mut self, view: View) {
        Fold::settle(self, view);
    }
}

/// A file's stem, as a session's id.
pub fn session_id_of(path: &Path) -> Option<String> {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
}

/// Scans bytes that are at hand.
pub fn scan_bytes(data: &[u8], session_id: Option<String>, strictness: Strictness) -> Transcript {
    let mut fold = Fold::new(session_id);
    scan_into(&mut Source::Memory(data), strictness, &mut fold, &mut |_| ControlFlow::Continue(()))
        .expect("memory can be read and nobody cancels");
    let doubt = fold.leaves_in_doubt();
    if !doubt.is_empty() {
        find_leaves(&mut Source::Memory(data), strictness, doubt, &mut fold, &mut |_| {
            ControlFlow::Continue(())
        })
        .expect("memory can be read and nobody cancels");
    }
    fold.finish(data.len() as u64)
}

/// So often a file is scanned anew that becomes shorter meanwhile.
const ATTEMPTS: usize = 5;

/// Scans a file. An error of kind `Interrupted` means that `poll` cancelled.
pub fn scan_file(path: &Path, strictness: Strictness, poll: &mut Poll) -> io::Result<Transcript> {
    for _ in 0..ATTEMPTS {
        if let Some(transcript) = scan_file_once(path, strictness, poll)? {
            return Ok(transcript);
        }
    }
    Err(io::Error::other("it became shorter each time it was read"))
}

/// Scans a file; None if it became shorter meanwhile.
fn scan_file_once(path: &Path, strictness: Strictness, poll: &mut Poll) -> io::Result<Option<Transcript>> {
    let mut fold = Fold::new(session_id_of(path));
    let mut source = Source::open(path)?;
    let size = scan_into(&mut source, strictness, &mut fold, poll)?;
    let doubt = fold.leaves_in_doubt();
    if !doubt.is_empty() {
        source.rewind(size)?;
        find_leaves(&mut source, strictness, doubt, &mut fold, poll)?;
    }
    Ok((!source.shrank()).then(|| fold.finish(size)))
}

/// Scans files on several threads, each file by one. The results are in the order of `paths`.
///
/// The calling thread works too, and `poll` is only ever called on it, with the bytes that all of them read
/// since the last call. Once it has cancelled, the results are incomplete.
pub fn scan_many(
    paths: &[impl AsRef<Path> + Sync],
    strictness: Strictness,
    threads: usize,
    poll: &mut Poll,
) -> Vec<io::Result<Transcript>> {
    // The largest first, so that no thread is left alone with a big one at the end.
    let mut order: Vec<(u64, usize)> = paths
        .iter()
        .enumerate()
        .map(|(index, path)| (path.as_ref().metadata().map_or(0, |metadata| metadata.len()), index))
        .collect();
    order.sort_unstable_by(|a, b| b.cmp(a));

    let next = AtomicUsize::new(0);
    let read = AtomicU64::new(0);
    let cancelled = AtomicBool::new(false);
    let work = |poll: &mut Poll| {
        let mut done = Vec::new();
        while let Some(&(_, index)) = order.get(next.fetch_add(1, Ordering::Relaxed))
            && !cancelled.load(Ordering::Relaxed)
        {
            done.push((index, scan_file(paths[index].as_ref(), strictness, poll)));
        }
        done
    };
    let quiet_poll = |bytes: u64| {
        read.fetch_add(bytes, Ordering::Relaxed);
        if cancelled.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut loud_poll = |bytes: u64| {
        let flow = poll(bytes + read.swap(0, Ordering::Relaxed));
        if flow.is_break() {
            cancelled.store(true, Ordering::Relaxed);
        }
        flow
    };

    let helpers = threads.min(paths.len()).saturating_sub(1);
    let mut results: Vec<(usize, io::Result<Transcript>)> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(|| work(&mut { quiet_poll }))).collect();
        let mut done = work(&mut loud_poll);
        for helper in helpers {
            while !helper.is_finished() {
                // Often enough that Ctrl-C and progress feel immediate, seldom enough to cost nothing.
                std::thread::park_timeout(Duration::from_millis(10));
                let _ = loud_poll(0);
            }
            done.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        let _ = loud_poll(0);
        done
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The top-level uuids of a file's records, in order.
pub fn uuids(path: &Path, poll: &mut Poll) -> io::Result<Vec<String>> {
    struct Uuids(Vec<String>, Vec<u8>);
    impl Sink for Uuids {
        fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
            self.0.extend(event::filled_text_of(record, Key::Uuid, &mut self.1));
        }
    }
    let mut found = Uuids(Vec::new(), Vec::new());
    scan_into(&mut Source::open(path)?, Strictness::Structure, &mut found, poll)?;
    Ok(found.0)
}

/// Second pass, for old transcripts only: which of these uuids does a record of the file bear?
fn find_leaves(
    source: &mut Source,
    strictness: Strictness,
    wanted: HashSet<String>,
    fold: &mut Fold,
    poll: &mut Poll,
) -> io::Result<()> {
    struct Leaves<'a>(HashSet<String>, &'a mut Fold, Vec<u8>);
    impl Sink for Leaves<'_> {
        fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
            if let Some(uuid) = event::text_of(record, Key::Uuid, &mut self.2)
                && self.0.remove(&uuid)
            {
                self.1.leaf_found(&uuid);
            }
        }
    }
    scan_into(source, strictness, &mut Leaves(wanted, fold, Vec::new()), poll).map(drop)
}

/// Scans a source into a sink; the bytes scanned.
fn scan_into(
    source: &mut Source,
    strictness: Strictness,
    sink: &mut impl Sink,
    poll: &mut Poll,
) -> io::Result<u64> {
    let mut scanner = Scanner::new(strictness, Width::chosen());
    while source.advance(&mut scanner, sink, poll)? {}
    Ok(scanner.finish(sink))
}

/// Which events are wanted.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct EventKinds {
    pub title: bool,
    pub cwd: bool,
    pub timestamp: bool,
}

/// The events of a file, read as they are asked for.
pub struct Events {
    source: Source<'static>,
    scanner: Option<Scanner>,
    found: Found,
}

impl Events {
    /// The events of a file.
    pub fn open(path: &Path, kinds: EventKinds) -> io::Result<Events> {
        let found = Found { kinds, events: VecDeque::new(), cwd: None, scratch: Vec::new() };
        Ok(Events {
            source: Source::open(path)?,
            scanner: Some(Scanner::new(Strictness::Structure, Width::chosen())),
            found,
        })
    }

    /// The next event, or None after `poll` broke or at the end.
    pub fn next(&mut self, poll: &mut Poll) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.found.events.pop_front() {
                return Ok(Some(event));
            }
            let Some(scanner) = &mut self.scanner else { return Ok(None) };
            if !self.source.advance(scanner, &mut self.found, poll)? {
                self.scanner.take().expect("it was there").finish(&mut self.found);
            }
        }
    }
}

struct Found {
    kinds: EventKinds,
    events: VecDeque<Event>,
    cwd: Option<String>,
    scratch: Vec<u8>,
}

impl Sink for Found {
    fn record(&mut self, record: &Record, line: u64, offset: u64) {
        let mut push = |kind| self.events.push_back(Event { line, offset, kind });
        let scratch = &mut self.scratch;
        if self.kinds.title {
            let of = RecordType::of(record, scratch);
            if let Some((title, source)) = event::title_of(record, of, scratch) {
                push(EventKind::Title(title, source));
            }
        }
        if self.kinds.cwd
            && let Some(cwd) = event::filled_text_of(record, Key::Cwd, scratch)
            && self.cwd.as_ref() != Some(&cwd)
        {
            push(EventKind::Cwd(cwd.clone()));
            self.cwd = Some(cwd);
        }
        if self.kinds.timestamp
            && let Some(time) = event::time_of(record, scratch)
        {
            push(EventKind::Timestamp(time));
        }
    }
}
