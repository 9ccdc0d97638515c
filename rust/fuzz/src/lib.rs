//! Check the core against slow oracles that are built on `serde_json`.
//!
//! `rust/fuzz/run` fuzzes. `cargo test` checks the seeds alone, without a fuzzer.

pub mod fields;
pub mod lines;
pub mod rows;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Return whether bytes are one JSON document. Strings may contain invalid UTF-8 and lone surrogate escapes.
pub fn is_json(data: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(data).is_ok()
}

/// Return where the JSON object that begins at `start` ends, or None if none begins there.
pub fn object_end(data: &[u8], start: usize) -> Option<usize> {
    let rest = data.get(start..).filter(|rest| rest.starts_with(b"{"))?;
    let mut documents = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
    documents.next()?.ok()?;
    Some(start + documents.byte_offset())
}

/// Return the members of an object with their raw values; None if it is not an object or not all of it is
/// text.
pub fn members(object: &[u8]) -> Option<Vec<(String, String)>> {
    let mut reader = serde_json::Deserializer::from_slice(object);
    reader.deserialize_map(Members).ok()
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, String)>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, Raw(value))) = map.next_entry::<String, Raw>()? {
            members.push((key, value.get().to_owned()));
        }
        Ok(members)
    }
}

struct Raw(Box<RawValue>);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Raw, D::Error> {
        Box::deserialize(from).map(Raw)
    }
}
