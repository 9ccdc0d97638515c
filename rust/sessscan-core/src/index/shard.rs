//! What is kept of many files, as bytes: shards, each with the files whose keys end alike.

use super::fingerprint::Fingerprint;
use super::stamp::Stamp;
use crate::builder::TranscriptBuilder;
use crate::transcript::Transcript;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// How many shards there are: few enough to be read one by one, enough to make each quickly written.
pub(crate) const SHARDS: usize = 256;

/// After so many days without a scan of it a file is forgotten.
const KEPT: u32 = 60;

/// So many files are kept in a shard.
const MOST: usize = 4096;

/// More than so many bytes of a file are not kept: it is scanned anew instead.
const LARGEST: usize = 256 * 1024;

/// What a file said when it was scanned.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) key: u128,
    pub(crate) stamp: Stamp,
    /// Whether a change after the scan shows in the stamp.
    pub(crate) settled: bool,
    /// The day on which it was last asked for, within a week.
    pub(crate) seen: u32,
    pub(crate) transcript: Transcript,
}

/// How a scan of it goes on if it grows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) key: u128,
    pub(crate) stamp: Stamp,
    pub(crate) fingerprint: Fingerprint,
    /// Where the first line begins that is not in the builder, and which one it is.
    pub(crate) offset: u64,
    pub(crate) line: u64,
    pub(crate) searched: u64,
    pub(crate) builder: TranscriptBuilder,
}

/// Both of one file.
pub(crate) struct Kept {
    pub(crate) entry: Entry,
    pub(crate) state: State,
}

impl Kept {
    /// Whether it is small enough.
    pub(crate) fn is_small(&self) -> bool {
        let sizes = [postcard::to_stdvec(&self.entry), postcard::to_stdvec(&self.state)];
        sizes.into_iter().all(|bytes| bytes.is_ok_and(|bytes| bytes.len() <= LARGEST))
    }
}

/// The shard that a key belongs in.
pub(crate) fn shard_of(key: u128) -> usize {
    key as usize % SHARDS
}

/// Whatever these sources did not write is not read: not of another version, not damaged.
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
    bytes = postcard::to_extend(items, bytes).expect("nothing in it that cannot be written");
    let digest = xxh3_128(&bytes[HEAD..]);
    bytes[16..HEAD].copy_from_slice(&digest.to_le_bytes());
    bytes
}

/// Nothing, where the bytes are not a shard of ours.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    let Some((head, body)) = bytes.split_at_checked(HEAD) else { return Vec::new() };
    if head[..16] != MAGIC || head[16..] != xxh3_128(body).to_le_bytes() {
        return Vec::new();
    }
    postcard::from_bytes(body).unwrap_or_default()
}

/// A shard with what is new: its entries and its states. `used`: what of it was asked for `today`.
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
        files.insert(entry.key, (entry, Some(state)));
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
