//! Scan a file in ranges, by processes that do not communicate, and join what they found.
//!
//! A range owns the lines that begin in it. Its scanner reads from the byte before it, to see where its first
//! line begins, and beyond its end to the end of its last line. So each line is read once, wherever the cuts
//! are.

use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::event;
use crate::grammar::Strictness;
use crate::record::{Key, Record};
use crate::scanner::{Scanner, Sink};
use crate::stream::{StateError, seal, unseal};
use crate::structure::Isa;
use crate::transcript::Transcript;
use crate::utf16;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::Range;

/// Why a range cannot be scanned, or parts cannot be joined.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PartError {
    /// The file has no such range.
    #[error("bytes {0} to {1} are no range of a file of {2} bytes")]
    Range(u64, u64, u64),
    /// The file ended before the range did.
    #[error("the bytes ended at {0} of the {1} that the file had")]
    Short(u64, u64),
    /// The bytes are not a part, or were changed.
    #[error("this is no whole part of a file: {0}")]
    State(#[from] StateError),
    /// The parts are of several files, or of several states of one.
    #[error("these parts are not of one file, scanned in one way")]
    Mixed,
    /// A part of the file is missing.
    #[error("the part of the file that begins at byte {0} is missing")]
    Missing(u64),
}

/// What was found in a range, to be serialized.
#[derive(Serialize, Deserialize)]
struct Part<F> {
    strictness: Strictness,
    session_id: Option<String>,
    version: String,
    size: u64,
    range: Range<u64>,
    /// From the beginning of its first line to the end of its last one; None: no line begins in it.
    lines: Option<Range<u64>>,
    line_feeds: u64,
    /// The file is in UTF-16, and this part has all of it.
    utf16: bool,
    builder: F,
}

const MAGIC: &[u8] = b"sessscan-part";
const VERSION: u8 = 4;

/// A reader of the lines that begin in a range of a file, from bytes that come in pieces cut anywhere. Memory
/// grows only with the longest line.
pub(crate) struct RangeLines {
    scanner: Scanner,
    size: u64,
    range: Range<u64>,
    /// The file is in UTF-16. The first range then has all of it.
    utf16: bool,
    /// The offset of the next byte.
    position: u64,
    /// Where the first line begins; None: not known yet.
    first: Option<u64>,
    /// The file's first bytes, as long as they do not tell how it is encoded.
    begin: Option<Vec<u8>>,
    done: bool,
}

impl RangeLines {
    /// Begin with a range of a file of `size` bytes.
    pub(crate) fn new(scanner: Scanner, size: u64, range: Range<u64>) -> Result<RangeLines, PartError> {
        if range.end > size || range.is_empty() && size > 0 || range.start > range.end {
            return Err(PartError::Range(range.start, range.end, size));
        }
        let at_start = range.start == 0;
        Ok(RangeLines {
            scanner,
            size,
            utf16: false,
            position: range.start.saturating_sub(1),
            first: at_start.then_some(0),
            begin: at_start.then(Vec::new),
            done: size == 0,
            range,
        })
    }

    /// Return the offset of the byte that is to be fed next.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Take in bytes; return whether more are needed.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> bool {
        let Some(mut begin) = self.begin.take().filter(|_| !self.done) else {
            return self.feed_lines(bytes, sink);
        };
        let left = (self.size - self.position).min(bytes.len() as u64) as usize;
        begin.extend_from_slice(&bytes[..left]);
        let ended = begin.len() as u64 == self.size;
        match utf16::order_of(&begin, ended) {
            None => {
                self.position = begin.len() as u64;
                self.begin = Some(begin);
                true
            }
            Some(order) => {
                self.utf16 = order.is_some();
                self.position = 0;
                self.feed_lines(&begin, sink)
            }
        }
    }

    fn feed_lines(&mut self, mut bytes: &[u8], sink: &mut impl Sink) -> bool {
        let end = if self.utf16 { self.size } else { self.range.end };
        if !self.done && self.first.is_none() {
            let skipped = match memchr::memchr(b'\n', bytes) {
                Some(found) => {
                    let line = self.position + found as u64 + 1;
                    if line < end {
                        self.first = Some(line);
                        self.scanner.restart(line, 1);
                    }
                    found + 1
                }
                None => bytes.len(),
            };
            self.position += skipped as u64;
            bytes = &bytes[skipped..];
            self.done = self.first.is_none() && self.position >= end;
        }
        if self.done || self.first.is_none() {
            return !self.done;
        }
        // The last line ends at the first LF from the range's last byte on.
        let before = (end - 1).saturating_sub(self.position).min(bytes.len() as u64) as usize;
        if !self.utf16
            && let Some(found) = memchr::memchr(b'\n', &bytes[before..])
        {
            bytes = &bytes[..before + found + 1];
            self.done = true;
        }
        let left = (self.size - self.position).min(bytes.len() as u64) as usize;
        self.scanner.feed(&bytes[..left], sink, &CancelToken::never());
        self.position += left as u64;
        self.done |= self.position == self.size;
        !self.done
    }

    /// Read what is left. Return from where to where the range's lines are, and how many end with a LF; None
    /// if no line begins in it.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) -> Result<Option<(Range<u64>, u64)>, PartError> {
        if !self.done {
            return Err(PartError::Short(self.position, self.size));
        }
        let Some(first) = self.first else { return Ok(None) };
        let end = self.scanner.finish(sink, &CancelToken::never());
        Ok(Some((first..end.offset, end.lines)))
    }
}

