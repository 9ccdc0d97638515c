//! Bytes as a transcript: the fast scanner at each width, fed in pieces, says what the byte-by-byte reader
//! says; that one, strict, says what the rules on `serde_json` say; and strictness only ever takes records away.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessscan_core::testing::{Said, read_slowly, scanned};
use sessscan_core::{DefectKind, Strictness, Width, scan_bytes};
use sessscan_fuzz::lines::expected;

fuzz_target!(|data: &[u8]| {
    let structure = read_slowly(data, Strictness::Structure);
    let piece = piece(data);
    for width in Width::available() {
        for piece in [piece, data.len()] {
            let fast = scanned(data, Strictness::Structure, width, piece);
            assert_eq!(fast, structure, "{width:?}, in pieces of {piece}");
        }
    }

    let full = read_slowly(data, Strictness::Full);
    assert_eq!(scanned(data, Strictness::Full, Width::Scalar, piece), full, "in pieces of {piece}");
    agree(&full, &expected(data));
    loose_is_strict_on_whole_lines(&structure, &full);

    for (strictness, said) in [(Strictness::Structure, structure), (Strictness::Full, full)] {
        let transcript = scan_bytes(data, Some("s".to_owned()), strictness);
        let counts = (transcript.size, transcript.lines, transcript.records);
        assert_eq!(counts, (data.len() as u64, said.lines, said.records.len() as u64));
        assert_eq!(transcript.defects, said.defects);
    }
});

/// So many bytes are fed at a time: any number, but the same one for the same data.
fn piece(data: &[u8]) -> usize {
    let hash = data.iter().fold(0_usize, |hash, byte| (hash ^ usize::from(*byte)).wrapping_mul(0x0100_0193));
    1 + (hash >> 8) % 150
}

fn agree(ours: &Said, expected: &Said) {
    assert_eq!(ours.defects, expected.defects);
    assert_eq!(ours.lines, expected.lines);
    assert_eq!(ours.records.len(), expected.records.len());
    for (ours, expected) in ours.records.iter().zip(&expected.records) {
        assert_eq!((ours.0, ours.1), (expected.0, expected.1));
        // Nothing is expected of a record that is not text.
        assert!(expected.2.is_empty() || ours.2 == expected.2, "{ours:?}, but {expected:?}");
    }
}

/// On a line that is all JSON both readings give the same.
fn loose_is_strict_on_whole_lines(loose: &Said, strict: &Said) {
    let broken = |kind| matches!(kind, DefectKind::Invalid | DefectKind::Torn | DefectKind::Spliced);
    let is_whole = |line| !strict.defects.iter().any(|defect| defect.line == line && broken(defect.kind));
    assert!(
        loose
            .defects
            .iter()
            .filter(|defect| is_whole(defect.line))
            .eq(strict.defects.iter().filter(|defect| is_whole(defect.line)))
    );
    assert!(
        loose
            .records
            .iter()
            .filter(|record| is_whole(record.0))
            .eq(strict.records.iter().filter(|record| is_whole(record.0)))
    );
    assert_eq!(loose.lines, strict.lines);
}
