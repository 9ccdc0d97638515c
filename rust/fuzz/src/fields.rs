//! Check which fields are read of bytes as a transcript.

use crate::{members, object_end};
use serde_json::value::RawValue;
use sessscan_core::testing::{fields_in_pieces, scan_in_pieces};
use sessscan_core::{DefectKind, FieldsBatch, FieldsPlan, Isa, Strictness};
use std::sync::Arc;

/// The paths that are read, each as JSON. Their keys are in the fuzzer's dictionary.
const PATHS: &[&[&str]] = &[
    &["type"],
    &["uuid"],
    &["message"],
    &["message", "content"],
    &["message", "content", "0"],
    &["message", "content", "0", "type"],
    &["message", "content", "1", "text"],
    &["message", "model"],
    &["message", "type", "type"],
    &["worktreeSession", "worktreePath"],
    &["type", "0"],
];

/// Check that all readers find the same fields in these bytes, and that the strict one finds what `serde_json` does.
pub fn check(data: &[u8]) {
    let columns: Vec<(String, String)> =
        PATHS.iter().map(|path| (path.join(" "), format!("{}:json", path.join(".")))).collect();
    let select: Vec<_> = columns.iter().map(|(name, path)| (&**name, (&**path, None))).collect();
    let plan = Arc::new(FieldsPlan::new(&select, &[]).expect("these are paths"));

    let structure = fields_in_pieces(data, &plan, Strictness::Structure, None, data.len());
    let piece = 1 + data.iter().fold(0_usize, |hash, byte| hash.wrapping_mul(31) ^ usize::from(*byte)) % 150;
    for isa in Isa::available() {
        for piece in [piece, data.len()] {
            let fast = fields_in_pieces(data, &plan, Strictness::Structure, Some(isa), piece);
            assert_eq!(fast, structure, "{isa:?}, in pieces of {piece}");
        }
    }
    let full = fields_in_pieces(data, &plan, Strictness::Full, None, piece);
    assert_values(data, &full);
}

/// Check the values of a strict reading against those of `serde_json`.
fn assert_values(data: &[u8], fields: &FieldsBatch) {
    let scan = scan_in_pieces(data, Strictness::Full, Isa::Scalar, data.len());
    assert_eq!(fields.defects.iter().map(|(_, defect)| *defect).collect::<Vec<_>>(), scan.defects);
    assert_eq!(fields.lines, scan.records.iter().map(|record| record.0).collect::<Vec<_>>());
    if scan.defects.iter().any(|defect| defect.kind == DefectKind::Utf16) {
        return; // what is at an offset is not what is read
    }
    for (row, (_, offset, _)) in scan.records.iter().enumerate() {
        let begin = *offset as usize;
        let record = &data[begin..object_end(data, begin).expect("it was read")];
        // The oracle has no values for a record that is not text.
        let Some(record) = std::str::from_utf8(record).ok().filter(|_| members(record).is_some()) else {
            continue;
        };
        for (path, column) in PATHS.iter().zip(&fields.columns) {
            let Ok(value) = at_path(record, path) else { continue };
            let value = value.filter(|value| value != "null");
            assert_eq!(column.text(row), value.as_deref(), "{path:?} of {record}");
        }
    }
}

/// Return the text of the value at a path; an error if a container on the way is not text.
fn at_path(record: &str, path: &[&str]) -> Result<Option<String>, ()> {
    let mut value = record.to_owned();
    for step in path {
        let inner = match value.as_bytes().first() {
            Some(b'{') => {
                let members = members(value.as_bytes()).ok_or(())?;
                members.into_iter().rfind(|(key, _)| key == step).map(|(_, value)| value)
            }
            Some(b'[') => {
                let elements: Vec<Box<RawValue>> = serde_json::from_str(&value).map_err(drop)?;
                step.parse().ok().and_then(|at: usize| elements.get(at).map(|value| value.get().to_owned()))
            }
            _ => None,
        };
        match inner {
            Some(inner) => value = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}