/// A scan of one range of a file, from bytes that come in pieces cut anywhere. Memory grows only with the
/// longest line.
pub struct RangeScan {
    part: Part<TranscriptBuilder>,
    lines: RangeLines,
}

impl RangeScan {
    /// Start a scan of a range of a session's transcript of `size` bytes. `version` is any text that names
    /// the state of the file: only parts of the same state can be joined.
    pub fn new(
        session_id: Option<String>,
        strictness: Strictness,
        version: String,
        size: u64,
        range: Range<u64>,
    ) -> Result<RangeScan, PartError> {
        let lines = RangeLines::new(Scanner::new(strictness, Isa::chosen()), size, range.clone())?;
        let builder = TranscriptBuilder::new(session_id.clone());
        let part = Part {
            strictness,
            session_id,
            version,
            size,
            range,
            lines: None,
            line_feeds: 0,
            utf16: false,
            builder,
        };
        Ok(RangeScan { part, lines })
    }

    /// Return the offset of the byte that is to be fed next.
    pub fn position(&self) -> u64 {
        self.lines.position()
    }

    /// Take in bytes; return whether more are needed.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        self.lines.feed(bytes, &mut self.part.builder)
    }

    /// Serialize what was found.
    pub fn finish(mut self) -> Result<Vec<u8>, PartError> {
        if let Some((lines, line_feeds)) = self.lines.finish(&mut self.part.builder)? {
            self.part.lines = Some(lines);
            self.part.line_feeds = line_feeds;
        }
        self.part.utf16 = self.lines.utf16;
        let body = postcard::to_stdvec(&self.part).expect("all of it can be serialized");
        Ok(seal(MAGIC, VERSION, &body))
    }
}

/// The joined parts of one file.
pub struct Joined {
    strictness: Strictness,
    version: String,
    size: u64,
    builder: TranscriptBuilder,
    leaf_search: Option<LeafSearch>,
}

/// A search for leaves that summaries name and that may be records before them: parts do not keep all uuids.
struct LeafSearch {
    scanner: Scanner,
    leaves: HashSet<String>,
    found: Vec<String>,
    position: u64,
    scratch: Vec<u8>,
}

impl Joined {
    /// Join all the parts of a file, given in any order. A part that is given twice counts once.
    pub fn new(parts: &[impl AsRef<[u8]>]) -> Result<Joined, PartError> {
        let read = |part: &_| -> Result<Part<TranscriptBuilder>, PartError> {
            let body = unseal(MAGIC, VERSION, AsRef::<[u8]>::as_ref(part))?;
            Ok(postcard::from_bytes(body).map_err(|_| StateError::Damaged)?)
        };
        let mut parts: Vec<Part<TranscriptBuilder>> = parts.iter().map(read).collect::<Result<_, _>>()?;
        parts.sort_by_key(|part| (part.range.start, part.range.end));
        parts.dedup_by_key(|part| part.range.clone());
        let Some(first) = parts.first() else { return Err(PartError::Missing(0)) };
        let (strictness, version) = (first.strictness, first.version.clone());
        let (size, session_id) = (first.size, first.session_id.clone());
        let mut builder = TranscriptBuilder::new(session_id.clone());
        let (mut reached, mut read_to, mut line_feeds) = (0, 0, 0);
        let utf16 = first.utf16;
        for part in parts {
            if (part.strictness, &part.version, part.size, &part.session_id)
                != (strictness, &version, size, &session_id)
            {
                return Err(PartError::Mixed);
            }
            if part.range.start > reached {
                return Err(PartError::Missing(reached));
            }
            // The first part of a file in UTF-16 has all of it, and the others took it for something else.
            let counts = !utf16 || part.range.start == 0;
            let follows = !counts || part.lines.as_ref().is_none_or(|lines| lines.start == read_to);
            if part.range.start < reached || !follows {
                return Err(PartError::Mixed);
            }
            reached = part.range.end;
            if let Some(lines) = part.lines.filter(|_| counts) {
                read_to = lines.end;
                builder.append(part.builder, line_feeds);
                line_feeds += part.line_feeds;
            }
        }
        if reached < size {
            return Err(PartError::Missing(reached));
        }
        if read_to != size {
            return Err(PartError::Mixed);
        }
        let leaves = builder.unresolved_leaves();
        let leaf_search = (!leaves.is_empty()).then(|| LeafSearch {
            scanner: Scanner::new(strictness, Isa::chosen()),
            leaves,
            found: Vec::new(),
            position: 0,
            scratch: Vec::new(),
        });
        Ok(Joined { strictness, version, size, builder, leaf_search })
    }

