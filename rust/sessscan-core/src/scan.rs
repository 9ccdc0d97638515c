//! Scan files and bytes for transcripts and events.

use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::event::{self, Event, EventKind, RecordType};
use crate::grammar::Strictness;
use crate::record::{Key, Record, RecordBytes};
use crate::scanner::{End, Scanner, Sink};
use crate::source::Source;
use crate::structure::Isa;
use crate::transcript::{Defect, Transcript};
use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::Path;

impl Sink for TranscriptBuilder {
    fn line(&mut self) {
        TranscriptBuilder::line(self);
    }

    fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
        TranscriptBuilder::record(self, record);
    }

    fn defect(&mut self, defect: Defect) {
        TranscriptBuilder::defect(self, defect);
    }

    fn more_defects(&mut self, count: u64) {
        TranscriptBuilder::more_defects(self, count);
    }

    fn flush(&mut self, bytes: RecordBytes) {
        TranscriptBuilder::flush(self, bytes);
    }
}

/// Return a file's stem, which is its session's id.
pub fn session_id_of(path: &Path) -> Option<String> {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
}

/// Scan bytes in memory.
pub fn scan_bytes(data: &[u8], session_id: Option<String>, strictness: Strictness) -> Transcript {
    let mut scanner = Scanner::new(strictness, Isa::chosen());
    let mut builder = TranscriptBuilder::new(session_id);
    let token = CancelToken::never();
    scan_into(&mut Source::Memory(data), &mut scanner, &mut builder, &token)
        .and_then(|_| find_leaves(&mut Source::Memory(data), &mut scanner, &mut builder, &token))
        .expect("memory can be read, and the token is never cancelled");
    builder.finish(data.len() as u64)
}

/// How many times a file is scanned at most if it changes each time.
const ATTEMPTS: usize = 6;

/// Scan a file on this thread. An error of kind `Interrupted` means that `token` was cancelled.
///
/// A file that was written to meanwhile is most likely a live transcript that grew, so that its old content
/// is still its beginning. The same number of bytes is then read again, and a result that comes out twice is
/// returned. `before` is the result of an earlier scan during which the file changed, if there was one.
pub(crate) fn scan_alone(
    path: &Path,
    scanner: &mut Scanner,
    mut before: Option<Transcript>,
    token: &CancelToken,
) -> io::Result<Transcript> {
    let without_reports = token.without_reports();
    for attempt in 0..ATTEMPTS {
        // Bytes are reported once, however often they are read.
        let token = if attempt == 0 { token } else { &without_reports };
        let mut builder = TranscriptBuilder::new(session_id_of(path));
        let mut source = Source::open(path)?;
        before = before.filter(|before| before.size <= source.size());
        if let Some(before) = &before {
            source.rewind(before.size);
        }
        let end = scan_into(&mut source, scanner, &mut builder, token)?;
        source.rewind(end.offset);
        find_leaves(&mut source, scanner, &mut builder, token)?;
        if source.shrank() {
            before = None;
            continue;
        }
        let mut transcript = builder.finish(end.offset);
        // Of a file that is written to this is what it was when those bytes were all there was.
        transcript.modified_at = match &before {
            Some(before) => before.modified_at,
            None => source.modified_at(),
        };
        match before {
            Some(before) if before == transcript => return Ok(transcript),
            // The file was replaced, so its beginning never was a file's content.
            Some(_) => before = None,
            None if !source.changed() => return Ok(transcript),
            None => before = Some(transcript),
        }
    }
    Err(io::Error::other("the file changed each time it was read"))
}

/// Find the leaves that summaries name, if they did not come after them, by reading the bytes a second time.
pub(crate) fn find_leaves(
    source: &mut Source,
    scanner: &mut Scanner,
    builder: &mut TranscriptBuilder,
    token: &CancelToken,
) -> io::Result<()> {
    struct LeafFinder<'a> {
        leaves: HashSet<String>,
        builder: &'a mut TranscriptBuilder,
        scratch: Vec<u8>,
    }

    impl Sink for LeafFinder<'_> {
        fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
            if let Some(uuid) = event::text_of(record, Key::Uuid, &mut self.scratch)
                && self.leaves.remove(&uuid)
            {
                self.builder.leaf_found(&uuid);
            }
        }
    }
    let leaves = builder.unresolved_leaves();
    if leaves.is_empty() {
        return Ok(());
    }
    // These bytes were reported when they were first read.
    let mut finder = LeafFinder { leaves, builder, scratch: Vec::new() };
    scan_into(source, scanner, &mut finder, &token.without_reports()).map(drop)
}

