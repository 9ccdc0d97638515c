//! Check how bytes are read as a transcript.

use crate::{members, object_end};
use sessscan_core::testing::{ScanOutput, Values, keys, read_bytewise, scan_in_pieces};
use sessscan_core::{Defect, DefectKind, Isa, MOST_DEFECTS, Strictness, scan_bytes};

/// Check that all readers of a transcript agree on these bytes.
///
/// The fast scanner with each instruction set, fed in pieces, agrees with the byte-by-byte reader. The
/// byte-by-byte reader, when strict, agrees with the oracle on `serde_json`. On valid lines the structural
/// check and the strict check agree.
pub fn check(data: &[u8]) {
    let structure = read_bytewise(data, Strictness::Structure);
    let piece = piece_size(data);
    for isa in Isa::available() {
        for piece in [piece, data.len()] {
            let fast = scan_in_pieces(data, Strictness::Structure, isa, piece);
            assert_eq!(fast, structure, "{isa:?}, in pieces of {piece}");
        }
    }

    let full = read_bytewise(data, Strictness::Full);
    assert_eq!(scan_in_pieces(data, Strictness::Full, Isa::Scalar, piece), full, "in pieces of {piece}");
    assert_agree(&full, &expected(data));
    if reencoded(data).is_none() {
        // The defects of a file in UTF-16 do not tell which of its lines are valid.
        assert_agree_on_valid_lines(&structure, &full);
    }

    for (strictness, output) in [(Strictness::Structure, structure), (Strictness::Full, full)] {
        let transcript = scan_bytes(data, Some("s".to_owned()), strictness);
        let counts = (transcript.size, transcript.lines, transcript.records);
        assert_eq!(counts, (data.len() as u64, output.lines, output.records.len() as u64));
        assert_eq!(transcript.defect_count, output.defects.len() as u64);
        assert!(transcript.defects.iter().eq(output.defects.iter().take(MOST_DEFECTS)));
    }
}

/// Choose the size in bytes of the pieces: arbitrary, but the same for the same data.
fn piece_size(data: &[u8]) -> usize {
    let hash = data.iter().fold(0_usize, |hash, byte| (hash ^ usize::from(*byte)).wrapping_mul(0x0100_0193));
    1 + (hash >> 8) % 150
}

fn assert_agree(ours: &ScanOutput, expected: &ScanOutput) {
    assert_eq!(ours.defects, expected.defects);
    assert_eq!(ours.lines, expected.lines);
    assert_eq!(ours.records.len(), expected.records.len());
    for (ours, expected) in ours.records.iter().zip(&expected.records) {
        assert_eq!((ours.0, ours.1), (expected.0, expected.1));
        // The oracle has no values for a record that is not text.
        assert!(expected.2.is_empty() || ours.2 == expected.2, "{ours:?}, but {expected:?}");
    }
}

/// Check that both strictnesses give the same for lines without damage.
fn assert_agree_on_valid_lines(loose: &ScanOutput, strict: &ScanOutput) {
    let broken = |kind| matches!(kind, DefectKind::Invalid | DefectKind::Torn | DefectKind::Spliced);
    let is_valid = |line| !strict.defects.iter().any(|defect| defect.line == line && broken(defect.kind));
    assert!(
        loose
            .defects
            .iter()
            .filter(|defect| is_valid(defect.line))
            .eq(strict.defects.iter().filter(|defect| is_valid(defect.line)))
    );
    assert!(
        loose
            .records
            .iter()
            .filter(|record| is_valid(record.0))
            .eq(strict.records.iter().filter(|record| is_valid(record.0)))
    );
    assert_eq!(loose.lines, strict.lines);
}

/// Return what a strict scan must report.
fn expected(data: &[u8]) -> ScanOutput {
    let Some((text, offsets)) = reencoded(data) else { return expected_of_text(data, true) };
    let mut output = expected_of_text(&text, false);
    for (_, offset, _) in &mut output.records {
        *offset = offsets[*offset as usize];
    }
    output.defects = vec![Defect { line: 1, offset: 0, length: data.len() as u64, kind: DefectKind::Utf16 }];
    output
}

