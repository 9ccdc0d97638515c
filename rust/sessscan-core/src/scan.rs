//! A file's bytes to what is known of its session, and to the events in it.

use crate::event::{self, Event, EventKind, RecordType};
use crate::grammar::Strictness;
use crate::record::{Key, Record, View};
use crate::scanner::{End, Scanner, Sink};
use crate::source::{Poll, Source};
use crate::structure::Width;
use crate::transcript::{Defect, Fold, Transcript};
use std::collections::{HashSet, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

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
    let mut scanner = Scanner::new(strictness, Width::chosen());
    let mut fold = Fold::new(session_id);
    let mut go_on = |_| ControlFlow::Continue(());
    scan_into(&mut Source::Memory(data), &mut scanner, &mut fold, &mut go_on)
        .and_then(|_| settle_doubts(&mut Source::Memory(data), &mut scanner, &mut fold, &mut go_on))
        .expect("memory can be read and nobody cancels");
    fold.finish(data.len() as u64)
}

/// So often a file is scanned anew that becomes shorter meanwhile.
pub(crate) const ATTEMPTS: usize = 5;

/// So often one that was only written to, which is what happens to a live one; what it says last is taken.
pub(crate) const ATTEMPTS_AT_LIVE_ONES: usize = 3;

/// Scans a file on this thread. An error of kind `Interrupted` means that `poll` cancelled.
pub(crate) fn scan_alone(path: &Path, scanner: &mut Scanner, poll: &mut Poll) -> io::Result<Transcript> {
    for attempt in 1..=ATTEMPTS {
        let mut fold = Fold::new(session_id_of(path));
        let mut source = Source::open(path)?;
        let end = scan_into(&mut source, scanner, &mut fold, poll)?;
        source.rewind(end.offset);
        settle_doubts(&mut source, scanner, &mut fold, poll)?;
        if !source.shrank() && (attempt >= ATTEMPTS_AT_LIVE_ONES || !source.changed()) {
            return Ok(fold.finish(end.offset));
        }
    }
    Err(io::Error::other("it became shorter each time it was read"))
}

/// Reads the bytes a second time if summaries name leaves that did not come after them.
pub(crate) fn settle_doubts(
    source: &mut Source,
    scanner: &mut Scanner,
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
    let doubt = fold.leaves_in_doubt();
    if doubt.is_empty() {
        return Ok(());
    }
    // These bytes were told of when they were read first.
    scan_into(source, scanner, &mut Leaves(doubt, fold, Vec::new()), &mut |_| poll(0)).map(drop)
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
    let mut scanner = Scanner::new(Strictness::Structure, Width::chosen());
    scan_into(&mut Source::open(path)?, &mut scanner, &mut found, poll)?;
    Ok(found.0)
}

/// Scans a source into a sink.
pub(crate) fn scan_into(
    source: &mut Source,
    scanner: &mut Scanner,
    sink: &mut impl Sink,
    poll: &mut Poll,
) -> io::Result<End> {
    scanner.restart(source.start(), 1);
    while source.advance(scanner, sink, poll)? {}
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

    /// The next event, if it was read already.
    pub fn next_read(&mut self) -> Option<Event> {
        self.found.events.pop_front()
    }

    /// The next event; None at the end. An error of kind `Interrupted` means that `poll` cancelled.
    pub fn next(&mut self, poll: &mut Poll) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.next_read() {
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
