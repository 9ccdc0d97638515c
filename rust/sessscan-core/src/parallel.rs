//! Many files at once, and one big file in ranges.
//!
//! Threads are started for each call and joined before it returns: there is no pool that a forked child could inherit
//! without its threads, and nothing to start at import.

use crate::builder::TranscriptBuilder;
use crate::grammar::Strictness;
use crate::scan::{find_leaves, scan_alone, scan_into, session_id_of};
use crate::scanner::{End, Scanner};
use crate::source::{Opened, Poll, Source};
use crate::structure::Isa;
use crate::transcript::Transcript;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Files from this size on are scanned in ranges, if there is more than one thread.
pub(crate) const SPLIT_FROM: u64 = 2 * RANGE;

/// How large a range is: small enough to keep all threads busy to the end, large enough that its seams cost nothing.
const RANGE: u64 = if cfg!(test) { 1024 * 1024 } else { 16 * 1024 * 1024 };

/// How long a thread that has nothing left to do waits before it looks up again: soon enough for Ctrl-C and progress,
/// seldom enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(10);

/// Scans a file, in ranges if it is big. An error of kind `Interrupted` means that `poll` cancelled.
pub fn scan_file(
    path: &Path,
    strictness: Strictness,
    threads: usize,
    poll: &mut Poll,
) -> io::Result<Transcript> {
    let mut results = scan_many(&[path], strictness, threads, poll);
    results.pop().unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))
}

/// Scans files on so many threads, this one included. The results are in the order of `paths`.
///
/// `poll` is only ever called on this thread, with the bytes that all of them scanned since the last call. Once it has
/// cancelled, results are missing.
pub fn scan_many(
    paths: &[impl AsRef<Path> + Sync],
    strictness: Strictness,
    threads: usize,
    poll: &mut Poll,
) -> Vec<io::Result<Transcript>> {
    let mut pieces = Vec::new();
    for (file, path) in paths.iter().enumerate() {
        // One thread needs no order, and looks at each file when it comes to it.
        let size =
            if threads > 1 { path.as_ref().metadata().map_or(0, |metadata| metadata.len()) } else { 0 };
        if size >= SPLIT_FROM {
            // What cannot be opened now is told when it is scanned whole.
            if let Ok(opened) = Opened::new(path.as_ref())
                && let Ok(ranges) = ranges(&opened)
            {
                let piece = |range| Piece { file, size: RANGE, range: Some((opened.clone(), range)) };
                pieces.extend(ranges.into_iter().map(piece));
            }
        }
        if pieces.last().is_none_or(|piece| piece.file != file) {
            pieces.push(Piece { file, size, range: None });
        }
    }
    // The largest first, so that no thread is left alone with a big one at the end.
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.size));

    let scan = |piece: &Piece, scanner: &mut Scanner, poll: &mut Poll| -> io::Result<Scanned> {
        let path = paths[piece.file].as_ref();
        let Some((opened, range)) = &piece.range else {
            return scan_alone(path, scanner, None, poll)
                .map(|transcript| Scanned::Whole(Box::new(transcript)));
        };
        let mut builder = TranscriptBuilder::new(session_id_of(path));
        let mut source = Source::range(opened, range.clone());
        let end = scan_into(&mut source, scanner, &mut builder, poll)?;
        Ok(if source.shrank() { Scanned::Shrunk } else { Scanned::Part(Box::new(builder), end) })
    };
    let mut scanned: Vec<Vec<(&Piece, io::Result<Scanned>)>> = paths.iter().map(|_| Vec::new()).collect();
    let scanner = || Scanner::new(strictness, Isa::chosen());
    for (piece, result) in share_out(&pieces, threads, scanner, scan, poll) {
        scanned[piece.file].push((piece, result));
    }
    let joined = scanned.into_iter().zip(paths).filter(|(parts, _)| !parts.is_empty());
    let mut scanner = Scanner::new(strictness, Isa::chosen());
    joined.map(|(parts, path)| join(path.as_ref(), parts, &mut scanner, poll)).collect()
}

/// What one thread scans at a time.
struct Piece {
    file: usize,
    size: u64,
    /// None: the whole file.
    range: Option<(Opened, Range<u64>)>,
}

enum Scanned {
    Whole(Box<Transcript>),
    Part(Box<TranscriptBuilder>, End),
    /// The file became shorter: its parts are of no one moment.
    Shrunk,
}

/// Cuts a file into ranges of whole lines.
pub(crate) fn ranges(opened: &Opened) -> io::Result<Vec<Range<u64>>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while start < opened.size {
        let end = match start + RANGE {
            cut if cut < opened.size => line_after(opened, cut)?.unwrap_or(opened.size).min(opened.size),
            _ => opened.size,
        };
        ranges.push(start..end);
        start = end;
    }
    Ok(ranges)
}