/// Return the UTF-8 of a file in UTF-16, and for each byte of that the offset of its character in the file.
fn reencoded(data: &[u8]) -> Option<(Vec<u8>, Vec<u64>)> {
    let zeros: Vec<bool> = data.iter().take(16).map(|byte| *byte == 0).collect();
    let little = data.starts_with(b"\xff\xfe") || zeros == [false, true].repeat(8);
    if !little && !data.starts_with(b"\xfe\xff") && zeros != [true, false].repeat(8) {
        return None;
    }
    let unit = |two: &[u8]| match little {
        true => u16::from_le_bytes([two[0], two[1]]),
        false => u16::from_be_bytes([two[0], two[1]]),
    };
    let units: Vec<u16> = data.chunks_exact(2).map(unit).collect();
    let (mut text, mut offsets, mut offset) = (String::new(), Vec::new(), 0);
    for character in char::decode_utf16(units).map(|decoded| decoded.unwrap_or('\u{fffd}')) {
        if offset > 0 || character != '\u{feff}' {
            text.push(character);
            offsets.resize(text.len(), offset);
        }
        offset += 2 * character.len_utf16() as u64;
    }
    if data.len() % 2 == 1 {
        text.push('\u{fffd}');
        offsets.resize(text.len(), offset);
    }
    Some((text.into_bytes(), offsets))
}

/// Return the same of a text in UTF-8; `marked` says that a byte order mark at its start is dropped.
fn expected_of_text(data: &[u8], marked: bool) -> ScanOutput {
    let mut output = ScanOutput::default();
    let mut begin = 0;
    for (number, line) in (1..).zip(data.split_inclusive(|byte| *byte == b'\n')) {
        let end = begin + line.len();
        read(line, number, begin, marked, &mut output);
        begin = end;
    }
    output
}

fn read(line: &[u8], number: u64, mut begin: usize, marked: bool, output: &mut ScanOutput) {
    let ended = line.ends_with(b"\n");
    let mut content = line;
    if ended {
        content = &content[..content.len() - 1];
        content = content.strip_suffix(b"\r").unwrap_or(content);
    }
    if marked && number == 1 && content.starts_with(b"\xef\xbb\xbf") {
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
        output.lines += 1;
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
            output.records.push((number, (begin + from) as u64, values));
        }
    }
    defects.sort_unstable();
    output.defects.extend(defects);
}

fn after_padding(content: &[u8], from: usize) -> usize {
    let padding = |byte: &&u8| matches!(byte, 0 | b' ' | b'\t' | b'\r');
    from + content[from..].iter().take_while(padding).count()
}

/// Return the positions of the complete objects from `at` on, and where they end.
fn objects(content: &[u8], mut at: usize) -> (Vec<(usize, usize)>, usize) {
    let mut found = Vec::new();
    while let Some(end) = object_end(content, at) {
        found.push((at, end));
        at = after_padding(content, end);
    }
    (found, at)
}

type Tail = (usize, Vec<(usize, usize)>);

/// Find the first run of complete objects that begins as a record does and reaches the end of the line.
fn tail(content: &[u8], rest: usize) -> Option<Tail> {
    let begins = |at: &usize| {
        content[*at..].starts_with(br#"{"parentUuid":"#) || content[*at..].starts_with(br#"{"type":"#)
    };
    (rest..content.len()).filter(begins).find_map(|at| {
        let (records, end) = objects(content, at);
        (end == content.len()).then_some((at, records))
    })
}

/// Return the values that count; None if the record contains bytes or escapes that are not text.
fn values(record: &[u8]) -> Option<Values> {
    let members = members(record)?;
    let last = |name| members.iter().rfind(|(key, _)| key == name);
    Some(keys().filter_map(|name| Some((name, last(name)?.1.clone().into_bytes()))).collect())
}
