//! Read the fields of many files in batches, on several threads, in the order of the files.
//!
//! A round reads a bounded number of bytes: the threads share its pieces, which are whole small files and ranges
//! of big ones, and are joined before its batches are returned. So memory is bounded, and no thread lives on
//! between two batches.

use super::plan::FieldsPlan;
use super::sink::{FieldsBatch, Rows};
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::parallel::next_range;
use crate::scan::scan_into;
use crate::scanner::{End, Scanner};
use crate::source::{Opened, Source};
use crate::structure::Isa;
use crate::threads;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The size of a range in bytes: at first, at least and at most. Its rows are in memory until all before it are
/// taken, and there may be many of them in few bytes. So a range is as large as its rows let it be.
const FIRST: u64 = if cfg!(test) { 64 * 1024 } else { 256 * 1024 };
const LEAST: u64 = 64 * 1024;
const MOST: u64 = if cfg!(test) { 64 * 1024 } else { 2 * 1024 * 1024 };

/// How many bytes the rows of a range should have at most.
const ROWS_OF_RANGE: u64 = 2 * 1024 * 1024;

/// So many threads have ranges of full size. More of them share what these have, so that memory does not grow
/// with the machine.
const FULL_SIZED: u64 = 2;

/// How many times this a thread reads in one round.
const RANGES: u64 = 2;

/// A round has at most this many files for each thread.
const MOST_FILES: usize = 256;

/// How many times a small file is read at most if it becomes shorter each time.
const ATTEMPTS: usize = 6;

/// A file that could not be read, or not to its end.
#[derive(Debug)]
pub struct FileError {
    /// Its place among the paths.
    pub file: usize,
    /// Why; of kind `Interrupted` if the reading was cancelled.
    pub error: io::Error,
}

/// A reader of the fields of files.
pub struct FieldsReader {
    plan: Arc<FieldsPlan>,
    strictness: Strictness,
    threads: usize,
    paths: Arc<[PathBuf]>,
    /// The file that comes next.
    file: usize,
    /// The big file that is being read, and where its next range begins.
    big: Option<(Opened, u64)>,
    /// A file in UTF-16, which cannot be read in ranges.
    whole: Option<Whole>,
    /// How many lines were read of which file.
    lines: (usize, u64),
    /// The size of the next ranges in bytes.
    range: u64,
    /// The file that failed; what follows of it is left out.
    failed: Option<usize>,
    ready: VecDeque<Result<FieldsBatch, FileError>>,
    /// Scanners that know the keys of the lines that were read.
    scanners: Mutex<Vec<Scanner>>,
}

/// A file that is read a piece at a time on one thread.
struct Whole {
    file: usize,
    source: Source<'static>,
    scanner: Scanner,
    rows: Rows,
}

/// What a thread reads at a time.
struct Piece {
    /// Its place among the pieces of its round.
    place: usize,
    file: usize,
    /// The opened file and the range in it; None: the whole file.
    range: Option<(Opened, Range<u64>)>,
}

impl Piece {
    /// Read the piece, whose lines count from its first one.
    fn read(
        &self,
        path: &Path,
        rows: impl Fn() -> Rows,
        scanner: &mut Scanner,
        token: &CancelToken,
    ) -> io::Result<(FieldsBatch, End)> {
        let read = |mut source: Source, scanner: &mut Scanner| -> io::Result<_> {
            let mut rows = rows();
            let end = scan_into(&mut source, scanner, &mut rows, token)?;
            Ok((!source.shrank()).then(|| (rows.take(), end)))
        };
        if let Some((opened, range)) = &self.range {
            return read(Source::range(opened, range.clone()), scanner)?.ok_or_else(shrank);
        }
        for _ in 0..ATTEMPTS {
            if let Some(whole) = read(Source::open(path)?, scanner)? {
                return Ok(whole);
            }
        }
        Err(shrank())
    }
}

/// A scanner that goes back where it came from.
struct Borrowed<'a> {
    scanner: Option<Scanner>,
    home: &'a Mutex<Vec<Scanner>>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        home.extend(self.scanner.take());
    }
}

impl FieldsReader {
    /// Make a reader of files, which reads on `threads` threads, the calling one included.
    pub fn new(
        plan: Arc<FieldsPlan>,
        paths: Arc<[PathBuf]>,
        strictness: Strictness,
        threads: usize,
    ) -> FieldsReader {
        FieldsReader {
            plan,
            strictness,
            threads: threads.max(1),
            paths,
            file: 0,
            big: None,
            whole: None,
            lines: (0, 0),
            range: FIRST,
            failed: None,
            ready: VecDeque::new(),
            scanners: Mutex::default(),
        }
    }

