//! Scan many files at once, and a big file in ranges.

use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::scan::{find_leaves, scan_alone, scan_into, session_id_of};
use crate::scanner::{End, Scanner};
use crate::source::{Opened, Source};
use crate::structure::Isa;
use crate::threads;
use crate::transcript::Transcript;
use std::io;
use std::ops::Range;
use std::path::Path;

/// Files from this size on are scanned in ranges, if there is more than one thread.
pub(crate) const SPLIT_FROM: u64 = 2 * RANGE;

/// The size of a range in bytes: small enough to keep all threads busy to the end, large enough that its ends
/// cost nothing.
const RANGE: u64 = if cfg!(test) { 1024 * 1024 } else { 16 * 1024 * 1024 };

/// Scan a file, in ranges if it is big. An error of kind `Interrupted` means that `token` was cancelled.
pub fn scan_file(
    path: &Path,
    strictness: Strictness,
    threads: usize,
    token: &CancelToken,
) -> io::Result<Transcript> {
    let mut results = scan_many(&[path], strictness, threads, token);
    results.pop().unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))
}

/// Scan files on `threads` threads, the calling one included. The results are in the order of `paths`.
///
/// `token` is used on the calling thread only; the bytes that all threads scan are reported to it. Once it is
/// cancelled, results are missing.
pub fn scan_many(
    paths: &[impl AsRef<Path> + Sync],
    strictness: Strictness,
    threads: usize,
    token: &CancelToken,
) -> Vec<io::Result<Transcript>> {
    let mut pieces = Vec::new();
    for (file, path) in paths.iter().enumerate() {
        // One thread needs no order, and stats each file only when it opens it.
        let size =
            if threads > 1 { path.as_ref().metadata().map_or(0, |metadata| metadata.len()) } else { 0 };
        if size >= SPLIT_FROM {
            // A file that cannot be opened now is scanned whole, which gives the error.
            if let Ok(opened) = Opened::new(path.as_ref())
                && let Ok(ranges) = ranges(&opened, token)
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

    let scan = |piece: &Piece, scanner: &mut Scanner, token: &CancelToken| -> io::Result<Scanned> {
        let path = paths[piece.file].as_ref();
        let Some((opened, range)) = &piece.range else {
            return scan_alone(path, scanner, None, token)
                .map(|transcript| Scanned::Whole(Box::new(transcript)));
        };
        let mut builder = TranscriptBuilder::new(session_id_of(path));
        let mut source = Source::range(opened, range.clone());
        let end = scan_into(&mut source, scanner, &mut builder, token)?;
        Ok(if source.shrank() { Scanned::Shrunk } else { Scanned::Part(Box::new(builder), end) })
    };
    let mut scanned: Vec<Vec<(&Piece, io::Result<Scanned>)>> = paths.iter().map(|_| Vec::new()).collect();
    let scanner = || Scanner::new(strictness, Isa::chosen());
    for (piece, result) in threads::run(&pieces, threads, scanner, scan, token) {
        scanned[piece.file].push((piece, result));
    }
    let joined = scanned.into_iter().zip(paths).filter(|(parts, _)| !parts.is_empty());
    let mut scanner = Scanner::new(strictness, Isa::chosen());
    joined.map(|(parts, path)| join(path.as_ref(), parts, &mut scanner, token)).collect()
}

/// What a thread scans at a time.
struct Piece {
    file: usize,
    size: u64,
    /// The opened file and the range in it; None: the whole file.
    range: Option<(Opened, Range<u64>)>,
}

enum Scanned {
    Whole(Box<Transcript>),
    Part(Box<TranscriptBuilder>, End),
    /// The file became shorter, so that its parts do not belong together.
    Shrunk,
}

/// Cut a file into ranges of whole lines. One in UTF-16 is a single range. An error of kind `Interrupted` means
/// that `token` was cancelled.
pub(crate) fn ranges(opened: &Opened, token: &CancelToken) -> io::Result<Vec<Range<u64>>> {
    let mut ranges = Vec::new();
    if opened.is_utf16()? {
        ranges.push(0..opened.size);
        return Ok(ranges);
    }
    let mut start = 0;
    while start < opened.size {
        let range = next_range(opened, start, RANGE, token)?;
        start = range.end;
        ranges.push(range);
    }
    Ok(ranges)
}

/// Return a range of whole lines that begins at `start` and has `size` bytes, or what its last line has more.
pub(crate) fn next_range(
    opened: &Opened,
    start: u64,
    size: u64,
    token: &CancelToken,
) -> io::Result<Range<u64>> {
    let end = match start + size {
        cut if cut < opened.size => line_after(opened, cut, token)?.unwrap_or(opened.size).min(opened.size),
        _ => opened.size,
    };
    Ok(start..end)
}

/// Return where the first line begins that begins after `from`; None if there is none.
fn line_after(opened: &Opened, from: u64, token: &CancelToken) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; 64 * 1024];
    let mut at = from;
    loop {
        if at > from {
            token.check(0)?; // a line may have gigabytes
        }
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

/// Join what was found in the parts of a file, in file order.
fn join(
    path: &Path,
    mut parts: Vec<(&Piece, io::Result<Scanned>)>,
    scanner: &mut Scanner,
    token: &CancelToken,
) -> io::Result<Transcript> {
    parts.sort_by_key(|(piece, _)| piece.range.as_ref().map_or(0, |(_, range)| range.start));
    let opened = parts.first().and_then(|(piece, _)| piece.range.as_ref()).map(|(opened, _)| opened.clone());
    let mut builder = TranscriptBuilder::new(session_id_of(path));
    let (mut lines, mut size) = (0, 0);
    for (_, part) in parts {
        match part? {
            Scanned::Whole(transcript) => return Ok(*transcript),
            Scanned::Shrunk => return scan_alone(path, scanner, None, &token.without_reports()),
            Scanned::Part(more, end) => {
                builder.append(*more, lines);
                lines += end.lines;
                size = end.offset;
            }
        }
    }
    let mut source = Source::range(&opened.expect("parts have ranges"), 0..size);
    find_leaves(&mut source, scanner, &mut builder, token)?;
    let transcript =
        (!source.shrank()).then(|| Transcript { modified_at: source.modified_at(), ..builder.finish(size) });
    match transcript {
        Some(transcript) if !source.changed() => Ok(transcript),
        before => scan_alone(path, scanner, before, &token.without_reports()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::io::Write;
    use std::ops::ControlFlow;

    #[test]
    fn a_file_of_several_ranges_is_scanned_as_a_whole() {
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

        let alone = scan_file(file.path(), Strictness::Structure, 1, &CancelToken::never()).unwrap();
        assert_eq!((alone.records, alone.defects.len(), alone.summary.as_deref()), (26, 13, Some("first")));
        for threads in [2, 3, 8] {
            let bytes = Cell::new(0);
            let report = |more| {
                bytes.set(bytes.get() + more);
                ControlFlow::Continue(())
            };
            let token = CancelToken::new(&report);
            let ranges = scan_file(file.path(), Strictness::Structure, threads, &token);
            assert_eq!(ranges.unwrap(), alone);
            assert!(bytes.get() >= alone.size);
        }
    }

    #[test]
    fn many_files_are_scanned_in_order_and_can_be_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..50).map(|number| folder.path().join(format!("{number}.jsonl"))).collect();
        for (number, path) in paths.iter().enumerate().filter(|(number, _)| *number != 7) {
            std::fs::write(path, "{}\n".repeat(number)).unwrap();
        }
        for threads in [1, 4] {
            let results = scan_many(&paths, Strictness::Structure, threads, &CancelToken::never());
            for (number, result) in results.iter().enumerate() {
                match result {
                    Ok(transcript) => assert_eq!(transcript.records, number as u64),
                    Err(error) => assert_eq!((number, error.kind()), (7, io::ErrorKind::NotFound)),
                }
            }
            assert_eq!(results.len(), 50);
            let cancelled = scan_many(
                &paths,
                Strictness::Structure,
                threads,
                &CancelToken::new(&|_| ControlFlow::Break(())),
            );
            assert!(cancelled.iter().any(Result::is_err) || cancelled.len() < 50);
        }
    }
}