/// Return the top-level uuids of a file's records, in order.
pub fn uuids(path: &Path, token: &CancelToken) -> io::Result<Vec<String>> {
    struct Uuids {
        found: Vec<String>,
        scratch: Vec<u8>,
    }

    impl Sink for Uuids {
        fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
            self.found.extend(event::filled_text_of(record, Key::Uuid, &mut self.scratch));
        }
    }
    let mut uuids = Uuids { found: Vec::new(), scratch: Vec::new() };
    let mut scanner = Scanner::new(Strictness::Structure, Isa::chosen());
    scan_into(&mut Source::open(path)?, &mut scanner, &mut uuids, token)?;
    Ok(uuids.found)
}

/// Scan a source into a sink.
pub(crate) fn scan_into(
    source: &mut Source,
    scanner: &mut Scanner,
    sink: &mut impl Sink,
    token: &CancelToken,
) -> io::Result<End> {
    scanner.restart(source.start(), 1);
    while source.advance(scanner, sink, token)? {}
    source.finish(scanner, sink, token)
}

/// The kinds of events to read.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct EventKinds {
    pub title: bool,
    pub cwd: bool,
    pub timestamp: bool,
}

/// A reader of a file's events.
pub struct Events {
    source: Source<'static>,
    scanner: Option<Scanner>,
    found: Found,
}

impl Events {
    /// Open a file to read its events.
    pub fn open(path: &Path, kinds: EventKinds) -> io::Result<Events> {
        let found = Found { kinds, events: VecDeque::new(), cwd: None, scratch: Vec::new() };
        Ok(Events {
            source: Source::open(path)?,
            scanner: Some(Scanner::new(Strictness::Structure, Isa::chosen())),
            found,
        })
    }

    /// Return the next event, if it was read already.
    pub fn next_read(&mut self) -> Option<Event> {
        self.found.events.pop_front()
    }

