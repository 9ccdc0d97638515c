//! Scan bytes, in pieces cut anywhere, for records and defects, and find their lines and offsets.

use crate::bytes::{Buffer, Line, Region, STRIDE, View};
use crate::cancel::CancelToken;
use crate::conversation::facts::Facts;
use crate::conversation::walk;
use crate::grammar::Strictness;
use crate::line::{DefectKind, Item, LineReader};
use crate::plain::PlainReader;
use crate::record::{KeyNames, Record, RecordBytes};
use crate::structure::Isa;
use crate::transcript::{Defect, MOST_DEFECTS};
use crate::utf16;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::ops::Range;

/// A receiver of what a scan finds, in the order of the file.
pub(crate) trait Sink {
    /// Take a line that is not blank.
    fn line(&mut self) {}
    /// Take a record, its line, and the offset at which it begins.
    fn record(&mut self, record: &Record, line: u64, offset: u64);
    /// Take a record of a line that was read byte by byte, with more about where it is.
    fn placed(&mut self, record: &Record, place: Place) {
        self.record(record, place.line, place.offset);
    }
    /// Take a record whose every byte was proved right, if the scanner was made to prove that.
    fn proved(&mut self, _facts: &Facts, _view: View, _place: Place) {
        unreachable!("only a sink with this method is given to such a scanner");
    }
    /// Take a defect.
    fn defect(&mut self, _defect: Defect) {}
    /// Take the number of defects that were left out behind the first [`MOST_DEFECTS`] of a line.
    fn more_defects(&mut self, _count: u64) {}
    /// Take what is still needed from the records since the last call, whose bytes become invalid.
    fn flush(&mut self, _bytes: RecordBytes) {}
}

/// Where a record is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) offset: u64,
    /// How many bytes of the file it has.
    pub(crate) length: u64,
    /// Its range in the bytes that are scanned.
    pub(crate) range: Range<usize>,
    /// How many bytes of its line come before it there, and how many behind it before the LF.
    pub(crate) lead: usize,
    pub(crate) rest: usize,
    /// What is around it on its line.
    pub(crate) around: Around,
    /// Its line ends with a LF.
    pub(crate) ended: bool,
}

/// What is around a record on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// Nothing but what JSON allows around a value.
    Blanks,
    /// The same, and before it bytes up to 0x20.
    Padding,
    /// Anything else: another object, NULs behind it, a byte order mark, or the whole file is in UTF-16.
    Other,
}

/// A scanner, which splits lines, reads plain ones with the fast reader, and the others byte by byte.
///
/// Its memory is bounded by the longest line that is fed; lines of a region are read where they are.
pub(crate) struct Scanner {
    encoding: Encoding,
    /// None if every line is read byte by byte.
    plain: Option<PlainReader>,
    /// The instruction set of the fast reader that proves every byte, and its memory; None without it.
    proving: Option<(Isa, Box<Facts>)>,
    slow: LineReader,
    /// The beginning of a line, which was fed and is not read yet.
    buffer: Buffer,
    /// How many bytes of the buffer are known to hold no LF.
    searched: usize,
    /// Runs of NULs that were fed but are left out of the buffer: their position in it, and their length. A
    /// crash may leave gigabytes of them.
    gaps: Vec<(usize, u64)>,
    /// The file offset of the buffer's start.
    offset: u64,
    /// The number of the line that begins there.
    line: u64,
    /// Bytes in UTF-16 that were read from a file, and bytes that were decoded.
    encoded: Buffer,
    decoded: Vec<u8>,
    defects: Vec<Defect>,
}

/// How a file's text is encoded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Encoding {
    /// Too few of the file's first bytes are known. They are in the buffer.
    Unknown,
    Utf8,
    /// The buffer has the text in UTF-8; offsets are those of the file.
    Utf16(utf16::Decoder),
}

/// Finds the offset in the file of places in a text, one after the other.
struct Cursor<'a> {
    text: View<'a>,
    at: usize,
    offset: u64,
    utf16: bool,
}

impl Cursor<'_> {
    /// Move to a place that is not before the last one; return its offset.
    #[inline(always)]
    fn move_to(&mut self, at: usize) -> u64 {
        self.offset += if self.utf16 { self.utf16_to(at) } else { (at - self.at) as u64 };
        self.at = at;
        self.offset
    }

    #[cold]
    fn utf16_to(&self, at: usize) -> u64 {
        let mut piece = Vec::new();
        (self.at..at)
            .step_by(CHUNK)
            .map(|from| utf16::length(self.text.copy(from..at.min(from + CHUNK), &mut piece)))
            .sum()
    }
}

/// The end of the bytes scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The offset behind the last byte.
    pub(crate) offset: u64,
    /// The number of LFs.
    pub(crate) lines: u64,
}

