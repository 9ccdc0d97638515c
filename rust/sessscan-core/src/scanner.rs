//! Scan bytes, in pieces cut anywhere, for records and defects, and find their lines and offsets.

use crate::bytes::{Buffer, Line, Region, STRIDE, View};
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::line::{DefectKind, Item, LineReader};
use crate::plain::PlainReader;
use crate::record::{Record, RecordBytes};
use crate::structure::Isa;
use crate::transcript::{Defect, MOST_DEFECTS};
use crate::utf16;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// A receiver of what a scan finds, in the order of the file.
pub(crate) trait Sink {
    /// Take a line that is not blank.
    fn line(&mut self) {}
    /// Take a record, its line, and the offset at which it begins.
    fn record(&mut self, record: &Record, line: u64, offset: u64);
    /// Take a defect.
    fn defect(&mut self, _defect: Defect) {}
    /// Take the number of defects that were left out behind the first [`MOST_DEFECTS`] of a line.
    fn more_defects(&mut self, _count: u64) {}
    /// Take what is still needed from the records since the last call, whose bytes become invalid.
    fn flush(&mut self, _bytes: RecordBytes) {}
}

/// A scanner, which splits lines, reads plain ones with the fast reader, and the others byte by byte.
///
/// Its memory is bounded by the longest line that is fed; lines of a region are read where they are.
pub(crate) struct Scanner {
    encoding: Encoding,
    /// None if every line is read byte by byte.
    plain: Option<PlainReader>,
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
        Scanner {
            encoding: Encoding::Unknown,
            plain: (strictness == Strictness::Structure).then(|| PlainReader::new(isa)),
            slow: LineReader::new(strictness),
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

    /// Make a scanner that reads every line byte by byte, to compare the fast one with.
    #[cfg(test)]
    pub(crate) fn slow(strictness: Strictness) -> Scanner {
        Scanner { plain: None, ..Scanner::new(strictness, Isa::Scalar) }
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
        let mut blank = true;
        let (mut nul_runs, mut more) = (0, 0);
        self.slow.read(content, !ended, |item| match item {
            Item::Record(record, range) => {
                blank = false;
                sink.record(&record, number, cursor.move_to(range.start) + gaps_before(range.start));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Key;
    use proptest::prelude::*;

    /// The line, the offset and the values of a record.
    type RecordOutput = (u64, u64, Vec<(Key, Vec<u8>)>);

    /// All that a scan finds.
    #[derive(Debug, Default, PartialEq)]
    struct ScanOutput {
        lines: u64,
        records: Vec<RecordOutput>,
        defects: Vec<Defect>,
    }

    impl Sink for ScanOutput {
        fn line(&mut self) {
            self.lines += 1;
        }

        fn record(&mut self, record: &Record, line: u64, offset: u64) {
            let values = Key::ALL.into_iter().filter_map(|key| {
                let mut value = Vec::new();
                record.view().copy(record.range(key)?, &mut value);
                assert!(
                    !record.is_plain(key) || (value[0] == b'"' && !value.contains(&b'\\')),
                    "plain, but {value:?}"
                );
                Some((key, value))
            });
            self.records.push((line, offset, values.collect()));
        }

        fn defect(&mut self, defect: Defect) {
            self.defects.push(defect);
        }
    }

    fn output(mut scanner: Scanner, data: &[u8], chunk: usize) -> ScanOutput {
        let mut output = ScanOutput::default();
        data.chunks(chunk.max(1)).for_each(|chunk| scanner.feed(chunk, &mut output, &CancelToken::never()));
        assert_eq!(scanner.finish(&mut output, &CancelToken::never()).offset, data.len() as u64);
        output
    }

    /// Scan the data in one piece, byte by byte, so that no NULs are left out of the buffer.
    fn output_in_one_piece(data: &[u8]) -> ScanOutput {
        let mut output = ScanOutput::default();
        let mut scanner = Scanner::slow(Strictness::Structure);
        let mut buffer = Buffer::new();
        buffer.append(data);
        let read = scanner.read_region(buffer.region(), 0, &mut output, &CancelToken::never());
        scanner.refill(Encoding::Utf8, &data[read..], Vec::new());
        scanner.finish(&mut output, &CancelToken::never());
        output
    }

    /// Scan the data in windows, each with the following data behind its end.
    fn output_in_windows(mut scanner: Scanner, data: &[u8], window: usize) -> ScanOutput {
        let mut output = ScanOutput::default();
        let mut buffer = Buffer::new();
        buffer.append(data);
        // Enough that the fast reader can load blocks up to the data's end.
        buffer.append(&[b' '; 1024]);
        let whole = buffer.region();
        let mut at = 0;
        for end in (window..data.len()).step_by(window).chain([data.len()]) {
            // SAFETY: the part begins where `whole` begins, so it is aligned and has the same readable bytes;
            // `buffer` outlives it.
            let part = unsafe { Region::new(whole.view().part(0..end), whole.readable()) };
            at += scanner.read_region(part, at, &mut output, &CancelToken::never());
        }
        scanner.refill(Encoding::Utf8, &data[at..], Vec::new());
        scanner.finish(&mut output, &CancelToken::never());
        output
    }

    fn check(data: &[u8], chunk: usize) {
        let slow = output(Scanner::slow(Strictness::Structure), data, data.len());
        for isa in Isa::available() {
            let windows = output_in_windows(Scanner::new(Strictness::Structure, isa), data, chunk);
            assert_eq!(windows, output_in_one_piece(data), "{isa:?}, windows of {chunk}");
            for chunk in [chunk, data.len()] {
                let fast = output(Scanner::new(Strictness::Structure, isa), data, chunk);
                assert_eq!(fast, slow, "{isa:?}, in pieces of {chunk}: {:?}", String::from_utf8_lossy(data));
            }
        }
    }

    /// Generate lines as they are written, lines with everything that is hard for a reader, and damage.
    fn transcript() -> impl Strategy<Value = Vec<u8>> {
        let text = prop_oneof![
            4 => prop::sample::select(vec![
                "", "a", "{", "}]", "\\\"", "\\\\", "\\n", "é", "\u{2028}", "\\ud83d", "x\\u0041",
                ", \\\"type\\\":1",
            ])
            .prop_map(str::to_owned),
            1 => (0..300_usize)
                .prop_map(|length| "lorem ipsum ".repeat(length / 12 + 1)[..length].to_owned()),
            1 => (0..140_usize).prop_map(|length| "\\\\".repeat(length)),
            1 => (0..140_usize).prop_map(|length| "é".repeat(length)),
        ];
        let string = prop::collection::vec(text, 0..6).prop_map(|texts| format!("\"{}\"", texts.concat()));
        let scalar = prop::sample::select(vec![
            "1",
            "-0.5e+10",
            "0",
            "null",
            "true",
            "false",
            "12345678901234567890123456789012345",
            "01",
            "nul",
            "1.",
            "",
        ]);
        let value = prop_oneof![string.clone(), string, scalar.prop_map(str::to_owned)].prop_recursive(
            6,
            40,
            6,
            |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 0..6)
                        .prop_map(|values| format!("[{}]", values.join(","))),
                    prop::collection::vec((any_key(), inner), 0..6).prop_map(|members| object(&members)),
                    (0..70_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
                ]
            },
        );
        let record = prop::collection::vec((any_key(), value), 0..9).prop_map(|members| object(&members));
        let end =
            prop::sample::select(vec!["\n", "\n", "\n", "\n", "\r\n", "\n\n", "", " \n", "\0\n", "\n\0\0\n"]);
        let lines = prop::collection::vec((record, end).prop_map(|(record, end)| record + end), 0..8);
        // Members that repeat in each line are read in another way.
        let times = prop_oneof![2 => Just(1), 1 => 2..7_usize];
        (lines, times).prop_map(|(lines, times)| lines.concat().repeat(times).into_bytes())
    }

    fn any_key() -> impl Strategy<Value = String> {
        let known = Key::ALL.map(|key| key.name().to_owned()).to_vec();
        prop_oneof![
            6 => prop::sample::select(known),
            1 => prop::sample::select(vec![
                "", "userType", "t\\u0079pe", "é", "a key that is far longer than those that are remembered",
                "typ", "types",
            ])
            .prop_map(str::to_owned),
        ]
    }

    fn object(members: &[(String, String)]) -> String {
        let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 20_000 }))]

