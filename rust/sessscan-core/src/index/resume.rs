//! Scan a file from where the last scan ended, or from its start.

use super::Options;
use super::fingerprint::Fingerprint;
use super::shard::{Entry, Kept, State};
use super::stamp::{self, Stamp};
use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::scan::{find_leaves, scan_alone, session_id_of};
use crate::scanner::Scanner;
use crate::source::{Opened, Source};
use crate::transcript::Transcript;
use std::io;
use std::ops::Range;
use std::path::Path;

/// What a file says, and what is to be kept of it; None: nothing can be.
pub(crate) struct Scanned {
    pub(crate) transcript: Transcript,
    pub(crate) kept: Option<Kept>,
}

/// What is known of a file that has to be opened.
pub(crate) enum Known {
    Nothing,
    /// Its last entry, which matches if the fingerprint still matches.
    Same(Box<Entry>, Fingerprint),
    /// Its last state, from which its scan goes on: it has grown.
    Less(Box<State>),
}

/// A file that was just opened, with its metadata.
#[derive(Clone)]
pub(crate) struct OpenedFile {
    pub(crate) opened: Opened,
    stamp: Stamp,
    conclusive: bool,
}

impl OpenedFile {
    pub(crate) fn open(path: &Path) -> io::Result<OpenedFile> {
        let now = stamp::now();
        let opened = Opened::new(path)?;
        let stamp = Stamp::of(&opened.metadata()?);
        Ok(OpenedFile { opened, stamp, conclusive: stamp.is_conclusive(now) })
    }

    /// Return whether it still begins with what was read before.
    fn begins_with(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.matches(&self.opened).unwrap_or(false)
    }

    fn has_grown_from(&self, state: &State) -> bool {
        state.stamp.is_same_file(&self.stamp)
            && state.stamp.size < self.stamp.size
            && self.begins_with(&state.fingerprint)
    }

    /// Return whether it has not been changed since it was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.stamp.size == self.opened.size
            && self.opened.metadata().is_ok_and(|metadata| Stamp::of(&metadata) == self.stamp)
    }
}

/// What was found in the whole lines of a range.
pub(crate) struct ScannedLines {
    pub(crate) builder: TranscriptBuilder,
    /// Where the lines end, and the number of the line that begins there.
    pub(crate) offset: u64,
    pub(crate) line: u64,
    /// Whether the file became shorter meanwhile.
    pub(crate) shrank: bool,
    /// Whether the file is in UTF-16. It was then read to its end.
    utf16: bool,
}

impl ScannedLines {
    /// Read the lines of a range into a builder. The range begins with line `line`.
    pub(crate) fn read(
        opened: &Opened,
        range: Range<u64>,
        line: u64,
        mut builder: TranscriptBuilder,
        scanner: &mut Scanner,
        token: &CancelToken,
    ) -> io::Result<ScannedLines> {
        scanner.restart(range.start, line);
        let mut source = Source::range(opened, range);
        while source.advance(scanner, &mut builder, token)? {}
        let (mut offset, mut line, _, _) = scanner.position();
        let utf16 = scanner.is_utf16();
        if utf16 {
            let end = source.finish(scanner, &mut builder, token)?;
            (offset, line) = (end.offset, end.lines + 1);
        }
        Ok(ScannedLines { builder, offset, line, shrank: source.shrank(), utf16 })
    }

    /// Take in what was found in the range that follows, whose lines are counted from its own first one.
    pub(crate) fn append(&mut self, later: ScannedLines) {
        self.builder.append(later.builder, self.line - 1);
        self.line += later.line - 1;
        self.offset = later.offset;
        self.shrank |= later.shrank;
        self.utf16 |= later.utf16;
    }

    /// Return what the file says whose whole lines these are; None if it became shorter.
    pub(crate) fn finish(
        mut self,
        path: &Path,
        file: &OpenedFile,
        options: &Options,
        scanner: &mut Scanner,
        token: &CancelToken,
    ) -> io::Result<Option<Scanned>> {
        let opened = &file.opened;
        let mut whole = Source::range(opened, 0..self.offset);
        find_leaves(&mut whole, scanner, &mut self.builder, token)?;
        let searched = self.builder.searched();
        let mut builder = self.builder.clone();
        let mut end = self.offset;
        let mut shrank = self.shrank || whole.shrank();
        if self.offset < opened.size {
            scanner.restart(self.offset, self.line);
            let mut rest = Source::range(opened, self.offset..opened.size);
            while rest.advance(scanner, &mut builder, token)? {}
            end = rest.finish(scanner, &mut builder, token)?.offset;
            let mut whole = Source::range(opened, 0..end);
            find_leaves(&mut whole, scanner, &mut builder, token)?;
            shrank |= rest.shrank() || whole.shrank();
        }
        if shrank {
            return Ok(None);
        }
        let transcript = Transcript { modified_at: opened.modified_at(), ..builder.finish(end) };
        let key = options.key(path, &file.stamp);
        let kept = Fingerprint::take(opened, end, options.seed())
            .ok()
            .filter(|_| end > 0 && file.is_unchanged())
            .map(|fingerprint| {
                let stamp = file.stamp;
                let (offset, line, builder) = (self.offset, self.line, self.builder);
                Kept {
                    entry: Entry {
                        key,
                        stamp,
                        conclusive: file.conclusive,
                        cached_in: (!stamp.is_on_disk(options.now)).then_some(options.boot),
                        seen: options.today(),
                        transcript: transcript.clone(),
                    },
                    // A scan cannot go on within a text in UTF-16.
                    state: (!self.utf16).then_some(State {
                        key,
                        stamp,
                        fingerprint,
                        offset,
                        line,
                        searched,
                        builder,
                    }),
                }
            });
        Ok(Some(Scanned { transcript, kept: kept.filter(Kept::is_small) }))
    }
}

/// Scan what is not known of a file. An error of kind `Interrupted` means that `token` was cancelled.
pub(crate) fn scan(
    path: &Path,
    known: &Known,
    options: &Options,
    scanner: &mut Scanner,
    token: &CancelToken,
) -> io::Result<Scanned> {
    let file = OpenedFile::open(path)?;
    let (mut offset, mut line, mut builder) = (0, 1, None);
    match known {
        Known::Same(entry, fingerprint) if entry.stamp == file.stamp && file.begins_with(fingerprint) => {
            return Ok(Scanned { transcript: entry.transcript.clone(), kept: None });
        }
        Known::Less(state) if file.has_grown_from(state) => {
            (offset, line) = (state.offset, state.line);
            builder.insert(state.builder.clone()).resume(state.searched);
        }
        _ => {}
    }
    let builder = builder.unwrap_or_else(|| TranscriptBuilder::new(session_id_of(path)));
    let lines = ScannedLines::read(&file.opened, offset..file.opened.size, line, builder, scanner, token)?;
    let before = match lines.finish(path, &file, options, scanner, token)? {
        Some(scanned) if file.is_unchanged() => return Ok(scanned),
        scanned => scanned.map(|scanned| scanned.transcript),
    };
    // It is being written to: it is scanned as if nothing were known, and the result is not kept.
    scan_alone(path, scanner, before, &token.without_reports())
        .map(|transcript| Scanned { transcript, kept: None })
}
