//! Make and parse the names of the writer's temporary files.
//!
//! A file that is being written is called `.sessscan-<process>-<random>`; nobody loses anything with it.
//! Before it is exchanged with the target it is renamed to `.sessscan-<process>-<random>-<inode>-<digest>`:
//! the inode of our own file, and the first half of the SHA-256 of the content that is to be replaced. After
//! a crash such a name tells whether it holds our own file, the file that was to be replaced, or something
//! that the file's owner wrote in that very moment and that must stay. The app ignores these names: it looks
//! at none that begin or end like this.

use super::expected::Digest;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};

const PREFIX: &str = ".sessscan-";

/// Return a new name for a file that is being written.
pub(super) fn random() -> OsString {
    // Each `RandomState` has its own keys, from the system's randomness.
    let random = RandomState::new().hash_one(std::time::SystemTime::now());
    format!("{PREFIX}{}-{random:016x}", std::process::id()).into()
}

/// Return the suffix for a file that is about to be exchanged: our file's inode, and the digest of the other
/// content.
pub(super) fn exchange_suffix(inode: u64, digest: &Digest) -> String {
    format!("-{inode:x}-{}", first_half(digest))
}

fn first_half(digest: &Digest) -> String {
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts of a temporary file's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TemporaryName<'a> {
    /// The id of the process that made it.
    pub(super) process: u32,
    /// The inode of our own file and the digest of the content that it may have been exchanged for.
    pub(super) exchanged: Option<(u64, &'a str)>,
}

impl<'a> TemporaryName<'a> {
    /// Parse a name; return None if the writer does not make such names.
    pub(super) fn parse(name: &'a OsStr) -> Option<TemporaryName<'a>> {
        let mut parts = name.to_str()?.strip_prefix(PREFIX)?.split('-');
        let process = parts.next()?.parse().ok()?;
        u64::from_str_radix(parts.next()?, 16).ok()?;
        let exchanged = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(inode), Some(digest), None) => Some((u64::from_str_radix(inode, 16).ok()?, digest)),
            _ => return None,
        };
        Some(TemporaryName { process, exchanged })
    }

    /// Return whether the file under this name, with this inode, number of links and digest, can be removed:
    /// it was never exchanged, is our own file, has another name, or is the file that was to be replaced.
    pub(super) fn is_removable(
        &self,
        inode: u64,
        links: u64,
        digest: impl FnOnce() -> Option<Digest>,
    ) -> bool {
        match self.exchanged {
            None => true,
            Some((ours, _)) if ours == inode => true,
            // The other name is the backup.
            Some(_) if links > 1 => true,
            Some((_, expected)) => digest().is_some_and(|digest| first_half(&digest) == expected),
        }
    }
}