    /// Return whether the file must be read once more, from its first byte on: summaries name records that
    /// may be before them.
    pub fn in_doubt(&self) -> bool {
        self.leaf_search
            .as_ref()
            .is_some_and(|search| !search.leaves.is_empty() && search.position < self.size)
    }

    /// Return the file's size, and the `version` that was given to the scans.
    pub fn file(&self) -> (u64, &str) {
        (self.size, &self.version)
    }

    /// Return how the lines were read.
    pub fn strictness(&self) -> Strictness {
        self.strictness
    }

    /// Take in the file's bytes once more; return whether more are needed.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        if let Some(search) = &mut self.leaf_search {
            let LeafSearch { scanner, leaves, found, position, scratch } = search;
            let left = (self.size - *position).min(bytes.len() as u64) as usize;
            let mut sink = Leaves { leaves, found, scratch };
            scanner.feed(&bytes[..left], &mut sink, &CancelToken::never());
            *position += left as u64;
            if *position == self.size {
                scanner.finish(&mut sink, &CancelToken::never());
            }
        }
        self.in_doubt()
    }

    /// Return what the whole file says.
    pub fn finish(mut self) -> Result<Transcript, PartError> {
        if self.in_doubt() {
            let read = self.leaf_search.map_or(0, |search| search.position);
            return Err(PartError::Short(read, self.size));
        }
        if let Some(search) = self.leaf_search {
            search.found.iter().for_each(|leaf| self.builder.leaf_found(leaf));
        }
        Ok(self.builder.finish(self.size))
    }
}

struct Leaves<'a> {
    leaves: &'a mut HashSet<String>,
    found: &'a mut Vec<String>,
    scratch: &'a mut Vec<u8>,
}

