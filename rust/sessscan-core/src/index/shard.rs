//! Serialize what is known of many files, in shards: each has the files whose keys end alike.

use super::fingerprint::Fingerprint;
use super::stamp::{Boot, Stamp};
use crate::builder::TranscriptBuilder;
use crate::transcript::Transcript;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// How many shards there are: few enough to be read one by one, many enough that each is written quickly.
pub(crate) const SHARDS: usize = 256;

/// A file that was not scanned for this many days is dropped.
const KEPT: u32 = 60;

/// At most this many files are kept in a shard.
const MOST: usize = 4096;

/// A file of which more bytes than this would have to be kept is not kept: it is scanned anew each time.
const LARGEST: usize = 256 * 1024;

/// What a file said when it was scanned.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) key: u128,
    pub(crate) stamp: Stamp,
    /// Whether a change after the scan would show in the stamp.
    pub(crate) conclusive: bool,
    /// The boot of the system after whose end the disk may have other bytes than were read; None: it has them.
    pub(crate) cached_in: Option<Boot>,
    /// The day of the last scan, correct to a week.
    pub(crate) seen: u32,
    pub(crate) transcript: Transcript,
}

/// How a scan of the file goes on if it has grown.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) key: u128,
    pub(crate) stamp: Stamp,
    pub(crate) fingerprint: Fingerprint,
    /// Where the first line begins that the builder has not taken in, and its number.
    pub(crate) offset: u64,
    pub(crate) line: u64,
    pub(crate) searched: u64,
    pub(crate) builder: TranscriptBuilder,
}

/// The entry and the state of one file.
pub(crate) struct Kept {
    pub(crate) entry: Entry,
    /// None if a scan of the file has to begin anew.
    pub(crate) state: Option<State>,
}

impl Kept {
    /// Return whether it is small enough to be kept.
    pub(crate) fn is_small(&self) -> bool {
        let sizes = [postcard::to_stdvec(&self.entry), postcard::to_stdvec(&self.state)];
        sizes.into_iter().all(|bytes| bytes.is_ok_and(|bytes| bytes.len() <= LARGEST))
    }
}

/// Return the shard that a key belongs to.
pub(crate) fn shard_of(key: u128) -> usize {
    key as usize % SHARDS
}

/// What a shard begins with: it contains a digest of these sources, so that no other version's shards are
/// read.
const MAGIC: [u8; 16] = {
    let digits = env!("SESSSCAN_SOURCES").as_bytes();
    let mut magic = *b"sessscan\0\0\0\0\0\0\0\0";
    let mut at = 0;
    let mut number: u64 = 0;
    while at < digits.len() {
        number = number.wrapping_mul(10).wrapping_add((digits[at] - b'0') as u64);
        at += 1;
    }
    let bytes = number.to_le_bytes();
    let mut at = 0;
    while at < 8 {
        magic[8 + at] = bytes[at];
        at += 1;
    }
    magic
};

const HEAD: usize = 32;

pub(crate) fn encode<T: Serialize>(items: &[T]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &[0; 16]].concat();
    bytes = postcard::to_extend(items, bytes).expect("all of it can be serialized");
    let digest = xxh3_128(&bytes[HEAD..]);
    bytes[16..HEAD].copy_from_slice(&digest.to_le_bytes());
    bytes
}

/// Return a shard's items; none if the bytes are damaged or of another version.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    let Some((head, body)) = bytes.split_at_checked(HEAD) else { return Vec::new() };
    if head[..16] != MAGIC || head[16..] != xxh3_128(body).to_le_bytes() {
        return Vec::new();
    }
    postcard::from_bytes(body).unwrap_or_default()
}

/// Return a shard's entries and states with what is new. `used` are the keys of files that were scanned
/// `today`.
pub(crate) fn merge(
    entries: &[u8],
    states: &[u8],
    kept: Vec<Kept>,
    used: &HashSet<u128>,
    today: u32,
) -> (Vec<u8>, Vec<u8>) {
    let mut files: HashMap<u128, (Entry, Option<State>)> =
        decode(entries).into_iter().map(|entry: Entry| (entry.key, (entry, None))).collect();
    for state in decode::<State>(states) {
        if let Some((_, old)) = files.get_mut(&state.key) {
            *old = Some(state);
        }
    }
    for Kept { entry, state } in kept {
        files.insert(entry.key, (entry, state));
    }
    let mut files: Vec<_> = files.into_values().collect();
    for (entry, _) in &mut files {
        if used.contains(&entry.key) {
            entry.seen = today;
        }
    }
    files.retain(|(entry, _)| entry.seen + KEPT >= today && entry.seen <= today);
    files.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.seen));
    files.truncate(MOST);
    let (entries, states): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    (encode(&entries), encode(&states.into_iter().flatten().collect::<Vec<_>>()))
}
