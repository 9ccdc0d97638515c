//! A scan of a file from where the last one ended, or from its start, and what is kept of it.

use super::How;
use super::fingerprint::Fingerprint;
use super::shard::{Entry, Kept, State};
use super::stamp::{self, Stamp};
use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::scan::{find_leaves, scan_alone, session_id_of};
use crate::scanner::Scanner;
use crate::source::{self, Opened, Source};
use crate::transcript::Transcript;
use std::io;
use std::ops::Range;
use std::path::Path;

/// What a file says, and what is to be kept of it, if that can be.
pub(crate) struct Scanned {
    pub(crate) transcript: Transcript,
    pub(crate) kept: Option<Kept>,
}

/// What is known of a file that has to be opened.
pub(crate) enum Known {
    Nothing,
    /// What it said; it says so still if its bytes are what they were.
    Same(Box<Entry>, Fingerprint),
    /// How its scan goes on: it has grown.
    Less(Box<State>),
}

/// A file that was just opened, and when.
#[derive(Clone)]
pub(crate) struct At {
    pub(crate) opened: Opened,
    stamp: Stamp,
    settled: bool,
}

impl At {
    pub(crate) fn open(path: &Path) -> io::Result<At> {
        let now = stamp::now();
        let opened = Opened::new(path)?;
        let stamp = Stamp::of(&opened.metadata()?);
        Ok(At { opened, stamp, settled: stamp.is_settled(now) })
    }

    /// Whether what was read before is how it still begins.
    fn begins_with(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.holds(&self.opened).unwrap_or(false)
    }

    fn has_grown_from(&self, state: &State) -> bool {
        state.stamp.is_same_file(&self.stamp)
            && state.stamp.size < self.stamp.size
            && self.begins_with(&state.fingerprint)
    }

    /// Whether nobody has touched it since.
    pub(crate) fn stands(&self) -> bool {
        self.stamp.size == self.opened.size
            && self.opened.metadata().is_ok_and(|metadata| Stamp::of(&metadata) == self.stamp)
    }
}

/// The whole lines of a range, folded.
pub(crate) struct Lines {
    pub(crate) builder: TranscriptBuilder,
    /// Where they end, and which line of the file begins there.
    pub(crate) offset: u64,
    pub(crate) line: u64,
    /// The file became shorter meanwhile.
    pub(crate) shrank: bool,
}

impl Lines {
    /// Those of a range, into a builder. The range begins with the line of number `line`.
    pub(crate) fn read(
        opened: &Opened,
        range: Range<u64>,
        line: u64,
        mut builder: TranscriptBuilder,
        scanner: &mut Scanner,
        token: &CancelToken,
    ) -> io::Result<Lines> {
        scanner.restart(range.start, line);
        let mut source = Source::range(opened, range);
        while source.advance(scanner, &mut builder, token)? {}
        let (offset, line, _, _) = scanner.position();
        Ok(Lines { builder, offset, line, shrank: source.shrank() })
    }

    /// Takes in what was found in the range that follows, counted from its own first line on.
    pub(crate) fn append(&mut self, later: Lines) {
        self.builder.append(later.builder, self.line - 1);
        self.line += later.line - 1;
        self.offset = later.offset;
        self.shrank |= later.shrank;
    }

    /// What the file says whose whole lines these are. None if it became shorter.
    pub(crate) fn finish(
        mut self,
        path: &Path,
        at: &At,
        how: &How,
        scanner: &mut Scanner,
        token: &CancelToken,
    ) -> io::Result<Option<Scanned>> {
        let opened = &at.opened;
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
            end = source::finish(scanner, &mut builder, token)?.offset;
            let mut whole = Source::range(opened, 0..end);
            find_leaves(&mut whole, scanner, &mut builder, token)?;
            shrank |= rest.shrank() || whole.shrank();
        }
        if shrank {
            return Ok(None);
        }
        let transcript = Transcript { modified_at: opened.modified_at(), ..builder.finish(end) };
        let key = how.key(path, &at.stamp);
        let kept = Fingerprint::take(opened, end, how.seed()).ok().filter(|_| end > 0 && at.stands()).map(
            |fingerprint| {
                let stamp = at.stamp;
                let (offset, line, builder) = (self.offset, self.line, self.builder);
                Kept {
                    entry: Entry {
                        key,
                        stamp,
                        settled: at.settled,
                        seen: how.today,
                        transcript: transcript.clone(),
                    },
                    state: State { key, stamp, fingerprint, offset, line, searched, builder },
                }
            },
        );
        Ok(Some(Scanned { transcript, kept: kept.filter(Kept::is_small) }))
    }
}

/// Scans a file, as far as it is not known. An error of kind `Interrupted` means that `token` was cancelled.
pub(crate) fn scan(
    path: &Path,
    known: &Known,
    how: &How,
    scanner: &mut Scanner,
    token: &CancelToken,
) -> io::Result<Scanned> {
    let at = At::open(path)?;
    let (mut offset, mut line, mut builder) = (0, 1, None);
    match known {
        Known::Same(entry, fingerprint) if entry.stamp == at.stamp && at.begins_with(fingerprint) => {
            return Ok(Scanned { transcript: entry.transcript.clone(), kept: None });
        }
        Known::Less(state) if at.has_grown_from(state) => {
            (offset, line) = (state.offset, state.line);
            builder.insert(state.builder.clone()).resume(state.searched);
        }
        _ => {}
    }
    let builder = builder.unwrap_or_else(|| TranscriptBuilder::new(session_id_of(path)));
    let lines = Lines::read(&at.opened, offset..at.opened.size, line, builder, scanner, token)?;
    let before = match lines.finish(path, &at, how, scanner, token)? {
        Some(scanned) if at.stands() => return Ok(scanned),
        scanned => scanned.map(|scanned| scanned.transcript),
    };
    // It is being written to: what it says is found out as if nothing were known, and not kept.
    scan_alone(path, scanner, before, &token.without_reports())
        .map(|transcript| Scanned { transcript, kept: None })
}
