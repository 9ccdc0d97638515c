//! Make and parse the names of the writer's temporary files.
//!
//! A file that is being written is called `.sessscan-<process>-<random>`; nobody loses anything with it.
//! Before it is exchanged with the target it is renamed to `.sessscan-<process>-<random>-<inode>-<digest>`:
//! the inode of our own file, and the first half of the SHA-256 of the content that is to be replaced. For a
//! content that is not read twice it is `…-<inode>-<size>-<old size>-<old time>`: the size of our own file,
//! and the size and the time of the last write of the other. After a crash such a name tells whether it holds our own file, the file that was to be replaced, or something
//! that the file's owner wrote in that very moment and that must stay. The app ignores these names: it looks
//! at none that begin or end like this.

use super::expected::{Digest, Version};
use super::fs::Stamp;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};

const PREFIX: &str = ".sessscan-";

/// Return a new name for a file that is being written.
pub(super) fn random() -> OsString {
    // Each `RandomState` has its own keys, from the system's randomness.
    let random = RandomState::new().hash_one(std::time::SystemTime::now());
    format!("{PREFIX}{}-{random:016x}", std::process::id()).into()
}

/// Return the suffix for a file that is about to be exchanged: our file's inode, and the version of the other.
pub(super) fn exchange_suffix(inode: u64, size: u64, other: &Version) -> String {
    match other {
        Version::Digest(digest) => format!("-{inode:x}-{}", first_half(digest)),
        Version::Stamp(stamp) => format!("-{inode:x}-{size:x}-{:x}-{:x}", stamp.size, stamp.modified as u64),
    }
}

fn first_half(digest: &Digest) -> String {
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts of a temporary file's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TemporaryName<'a> {
    /// The id of the process that made it.
    pub(super) process: u32,
    /// The inode of our own file, and what it may have been exchanged for.
    pub(super) exchanged: Option<(u64, Other<'a>)>,
}

/// What our own file may have been exchanged for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Other<'a> {
    /// The first half of its digest.
    Digest(&'a str),
    /// Its size and the time of its last write; and the size of our own file, which is larger if somebody has
    /// appended to it.
    Stamp { size: u64, modified: u64, ours: u64 },
}

impl<'a> TemporaryName<'a> {
    /// Parse a name; return None if the writer does not make such names.
    pub(super) fn parse(name: &'a OsStr) -> Option<TemporaryName<'a>> {
        let mut parts = name.to_str()?.strip_prefix(PREFIX)?.split('-');
        let process = parts.next()?.parse().ok()?;
        u64::from_str_radix(parts.next()?, 16).ok()?;
        let number = |digits| u64::from_str_radix(digits, 16).ok();
        let exchanged = match parts.collect::<Vec<_>>()[..] {
            [] => None,
            [inode, digest] => Some((number(inode)?, Other::Digest(digest))),
            [inode, ours, size, modified] => {
                let (ours, size, modified) = (number(ours)?, number(size)?, number(modified)?);
                Some((number(inode)?, Other::Stamp { size, modified, ours }))
            }
            _ => return None,
        };
        Some(TemporaryName { process, exchanged })
    }

    /// Return whether the file under this name, with this stamp, number of links and digest, can be removed:
    /// it was never exchanged, is our own file, has another name, or is the file that was to be replaced.
    pub(super) fn is_removable(
        &self,
        stamp: &Stamp,
        links: u64,
        digest: impl FnOnce() -> Option<Digest>,
    ) -> bool {
        match self.exchanged {
            None => true,
            Some((inode, Other::Stamp { ours, .. })) if inode == stamp.inode => ours == stamp.size,
            Some((inode, Other::Digest(_))) if inode == stamp.inode => true,
            // The other name is the backup.
            Some(_) if links > 1 => true,
            Some((_, Other::Digest(expected))) => {
                digest().is_some_and(|digest| first_half(&digest) == expected)
            }
            Some((_, Other::Stamp { size, modified, .. })) => {
                (size, modified) == (stamp.size, stamp.modified as u64)
            }
        }
    }
}