    /// Return the next batch; None at the end. After an error of a file, the next files can be read on.
    pub fn next(&mut self, token: &CancelToken) -> Option<Result<FieldsBatch, FileError>> {
        let mut batch: Option<FieldsBatch> = None;
        loop {
            match (self.ready.front(), &batch) {
                (Some(Ok(next)), Some(before)) if !next.fits_behind(before) => return batch.map(Ok),
                // What came before the error goes first.
                (Some(Err(_)), Some(_)) => return batch.map(Ok),
                (None, _) if self.is_done() => return batch.map(Ok),
                (None, _) => self.round(token),
                _ => match (self.ready.pop_front()?, &mut batch) {
                    (Ok(more), Some(batch)) => batch.append(more),
                    (Ok(more), None) => batch = Some(more),
                    (Err(error), _) => return Some(Err(error)),
                },
            }
            if batch.as_ref().is_some_and(FieldsBatch::is_full) {
                return batch.map(Ok);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.whole.is_none() && self.big.is_none() && self.file >= self.paths.len()
    }

    /// Read the next pieces.
    fn round(&mut self, token: &CancelToken) {
        if self.whole.is_some() {
            return self.read_whole(token);
        }
        let mut pieces = Vec::new();
        let planned = self.plan_pieces(&mut pieces, token);
        let (plan, paths, home, strictness) = (&self.plan, &*self.paths, &self.scanners, self.strictness);
        let scanner = || {
            let known = home.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let new = || Scanner::for_keys(plan.names.clone(), strictness, Isa::chosen());
            Borrowed { scanner: Some(known.unwrap_or_else(new)), home }
        };
        let read = |piece: &Piece, borrowed: &mut Borrowed, token: &CancelToken| {
            let scanner = borrowed.scanner.as_mut().expect("it is taken when it is dropped");
            let rows = || Rows::new(plan.clone(), piece.file);
            piece.read(&paths[piece.file], rows, scanner, token)
        };
        let mut results: Vec<_> = pieces.iter().map(|_| None).collect();
        for (piece, result) in threads::run(&pieces, self.threads, scanner, read, token) {
            results[piece.place] = Some(result);
        }
        let produced = results.iter().flatten().flatten().map(|(batch, _)| batch.bytes()).sum();
        self.adapt(pieces.len() as u64, produced);
        for (piece, result) in pieces.iter().zip(results) {
            let result = result.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()));
            self.take(piece, result);
        }
        if let Err(error) = planned {
            self.fail(self.file, error);
        }
    }

    /// Choose the size of the next ranges, after so many pieces had rows of so many bytes.
    fn adapt(&mut self, pieces: u64, produced: u64) {
        let share = |bytes: u64| bytes * FULL_SIZED / (self.threads as u64).max(FULL_SIZED);
        let fitting = self.range.saturating_mul(share(ROWS_OF_RANGE) * pieces) / produced.max(1);
        self.range = fitting.min(2 * self.range).clamp(LEAST, share(MOST).max(LEAST));
    }

    /// Add the pieces of the next round, up to a file that cannot be looked at.
    fn plan_pieces(&mut self, pieces: &mut Vec<Piece>, token: &CancelToken) -> io::Result<()> {
        let threads = self.threads as u64;
        let mut bytes = 0;
        while bytes < self.range * RANGES * threads && pieces.len() < MOST_FILES * self.threads {
            if let Some((opened, start)) = &mut self.big {
                let range = next_range(opened, *start, self.range, token)?;
                bytes += range.end - range.start;
                *start = range.end;
                let ended = range.end >= opened.size;
                let range = Some((opened.clone(), range));
                pieces.push(Piece { place: pieces.len(), file: self.file, range });
                if ended {
                    (self.big, self.file) = (None, self.file + 1);
                }
                continue;
            }
            let Some(path) = self.paths.get(self.file) else { break };
            let size = path.metadata().map_or(0, |metadata| metadata.len());
            // A file that cannot be opened now is read whole, which gives the error.
            if size >= 2 * self.range
                && let Ok(opened) = Opened::new(path)
            {
                if !opened.is_utf16()? {
                    self.big = Some((opened, 0));
                    continue;
                }
                if pieces.is_empty() {
                    self.whole = Some(self.open_whole(&opened));
                    self.file += 1;
                }
                break;
            }
            pieces.push(Piece { place: pieces.len(), file: self.file, range: None });
            bytes += size;
            self.file += 1;
        }
        Ok(())
    }

    /// Take in what was read of a piece; the pieces come in their order.
    fn take(&mut self, piece: &Piece, result: io::Result<(FieldsBatch, End)>) {
        if self.failed == Some(piece.file) {
            return;
        }
        match result {
            Ok((mut batch, end)) => {
                let before = if self.lines.0 == piece.file { self.lines.1 } else { 0 };
                batch.lines.iter_mut().for_each(|line| *line += before);
                batch.defects.iter_mut().for_each(|(_, defect)| defect.line += before);
                self.lines = (piece.file, before + end.lines);
                self.ready.push_back(Ok(batch));
            }
            Err(error) => self.fail(piece.file, error),
        }
    }

    fn fail(&mut self, file: usize, error: io::Error) {
        self.failed = Some(file);
        if self.file == file {
            (self.big, self.file) = (None, file + 1);
        }
        self.ready.push_back(Err(FileError { file, error }));
    }

    fn open_whole(&self, opened: &Opened) -> Whole {
        let mut scanner = Scanner::for_keys(self.plan.names.clone(), self.strictness, Isa::chosen());
        scanner.restart(0, 1);
        let source = Source::range(opened, 0..opened.size);
        Whole { file: self.file, source, scanner, rows: Rows::new(self.plan.clone(), self.file) }
    }

    /// Read a part of the file that is read whole.
    fn read_whole(&mut self, token: &CancelToken) {
        let Some(mut whole) = self.whole.take() else { return };
        let Whole { source, scanner, rows, .. } = &mut whole;
        let more = loop {
            match source.advance(scanner, rows, token) {
                Ok(true) if !rows.batch().is_full() => {}
                Ok(true) => break Ok(true),
                Ok(false) => break source.finish(scanner, rows, token).map(|_| false),
                Err(error) => break Err(error),
            }
        };
        match more {
            Ok(_) if source.shrank() => self.fail(whole.file, shrank()),
            Ok(more) => {
                self.ready.push_back(Ok(rows.take()));
                self.whole = more.then_some(whole);
            }
            Err(error) => self.fail(whole.file, error),
        }
    }
}

fn shrank() -> io::Error {
    io::Error::other("the file became shorter while it was read")
}
