//! How a transcript reads.

use crate::{members, object_end};
use sessscan_core::testing::{Said, Values, keys};
use sessscan_core::{Defect, DefectKind};

/// What a scan with every byte checked has to say.
pub fn expected(data: &[u8]) -> Said {
    let mut said = Said::default();
    let mut begin = 0;
    for (number, line) in (1..).zip(data.split_inclusive(|byte| *byte == b'\n')) {
        let end = begin + line.len();
        read(line, number, begin, &mut said);
        begin = end;
    }
    said
}

fn read(line: &[u8], number: u64, mut begin: usize, said: &mut Said) {
    let ended = line.ends_with(b"\n");
    let mut content = line;
    if ended {
        content = &content[..content.len() - 1];
        content = content.strip_suffix(b"\r").unwrap_or(content);
    }
    if number == 1 && content.starts_with(b"\xef\xbb\xbf") {
        content = &content[3..];
        begin += 3;
    }

    let mut defects = Vec::new();
    let mut defect = |kind, from: usize, to: usize| {
        defects.push(Defect {
            line: number,
            offset: (begin + from) as u64,
            length: (to - from) as u64,
            kind,
        });
    };
    let is_run_start = |at: &usize| content[*at] == 0 && (*at == 0 || content[*at - 1] != 0);
    for from in (0..content.len()).filter(is_run_start) {
        let to = (from..content.len()).find(|at| content[*at] != 0).unwrap_or(content.len());
        defect(DefectKind::NulRun, from, to);
    }
    let first = after_padding(content, 0);
    if first < content.len() {
        said.lines += 1;
        if std::str::from_utf8(content).is_err() {
            defect(DefectKind::InvalidUtf8, 0, content.len());
        }
        let (mut records, rest) = objects(content, first);
        if rest == content.len() {
            if records.len() > 1 {
                defect(DefectKind::Glued, 0, content.len());
            }
        } else if let Some((at, tail)) = tail(content, rest) {
            defect(DefectKind::Spliced, rest, at);
            records.extend(tail);
        } else {
            defect(if ended { DefectKind::Invalid } else { DefectKind::Torn }, rest, content.len());
        }
        for (from, to) in records {
            let values = values(&content[from..to]).unwrap_or_default();
            said.records.push((number, (begin + from) as u64, values));
        }
    }
    defects.sort_unstable();
    said.defects.extend(defects);
}

fn after_padding(content: &[u8], from: usize) -> usize {
    let padding = |byte: &&u8| matches!(byte, 0 | b' ' | b'\t' | b'\r');
    from + content[from..].iter().take_while(padding).count()
}

/// The complete objects from a place on, and where no more of them follows.
fn objects(content: &[u8], mut at: usize) -> (Vec<(usize, usize)>, usize) {
    let mut found = Vec::new();
    while let Some(end) = object_end(content, at) {
        found.push((at, end));
        at = after_padding(content, end);
    }
    (found, at)
}

type Tail = (usize, Vec<(usize, usize)>);

/// The first run of complete objects that begins as records do and reaches the end.
fn tail(content: &[u8], rest: usize) -> Option<Tail> {
    let begins = |at: &usize| {
        content[*at..].starts_with(br#"{"parentUuid":"#) || content[*at..].starts_with(br#"{"type":"#)
    };
    (rest..content.len()).filter(begins).find_map(|at| {
        let (records, end) = objects(content, at);
        (end == content.len()).then_some((at, records))
    })
}

/// The values that count; None where this oracle cannot tell: bytes and escapes that are no text.
pub fn values(record: &[u8]) -> Option<Values> {
    let members = members(record)?;
    let last = |name| members.iter().rfind(|(key, _)| key == name);
    Some(keys().filter_map(|name| Some((name, last(name)?.1.clone().into_bytes()))).collect())
}