        #[test]
        fn fast_and_bytewise_scans_agree(data in transcript(), chunk in 1..400_usize) {
            check(&data, chunk);
        }

        #[test]
        fn fast_and_bytewise_scans_agree_on_damage(
            mut data in transcript(),
            hits in prop::collection::vec(
                (
                    any::<prop::sample::Index>(),
                    prop::sample::select(b"\"\\{}[],: \r\n\0\x01\t1tn\x80\xff\xe2a".to_vec()),
                    0..3_u8,
                ),
                1..5,
            ),
            chunk in 1..400_usize,
        ) {
            for (at, byte, change) in hits {
                if data.is_empty() { break }
                let at = at.index(data.len());
                match change {
                    0 => data[at] = byte,
                    1 => data.insert(at, byte),
                    _ => drop(data.remove(at)),
                }
            }
            check(&data, chunk);
        }
    }

    #[test]
    fn long_runs_of_nul_take_no_memory() {
        const MANY: usize = 5 * CHUNK / 2;
        let nuls = vec![0; MANY];
        for (before, after) in [
            (&b""[..], &b""[..]),
            (b"", b"\n{}\n"),
            (b"{}", b"{}\r\n{}\n"),
            (b"\xef\xbb\xbf{\"a\":\"\xff\"} ", b" x{\"type\":1}\n{}"),
            (b"{}\n\0{\"a\":\"", b"\"}\n{}\n"),
            (b"{}\r\n", b"\r\n{}\n"),
        ] {
            let data = [b"{}\n", before, &nuls, b" ", &nuls, after].concat();
            for data in [&data[..], &data[3..]] {
                let fed = output(Scanner::new(Strictness::Structure, Isa::chosen()), data, data.len());
                assert_eq!(fed, output_in_one_piece(data));
            }
            let mut scanner = Scanner::new(Strictness::Structure, Isa::chosen());
            scanner.feed(&data, &mut ScanOutput::default(), &CancelToken::never());
            assert!(scanner.buffer.bytes().len() < MANY);
        }
    }

    #[test]
    fn fast_and_bytewise_scans_agree_on_all_short_values() {
        const BYTES: &[u8] = b"\"\\{}[],:1 \x01\xc3";
        let length = if cfg!(debug_assertions) { 4 } else { 5 };
        let mut lines = Vec::new();
        for number in 0..BYTES.len().pow(length) {
            // The lines have different lengths, so that values begin at every alignment.
            lines.extend_from_slice(b"{\"cwd\":[\"");
            let mut rest = number;
            for _ in 0..length {
                lines.push(BYTES[rest % BYTES.len()]);
                rest /= BYTES.len();
            }
            lines.extend_from_slice(b"\"],\"type\":\"x\"}\n");
            if number % 7 == 0 {
                lines.extend_from_slice(b"{\"a\":0}\n");
            }
            if lines.len() > 100_000 {
                check(&lines, 77_777);
                lines.clear();
            }
        }
        check(&lines, 7);
    }
}