/// How many bytes are read at a time: few enough to stay in a core's cache, enough that the calls cost
/// nothing.
const CHUNK: usize = 256 * 1024;

impl Scanner {
    pub(crate) fn new(strictness: Strictness, isa: Isa) -> Scanner {
        Scanner::for_keys(KeyNames::Transcript, strictness, isa)
    }

    /// Make a scanner whose records have the values of these keys.
    pub(crate) fn for_keys(names: KeyNames, strictness: Strictness, isa: Isa) -> Scanner {
        Scanner {
            encoding: Encoding::Unknown,
            plain: (strictness == Strictness::Structure).then(|| PlainReader::new(isa, names.clone())),
            proving: None,
            slow: LineReader::new(strictness, names),
            buffer: Buffer::new(),
            searched: 0,
            gaps: Vec::new(),
            offset: 0,
            line: 1,
            encoded: Buffer::new(),
            decoded: Vec::new(),
            defects: Vec::new(),
        }
    }

    /// Make a scanner that gives its sink the facts of each record, and proves every byte of it.
    pub(crate) fn proving(isa: Isa) -> Scanner {
        Scanner { proving: Some((isa, Box::new(Facts::new()))), ..Scanner::new(Strictness::Full, isa) }
    }

    /// Make a scanner that reads every line byte by byte, to compare the fast one with.
    #[cfg(test)]
    pub(crate) fn slow(strictness: Strictness) -> Scanner {
        Scanner::slow_for_keys(KeyNames::Transcript, strictness)
    }