    /// Return the next event; None at the end. An error of kind `Interrupted` means that `token` was cancelled.
    pub fn next(&mut self, token: &CancelToken) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.next_read() {
                return Ok(Some(event));
            }
            let Some(scanner) = &mut self.scanner else { return Ok(None) };
            if !self.source.advance(scanner, &mut self.found, token)? {
                self.source.finish(
                    &mut self.scanner.take().expect("it was there"),
                    &mut self.found,
                    token,
                )?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::STRIDE;
    use proptest::prelude::*;
    use std::cell::{Cell, RefCell};
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::ops::ControlFlow;
    use std::time::SystemTime;

    fn text(name: char) -> Vec<u8> {
        let line = format!("{{\"cwd\":\"/{name}\",\"x\":\"{}\"}}\n", "x".repeat(1_000));
        line.repeat(5_000).into_bytes()
    }

    fn scan_while(path: &Path, happens: &dyn Fn()) -> io::Result<Transcript> {
        let report = |_| {
            happens();
            ControlFlow::Continue(())
        };
        let mut scanner = Scanner::new(Strictness::Structure, Isa::chosen());
        scan_alone(path, &mut scanner, None, &CancelToken::new(&report))
    }

    #[test]
    fn a_file_that_changes_in_each_scan_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text('a')).unwrap();
        let names = RefCell::new("bcdefghijklmnopqrstuvwxyz".chars().cycle());
        let answer = scan_while(file.path(), &|| {
            let mut file = OpenOptions::new().write(true).open(file.path()).unwrap();
            file.write_all(&text(names.borrow_mut().next().unwrap())).unwrap();
        });
        assert!(answer.is_err(), "{answer:?}");
    }

    #[test]
    fn a_file_that_grows_is_scanned_as_it_was() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text('a')).unwrap();
        let was = scan_bytes(&text('a'), session_id_of(file.path()), Strictness::Structure);
        let answer = scan_while(file.path(), &|| {
            let mut file = OpenOptions::new().append(true).open(file.path()).unwrap();
            file.write_all(b"{\"cwd\":\"/later\"}\n").unwrap();
        });
        let answer = answer.unwrap();
        assert!(answer.modified_at.is_some());
        assert_eq!(answer, was);
    }

    #[test]
    fn a_scan_can_be_cancelled_within_a_line() {
        let text = |escapes: &str| {
            format!("{{\"type\":\"{}", (escapes.to_owned() + &"x".repeat(1_000)).repeat(1_500))
        };
        let lines = [
            ("a value", text("") + "\"}\n"),
            (
                "a message that is read",
                format!("{{\"type\":\"user\",\"message\":{{\"content\":{}\"}}}}}}\n", &text("\\n")[8..]),
            ),
            ("invalid", text("") + "\"x\n"),
            ("spliced", text("{\"type\":") + "{\"type\":1}\n"),
            ("torn", text("")),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        for (name, line) in lines {
            std::fs::write(file.path(), "{}\n".to_owned() + &line).unwrap();
            // A file that was just written to would be scanned twice.
            file.as_file().set_modified(SystemTime::UNIX_EPOCH).unwrap();
            for strictness in [Strictness::Structure, Strictness::Full] {
                let scan = |until: usize| {
                    let calls = Cell::new(0);
                    let report = |_| {
                        calls.set(calls.get() + 1);
                        if calls.get() < until { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                    };
                    let mut scanner = Scanner::new(strictness, Isa::chosen());
                    let result = scan_alone(file.path(), &mut scanner, None, &CancelToken::new(&report));
                    (result.map_err(|error| error.kind()), calls.get())
                };
                let (whole, times) = scan(usize::MAX);
                assert!(whole.is_ok());
                assert!(times > line.len() / STRIDE, "{name}: checked {times} times");
                for until in (1..=times).step_by(3) {
                    assert_eq!(scan(until), (Err(io::ErrorKind::Interrupted), until), "{name}");
                }
            }
        }
    }

    /// Generate messages as they are written, with everything that is hard for a reader.
    fn message() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a",
            " ",
            "  ",
            "\\n",
            "\\\"",
            "\\\\",
            "é",
            "\u{20ac}",
            "😀",
            "\\ud83d\\ude00",
            "\\ud83d",
            "\\u00e9",
            "\\q",
            "\\u12",
            "[Request",
            "interrupted",
            "<bash-",
            "<ide_selection>",
            "</ide_selection>",
            "<command-message>",
            "</command-message>",
            "<command-name>",
            "</command-name>",
            "<command-args>",
            "</command-args>",
            "\u{1c}",
            "\u{a0}",
            "{",
            "],",
            "say ",
        ]);
        let markup = prop::sample::select(vec![
            "<ide_selection>\\n{\\\"</ide_selection>",
            "<command-message>\\u00e9</command-message>\\n<command-name>/a </command-name>",
            "<command-message>m</command-message> <command-name>[Request</command-name> <command-args>interrupted",
            "",
        ]);
        let pieces = (markup, prop::collection::vec(piece, 0..12))
            .prop_map(|(markup, pieces)| markup.to_owned() + &pieces.concat());
        let string = (pieces, 1..90_usize)
            .prop_map(|(text, times)| format!("\"{}\"", text.repeat(if times > 80 { times } else { 1 })));
        let key = prop::sample::select(vec!["type", "text", "content", "model", "t\\u0079pe", "x", "\\q"]);
        let other = prop::sample::select(vec![
            "1",
            "null",
            "{}",
            "[[],{}]",
            "1{}",
            "tru",
            "\"tool_result\"",
            "\"text\"",
        ]);
        let value = prop_oneof![3 => string, 2 => other.prop_map(str::to_owned)];
        let colon = prop::sample::select(vec![":", " : ", ":", " ", ":"]);
        let object = |value| {
            prop::collection::vec((key.clone(), colon.clone(), value), 0..5).prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, colon, value): &(&str, &str, String)| format!("\"{key}\"{colon}{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            })
        };
        let text = value.clone().prop_map(|text| format!("{{\"type\":\"text\",\"text\":{text}}}"));
        let block = prop_oneof![3 => text, 1 => object(value.clone().boxed()), 1 => value.clone()];
        let blocks = prop::collection::vec(block, 0..4).prop_map(|blocks| format!("[{}]", blocks.join(", ")));
        let content = prop_oneof![value.clone(), blocks];
        prop_oneof![
            4 => content.clone().prop_map(|content| {
                format!("{{\"role\":\"user\",\"model\":\"m\",\"content\":{content}}}")
            }),
            1 => object(content.boxed()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 20_000 }))]

        #[test]
        fn fast_and_bytewise_scans_agree_on_messages(
            messages in prop::collection::vec(
                (prop::sample::select(vec!["user", "assistant"]), message()),
                1..5,
            ),
        ) {
            let lines = messages
                .iter()
                .map(|(kind, message)| format!("{{\"message\":{message},\"type\":\"{kind}\"}}\n"));
            // Enough readable bytes behind the last record that the fast reader can load blocks there.
            let data = lines.collect::<String>() + &" ".repeat(300) + "\n";
            let scanned = |mut scanner: Scanner| {
                let mut builder = TranscriptBuilder::new(None);
                scan_into(&mut Source::Memory(data.as_bytes()), &mut scanner, &mut builder, &CancelToken::never())
                    .unwrap();
                builder.finish(0)
            };
            let slow = scanned(Scanner::slow(Strictness::Structure));
            for isa in Isa::available() {
                let fast = scanned(Scanner::new(Strictness::Structure, isa));
                prop_assert_eq!(&fast, &slow, "{:?}: {}", isa, data);
            }
        }
    }
}
