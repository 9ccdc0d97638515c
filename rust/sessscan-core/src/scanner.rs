//! Bytes, in pieces cut anywhere, to records and defects with their places in the file.

use crate::grammar::Strictness;
use crate::line::{DefectKind, Item, LineReader};
use crate::record::{Record, View};
use crate::transcript::Defect;

/// Takes what a scan finds, in the order of the file.
pub(crate) trait Sink {
    /// A line that is not blank.
    fn line(&mut self) {}
    /// A record, the line it is on and the offset it begins at.
    fn record(&mut self, record: &Record, line: u64, offset: u64);
    /// Something wrong with the bytes.
    fn defect(&mut self, _defect: Defect) {}
    /// The bytes of the records since the last call are about to go away.
    fn settle(&mut self, _view: View) {}
}

/// Splits lines and reads them. Memory is bounded by the longest line.
pub(crate) struct Scanner {
    reader: LineReader,
    /// A line whose end is still to come.
    partial: Vec<u8>,
    /// The file offset of the next byte fed.
    offset: u64,
    /// The line that the next byte fed belongs to.
    line: u64,
    defects: Vec<Defect>,
}

impl Scanner {
    pub(crate) fn new(strictness: Strictness) -> Scanner {
        Scanner {
            reader: LineReader::new(strictness),
            partial: Vec::new(),
            offset: 0,
            line: 1,
            defects: Vec::new(),
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn feed(&mut self, mut chunk: &[u8], sink: &mut impl Sink) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (head, rest) = chunk.split_at(end + 1);
            self.offset += head.len() as u64;
            if self.partial.is_empty() {
                self.read_line(head, sink);
            } else {
                let mut line = std::mem::take(&mut self.partial);
                line.extend_from_slice(head);
                self.read_line(&line, sink);
                line.clear();
                self.partial = line;
            }
            self.line += 1;
            chunk = rest;
        }
        self.offset += chunk.len() as u64;
        self.partial.extend_from_slice(chunk);
    }

    pub(crate) fn finish(mut self, sink: &mut impl Sink) {
        let line = std::mem::take(&mut self.partial);
        self.read_line(&line, sink);
    }

    /// Reads a line that ends at `self.offset`, its LF included if it has one.
    fn read_line(&mut self, line: &[u8], sink: &mut impl Sink) {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        let mut begin = self.offset - line.len() as u64;
        let mut content = line;
        let open_ended = match content.strip_suffix(b"\n") {
            Some(stripped) => {
                content = stripped.strip_suffix(b"\r").unwrap_or(stripped);
                false
            }
            None => true,
        };
        if begin == 0
            && let Some(stripped) = content.strip_prefix(BOM)
        {
            begin = BOM.len() as u64;
            content = stripped;
        }
        let number = self.line;
        let defects = &mut self.defects;
        let mut blank = true;
        self.reader.read(content, open_ended, |item| match item {
            Item::Record(record, range) => {
                blank = false;
                sink.record(&record, number, begin + range.start as u64);
            }
            Item::Defect(kind, range) => {
                blank &= kind == DefectKind::NulRun;
                defects.push(Defect {
                    line: number,
                    offset: begin + range.start as u64,
                    length: range.len() as u64,
                    kind,
                });
            }
        });
        if !blank {
            sink.line();
        }
        sink.settle(View::new(content));
        defects.sort_unstable();
        defects.drain(..).for_each(|defect| sink.defect(defect));
    }
}