    /// Make such a scanner whose records have the values of these keys.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn slow_for_keys(names: KeyNames, strictness: Strictness) -> Scanner {
        Scanner { plain: None, ..Scanner::for_keys(names, strictness, Isa::Scalar) }
    }

    /// Begin anew at a line's start, with its offset and number. Memory and learned keys are kept.
    ///
    /// A text in UTF-16 can only be read from a file's start.
    pub(crate) fn restart(&mut self, offset: u64, line: u64) {
        self.encoding = if offset == 0 { Encoding::Unknown } else { Encoding::Utf8 };
        self.buffer.truncate(0);
        self.searched = 0;
        self.gaps.clear();
        self.offset = offset;
        self.line = line;
    }

    pub(crate) fn strictness(&self) -> Strictness {
        self.slow.strictness()
    }

    /// Return the offset and number of the line that is not read yet, what was fed of it, and the gaps in
    /// that.
    pub(crate) fn position(&self) -> (u64, u64, &[u8], &[(usize, u64)]) {
        (self.offset, self.line, self.buffer.bytes(), &self.gaps)
    }

    pub(crate) fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    pub(crate) fn is_utf16(&self) -> bool {
        matches!(self.encoding, Encoding::Utf16(_))
    }

    /// Feed what `position` and `encoding` returned of a line.
    pub(crate) fn refill(&mut self, encoding: Encoding, partial: &[u8], gaps: Vec<(usize, u64)>) {
        self.encoding = encoding;
        self.buffer.append(partial);
        // Bytes whose encoding is not known were not searched.
        self.searched = if matches!(self.encoding, Encoding::Unknown) { 0 } else { partial.len() };
        self.gaps = gaps;
    }

    /// Return whether bytes were fed of a line that has not ended yet.
    pub(crate) fn is_inside_a_line(&self) -> bool {
        !self.buffer.bytes().is_empty()
    }

    /// Return the offset behind the last byte that was fed.
    pub(crate) fn size(&self) -> u64 {
        match &self.encoding {
            Encoding::Utf16(decoder) => decoder.taken(),
            _ => {
                let gaps: u64 = self.gaps.iter().map(|(_, count)| count).sum();
                self.offset + self.buffer.bytes().len() as u64 + gaps
            }
        }
    }

    /// Scan bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink, token: &CancelToken) {
        for chunk in bytes.chunks(CHUNK) {
            self.append(chunk);
            self.read_buffer(sink, token);
        }
    }

    /// Scan what one read returns. Return how many bytes that was; 0 at the end.
    pub(crate) fn feed_from(
        &mut self,
        file: &mut impl Read,
        sink: &mut impl Sink,
        token: &CancelToken,
    ) -> io::Result<usize> {
        let count = if self.is_utf16() {
            let mut encoded = std::mem::replace(&mut self.encoded, Buffer::new());
            encoded.truncate(0);
            let count = encoded.append_from(file, CHUNK);
            self.append(encoded.bytes());
            self.encoded = encoded;
            count?
        } else {
            self.buffer.append_from(file, CHUNK)?
        };
        self.read_buffer(sink, token);
        Ok(count)
    }

    /// Append bytes of the file to the buffer.
    fn append(&mut self, bytes: &[u8]) {
        if let Encoding::Utf16(decoder) = &mut self.encoding {
            self.decoded.clear();
            decoder.push(bytes, &mut self.decoded);
            self.buffer.append(&self.decoded);
        } else {
            self.buffer.append(bytes);
        }
    }

    /// Find out how the bytes in the buffer are encoded, which are the file's first; `ended` says that there
    /// are no more. Return false if more must be known.
    fn find_encoding(&mut self, ended: bool) -> bool {
        let Some(order) = utf16::order_of(self.buffer.bytes(), ended) else { return false };
        self.encoding = match order {
            None => Encoding::Utf8,
            Some(order) => {
                let buffer = std::mem::replace(&mut self.buffer, Buffer::new());
                self.encoding = Encoding::Utf16(utf16::Decoder::new(order));
                self.append(buffer.bytes());
                let mark = buffer.bytes().starts_with(b"\xff\xfe") || buffer.bytes().starts_with(b"\xfe\xff");
                self.offset = if mark { 2 } else { 0 };
                return true;
            }
        };
        true
    }

    fn read_buffer(&mut self, sink: &mut impl Sink, token: &CancelToken) {
        if matches!(self.encoding, Encoding::Unknown) && !self.find_encoding(false) {
            return;
        }
        let bytes = self.buffer.bytes();
        let new = &bytes[self.searched..];
        if memchr::memchr(b'\n', new).is_none() {
            let after_nul = self.searched > 0 && bytes[self.searched - 1] == 0;
            if after_nul && !new.is_empty() && new.iter().all(|byte| *byte == 0) {
                let count = new.len() as u64;
                match self.gaps.last_mut() {
                    Some((at, gap)) if *at == self.searched => *gap += count,
                    _ => self.gaps.push((self.searched, count)),
                }
                self.buffer.truncate(self.searched);
            }
            self.searched = self.buffer.bytes().len();
            return;
        }
        let buffer = std::mem::replace(&mut self.buffer, Buffer::new());
        let read = self.read_text(buffer.region(), 0, sink, token);
        self.buffer = buffer;
        self.buffer.consume(read);
        self.searched = self.buffer.bytes().len();
    }

    /// Read the whole lines of a region from `from` on, and return how many bytes they are. Nothing may be
    /// left of bytes that were fed, and the file must not be in UTF-16.
    #[cfg(any(unix, test))]
    pub(crate) fn read_region(
        &mut self,
        region: Region,
        from: usize,
        sink: &mut impl Sink,
        token: &CancelToken,
    ) -> usize {
        self.encoding = Encoding::Utf8;
        self.read_text(region, from, sink, token)
    }

    fn read_text(&mut self, region: Region, from: usize, sink: &mut impl Sink, token: &CancelToken) -> usize {
        let region = region.cancelled_by(token);
        let view = region.view();
        let bytes = self.plain.as_ref().map_or(Line::from(view).into(), |plain| plain.bytes(region));
        let mut cursor = Cursor { text: view, at: from, offset: self.offset, utf16: self.is_utf16() };
        let mut at = from;
        let mut kept = from;
        loop {
            if let Some(plain) = &mut self.plain {
                let line = &mut self.line;
                at = plain.read_lines(region, at, |record, start, _| {
                    sink.line();
                    sink.record(record, *line, cursor.move_to(start));
                    *line += 1;
                });
            }
            if let Some((isa, facts)) = &mut self.proving {
                let line = &mut self.line;
                at = walk::read_lines(*isa, region, at, facts, |facts, start, end, next| {
                    sink.line();
                    let offset = cursor.move_to(start);
                    let length = cursor.move_to(end) - offset;
                    let around = if cursor.utf16 { Around::Other } else { Around::Blanks };
                    let place = Place {
                        line: *line,
                        offset,
                        length,
                        range: start..end,
                        lead: 0,
                        rest: next - 1 - end,
                        around,
                        ended: true,
                    };
                    sink.proved(facts, view, place);
                    *line += 1;
                });
            }
            let Some(end) = region.find(b'\n', at..view.len()) else { break };
            sink.flush(bytes);
            self.offset = cursor.move_to(at);
            cursor.offset += self.read_line(region.line(at..end + 1), true, sink);
            if token.is_cancelled() {
                break;
            }
            self.line += 1;
            at = end + 1;
            if at - kept > STRIDE {
                region.give_back(kept..at);
                kept = at;
            }
        }
        sink.flush(bytes);
        self.offset = cursor.move_to(at);
        at - from
    }

    /// Read the file's last line, if it has no LF.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink, token: &CancelToken) -> End {
        if matches!(self.encoding, Encoding::Unknown) {
            self.find_encoding(true);
            self.read_buffer(sink, token);
        }
        if let Encoding::Utf16(decoder) = &mut self.encoding {
            self.decoded.clear();
            decoder.finish(&mut self.decoded);
            self.buffer.append(&self.decoded);
        }
        let size = self.size();
        let buffer = std::mem::replace(&mut self.buffer, Buffer::new());
        let line = Line { token: Some(token), ..View::new(buffer.bytes()).into() };
        self.read_line(line, false, sink);
        self.buffer = buffer;
        if self.is_utf16() {
            sink.defect(Defect { line: 1, offset: 0, length: size, kind: DefectKind::Utf16 });
        }
        End { offset: size, lines: self.line - 1 }
    }

    /// Read the file's last line, which has no LF, where it is. Nothing of it may have been fed.
    #[cfg(unix)]
    pub(crate) fn finish_with(&mut self, line: Line, sink: &mut impl Sink) -> End {
        self.read_line(line, false, sink);
        End { offset: self.offset + line.view.len() as u64, lines: self.line - 1 }
    }

    /// Read the line that begins at `self.offset` byte by byte; with its LF, if `ended`. Return how many bytes
    /// of it were in gaps.
    fn read_line(&mut self, line: Line, ended: bool, sink: &mut impl Sink) -> u64 {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        let mut end = line.view.len();
        if ended {
            end -= 1;
            end -= usize::from(end > 0 && line.view.byte(end - 1) == b'\r');
        }
        let bom = if self.offset == 0 && end >= BOM.len() && line.view.equals(0..BOM.len(), BOM) {
            BOM.len()
        } else {
            0
        };
        let begin = self.offset + bom as u64;
        let content = line.part(bom..end);
        let number = self.line;
        let utf16 = self.is_utf16();
        let defects = &mut self.defects;
        let mut gaps = std::mem::take(&mut self.gaps);
        // How many bytes are in gaps up to the end of each.
        let mut bytes_in_gaps = 0;
        for (_, count) in &mut gaps {
            bytes_in_gaps += if utf16 { 2 * *count } else { *count };
            *count = bytes_in_gaps;
        }
        // A gap follows a NUL, so a range that ends at a gap's position is a run of NULs that includes the
        // gap.
        let gaps_before = |at: usize| match gaps.partition_point(|(gap, _)| *gap <= bom + at) {
            0 => 0,
            count => gaps[count - 1].1,
        };
        let mut cursor = Cursor { text: content.view, at: 0, offset: begin, utf16 };
        let (mut blank, mut first) = (true, true);
        let (mut nul_runs, mut more) = (0, 0);
        self.slow.read(content, !ended, |item| match item {
            Item::Record(record, range) => {
                blank = false;
                let first = std::mem::replace(&mut first, false);
                let offset = cursor.move_to(range.start) + gaps_before(range.start);
                let around =
                    if first && bom == 0 && !utf16 { around(content, &range) } else { Around::Other };
                let length = cursor.move_to(range.end) + gaps_before(range.end) - offset;
                let (lead, rest) = (bom + range.start, line.view.len() - bom - range.end);
                let rest = rest - usize::from(ended);
                sink.placed(
                    &record,
                    Place { line: number, offset, length, range, lead, rest, around, ended },
                );
            }
            Item::Defect(kind, range) => {
                blank &= kind == DefectKind::NulRun;
                nul_runs += usize::from(kind == DefectKind::NulRun);
                if utf16 {
                    // The file's encoding is its one defect.
                } else if kind == DefectKind::NulRun && nul_runs > MOST_DEFECTS {
                    more += 1;
                } else {
                    let offset_of = |at: usize| begin + at as u64 + gaps_before(at);
                    let offset = offset_of(range.start);
                    defects.push(Defect {
                        line: number,
                        offset,
                        length: offset_of(range.end) - offset,
                        kind,
                    });
                }
            }
        });
        if !blank {
            sink.line();
        }
        sink.flush(content.into());
        defects.sort_unstable();
        defects.drain(..).for_each(|defect| sink.defect(defect));
        if more > 0 {
            sink.more_defects(more);
        }
        bytes_in_gaps
    }
}

/// Return what is around the first record of a line, given the line's content.
fn around(content: Line, record: &Range<usize>) -> Around {
    if record.start == 0 && record.end == content.view.len() {
        return Around::Blanks;
    }
    let mut pieces = content.pieces(Vec::new());
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r');
    if pieces.skip(record.end, is_blank) < content.view.len() {
        Around::Other
    } else if pieces.skip(0, is_blank) == record.start {
        Around::Blanks
    } else if pieces.skip(0, |byte| byte <= b' ') == record.start {
        Around::Padding
    } else {
        Around::Other
    }
}

#[cfg(test)]
mod tests;