/// Where the first line begins that begins after `from`.
fn line_after(opened: &Opened, from: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; 64 * 1024];
    let mut at = from;
    loop {
        match opened.read_at(&mut buffer, at) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                if let Some(found) = memchr::memchr(b'\n', &buffer[..count]) {
                    return Ok(Some(at + found as u64 + 1));
                }
                at += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Does all the work there is, on so many threads, this one included, each with a tool of its own. What is done is in no
/// order.
pub(crate) fn share_out<'a, W: Sync, T, R: Send>(
    work: &'a [W],
    threads: usize,
    tool: impl Fn() -> T + Sync,
    run: impl Fn(&W, &mut T, &mut Poll) -> R + Sync,
    poll: &mut Poll,
) -> Vec<(&'a W, R)> {
    let next = AtomicUsize::new(0);
    let bytes_elsewhere = AtomicU64::new(0);
    let cancelled = AtomicBool::new(false);
    let take = |poll: &mut Poll| {
        let mut tool = tool();
        let mut done = Vec::new();
        while !cancelled.load(Ordering::Relaxed)
            && let Some(piece) = work.get(next.fetch_add(1, Ordering::Relaxed))
        {
            done.push((piece, run(piece, &mut tool, poll)));
        }
        done
    };
    let note = |bytes: u64| {
        bytes_elsewhere.fetch_add(bytes, Ordering::Relaxed);
        if cancelled.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut tell = |bytes: u64| {
        let flow = poll(bytes + bytes_elsewhere.swap(0, Ordering::Relaxed));
        if flow.is_break() {
            cancelled.store(true, Ordering::Relaxed);
        }
        flow
    };

    let helpers = threads.min(work.len()).saturating_sub(1);
    std::thread::scope(|scope| {
        // A system that gives no more threads gets by with fewer.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, || take(&mut { note })).ok();
        let helpers: Vec<_> = (0..helpers).map_while(start).collect();
        let mut done = take(&mut tell);
        for helper in helpers {
            while !helper.is_finished() {
                std::thread::park_timeout(PAUSE);
                let _ = tell(0);
            }
            done.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        let _ = tell(0);
        done
    })
}

/// Joins what was found in the parts of a file, by where they begin.
fn join(
    path: &Path,
    mut parts: Vec<(&Piece, io::Result<Scanned>)>,
    scanner: &mut Scanner,
    poll: &mut Poll,
) -> io::Result<Transcript> {
    parts.sort_by_key(|(piece, _)| piece.range.as_ref().map_or(0, |(_, range)| range.start));
    let opened = parts.first().and_then(|(piece, _)| piece.range.as_ref()).map(|(opened, _)| opened.clone());
    let mut builder = TranscriptBuilder::new(session_id_of(path));
    let (mut lines, mut size) = (0, 0);
    for (_, part) in parts {
        match part? {
            Scanned::Whole(transcript) => return Ok(*transcript),
            Scanned::Shrunk => return scan_alone(path, scanner, None, &mut |_| poll(0)),
            Scanned::Part(more, end) => {
                builder.append(*more, lines);
                lines += end.lines;
                size = end.offset;
            }
        }
    }
    let mut source = Source::range(&opened.expect("parts have ranges"), 0..size);
    find_leaves(&mut source, scanner, &mut builder, poll)?;
    let transcript =
        (!source.shrank()).then(|| Transcript { modified_at: source.modified_at(), ..builder.finish(size) });
    match transcript {
        Some(transcript) if !source.changed() => Ok(transcript),
        before => scan_alone(path, scanner, before, &mut |_| poll(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A file of several ranges, with lines that reach across seams and over whole ranges.
    #[test]
    fn ranges_are_the_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let filler = "x".repeat(700_001);
        writeln!(file, "\u{feff}{{\"type\":\"summary\",\"summary\":\"early\",\"leafUuid\":\"last\"}}")
            .unwrap();
        for number in 0..12 {
            let long = if number == 5 { filler.repeat(4) } else { filler.clone() };
            writeln!(
                file,
                "{{\"parentUuid\":null,\"uuid\":\"u{number}\",\"cwd\":\"/{number}\",\"timestamp\":\"2026-01-01T00:00:{:02}Z\",\"x\":\"{long}\"}}",
                (number * 7) % 12
            )
            .unwrap();
            writeln!(file, "\0{{\"type\":\"custom-title\",\"customTitle\":\"title {number}\"}}\n").unwrap();
        }
        write!(
            file,
            "{{\"type\":\"summary\",\"summary\":\"first\",\"leafUuid\":\"u3\"}}\n{{\"uuid\":\"last\""
        )
        .unwrap();

        let mut quiet = |_| ControlFlow::Continue(());
        let alone = scan_file(file.path(), Strictness::Structure, 1, &mut quiet).unwrap();
        assert_eq!((alone.records, alone.defects.len(), alone.summary.as_deref()), (26, 13, Some("first")));
        for threads in [2, 3, 8] {
            let mut bytes = 0;
            let ranges = scan_file(file.path(), Strictness::Structure, threads, &mut |more| {
                bytes += more;
                ControlFlow::Continue(())
            });
            assert_eq!(ranges.unwrap(), alone);
            assert!(bytes >= alone.size);
        }
    }

    #[test]
    fn in_the_order_asked_for_and_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..50).map(|number| folder.path().join(format!("{number}.jsonl"))).collect();
        for (number, path) in paths.iter().enumerate().filter(|(number, _)| *number != 7) {
            std::fs::write(path, "{}\n".repeat(number)).unwrap();
        }
        for threads in [1, 4] {
            let results =
                scan_many(&paths, Strictness::Structure, threads, &mut |_| ControlFlow::Continue(()));
            for (number, result) in results.iter().enumerate() {
                match result {
                    Ok(transcript) => assert_eq!(transcript.records, number as u64),
                    Err(error) => assert_eq!((number, error.kind()), (7, io::ErrorKind::NotFound)),
                }
            }
            assert_eq!(results.len(), 50);
            let cancelled =
                scan_many(&paths, Strictness::Structure, threads, &mut |_| ControlFlow::Break(()));
            assert!(cancelled.iter().any(Result::is_err) || cancelled.len() < 50);
        }
    }
}