impl Sink for Leaves<'_> {
    fn record(&mut self, record: &Record, _line: u64, _offset: u64) {
        if let Some(uuid) = event::text_of(record, Key::Uuid, self.scratch)
            && self.leaves.remove(&uuid)
        {
            self.found.push(uuid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: &[&str] = &[
        "\u{feff}{\"type\":\"summary\",\"summary\":\"S\",\"leafUuid\":\"late\"}\n",
        "{\"parentUuid\":null,\"uuid\":\"late\",\"cwd\":\"/\u{e9}\",\"timestamp\":\"2026-01-01T00:00:00Z\"}\r\n",
        "{\"type\":\"summary\",\"summary\":\"T\",\"leafUuid\":\"early\"}\n",
        "{\"parentUuid\":null,\"uuid\":\"early\",\"type\":\"x\\\"\\\\\"}\n",
        "\0\0\0\n\n\r\n",
        "\n",
        "\0\0\0\0\0{\"type\":\"user\",\"message\":{\"content\":\"hi\"}}\0\0\0\0\0",
        "{\"type\":\"user\",\"message\":{\"content\":\"hello\"}}{\"type\":\"custom-title\",\"customTitle\":\"C\"}\n",
        "{\"type\":\"assistant\",\"message\":{\"model\":\"m\"},\"sessionId\":\"s\",\"timestamp\":\"2026-01-02T00:00:00.5Z\"}\n",
        "{\"type\":\"ai-ti{\"type\":\"ai-title\",\"aiTitle\":\"A\"}\n",
        "{\"type\":\"torn",
    ];

    /// Scan one range of a file, fed in pieces of `piece` bytes.
    fn part(data: &[u8], range: Range<u64>, strictness: Strictness, piece: usize) -> Vec<u8> {
        let mut scan =
            RangeScan::new(Some("s".into()), strictness, "v".into(), data.len() as u64, range.clone())
                .unwrap();
        let from = scan.position() as usize;
        assert_eq!(from as u64, range.start.saturating_sub(1));
        let mut pieces = data[from..].chunks(piece);
        while !scan.lines.done {
            scan.feed(pieces.next().unwrap());
        }
        scan.finish().unwrap()
    }

    fn joined(data: &[u8], mut parts: Vec<Vec<u8>>, piece: usize) -> Transcript {
        parts.reverse();
        let mut joined = Joined::new(&parts).unwrap();
        let mut pieces = data.chunks(piece);
        while joined.in_doubt() {
            joined.feed(pieces.next().unwrap());
        }
        joined.finish().unwrap()
    }

    proptest! {
        #[test]
        fn ranges_are_the_whole(
            picks in prop::collection::vec(0..LINES.len(), 1..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            piece in 1..200_usize,
            full in any::<bool>(),
            utf16 in prop::sample::select(vec!["", "", "little", "marked"]),
        ) {
            let strictness = if full { Strictness::Full } else { Strictness::Structure };
            let text: String = picks.into_iter().map(|line| LINES[line]).collect();
            let units = || text.encode_utf16().flat_map(u16::to_le_bytes);
            let data: Vec<u8> = match utf16 {
                "little" => units().collect(),
                "marked" => b"\xff\xfe".iter().copied().chain(units()).collect(),
                _ => text.into_bytes(),
            };
            let mut cuts: Vec<u64> = cuts.into_iter().map(|at| at.index(data.len()) as u64).collect();
            cuts.extend([0, data.len() as u64]);
            cuts.sort_unstable();
            cuts.dedup();
            let parts = cuts.windows(2).map(|cut| part(&data, cut[0]..cut[1], strictness, piece)).collect();
            prop_assert_eq!(joined(&data, parts, piece), crate::scan_bytes(&data, Some("s".into()), strictness));
        }
    }

    #[test]
    fn pieces_of_each_size_are_the_whole() {
        let data = LINES.concat().into_bytes();
        let size = data.len() as u64;
        for piece in 1..200 {
            let parts = vec![part(&data, 0..size, Strictness::Structure, piece)];
            let whole = crate::scan_bytes(&data, Some("s".into()), Strictness::Structure);
            assert_eq!(joined(&data, parts, piece), whole, "{piece}");
        }
    }

    fn refused(parts: &[Vec<u8>]) -> PartError {
        Joined::new(parts).err().expect("a refusal")
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let data = LINES.concat().into_bytes();
        let size = data.len() as u64;
        let of = |start, end| part(&data, start..end, Strictness::Structure, 64);
        assert_eq!(refused(&[]), PartError::Missing(0));
        assert_eq!(refused(&[of(0, 100), of(150, size)]), PartError::Missing(100));
        assert_eq!(refused(&[of(0, 100), of(100, 150)]), PartError::Missing(150));
        assert_eq!(refused(&[of(0, 100), of(90, size)]), PartError::Mixed);
        assert_eq!(refused(&[of(0, 100), part(&data, 100..size, Strictness::Full, 64)]), PartError::Mixed);
        let others = [&data[..20], b"\n", &data[21..]].concat();
        assert_eq!(
            refused(&[part(&others, 0..10, Strictness::Structure, 64), of(10, size)]),
            PartError::Mixed,
            "lines that do not follow each other"
        );
        let mut broken = of(0, size);
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(refused(&[broken]), PartError::State(StateError::Damaged));
        assert_eq!(refused(&[b"something".to_vec()]), PartError::State(StateError::Foreign));
        assert_eq!(refused(&[seal(MAGIC, 9, b"")]), PartError::State(StateError::Version(9)));
        assert_eq!(
            refused(&[crate::Stream::new(None, Strictness::Full).state()]),
            PartError::State(StateError::Foreign)
        );

        let range =
            |size, range| RangeScan::new(None, Strictness::Structure, String::new(), size, range).err();
        #[allow(clippy::reversed_empty_ranges)]
        for (start, end, size) in [(0, 11, 10), (5, 5, 10), (6, 5, 10), (10, 10, 10)] {
            assert_eq!(range(size, start..end), Some(PartError::Range(start, end, size)));
        }
        assert_eq!(range(0, 0..0), None);
        let mut scan = RangeScan::new(None, Strictness::Structure, String::new(), 10, 3..5).unwrap();
        assert!(scan.feed(b"xx"));
        assert_eq!(scan.finish().err(), Some(PartError::Short(4, 10)));
    }

    #[test]
    fn nothing_is_read_that_need_not_be() {
        let data = b"{}\n{}\n{}\n{}";
        for (range, needed) in [(0..3, 3), (0..4, 6), (3..4, 4), (3..6, 4), (4..6, 3), (4..5, 2), (9..11, 3)]
        {
            let mut scan = RangeScan::new(None, Strictness::Full, String::new(), 11, range.clone()).unwrap();
            let from = scan.position() as usize;
            let fed = data[from..].iter().take_while(|byte| scan.feed(&[**byte])).count() + 1;
            assert_eq!(fed, needed, "{range:?}");
        }
    }

    #[test]
    fn an_empty_file() {
        assert_eq!(
            joined(b"", vec![part(b"", 0..0, Strictness::Full, 1)], 1),
            crate::scan_bytes(b"", Some("s".into()), Strictness::Full)
        );
    }
}
