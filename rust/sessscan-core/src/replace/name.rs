//! Our files beside the target: their names, and that they go when we do.
//!
//! `.sessscan-<process>-<random>` is being written and nobody's loss. Before it is exchanged with the target
//! it becomes `.sessscan-<process>-<random>-<inode>-<digest>`: the inode of our own file, and the beginning of the
//! SHA-256 of what may come out. Whoever finds such a name after a crash can tell by it whether the file is
//! ours, or what we meant to replace, or something that an owner wrote in that very moment and that must
//! stay. The names neither begin nor end like any that the app looks at.

use super::expected::Digest;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};

const PREFIX: &str = ".sessscan-";

pub(super) fn random() -> OsString {
    // Each `RandomState` has keys of its own, from the system's randomness.
    let random = RandomState::new().hash_one(std::time::SystemTime::now());
    format!("{PREFIX}{}-{random:016x}", std::process::id()).into()
}

pub(super) fn mark(inode: u64, digest: &Digest) -> String {
    format!("-{inode:x}-{}", short(digest))
}

fn short(digest: &Digest) -> String {
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a temporary file's name tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// The process that made it.
    pub(super) process: u32,
    /// The inode of our own file, and the digest of what it may have been exchanged for.
    pub(super) exchanged: Option<(u64, &'a str)>,
}

impl<'a> Name<'a> {
    /// None for a name that is not of our making.
    pub(super) fn parse(name: &'a OsStr) -> Option<Name<'a>> {
        let mut parts = name.to_str()?.strip_prefix(PREFIX)?.split('-');
        let process = parts.next()?.parse().ok()?;
        u64::from_str_radix(parts.next()?, 16).ok()?;
        let exchanged = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(inode), Some(digest), None) => Some((u64::from_str_radix(inode, 16).ok()?, digest)),
            _ => return None,
        };
        Some(Name { process, exchanged })
    }

    /// Whether the file may be removed: it was never exchanged, is ours, or is what we meant to replace.
    pub(super) fn is_spare(&self, inode: u64, links: u64, digest: impl FnOnce() -> Option<Digest>) -> bool {
        match self.exchanged {
            None => true,
            Some((ours, _)) if ours == inode => true,
            // A backup is another name of it.
            Some(_) if links > 1 => true,
            Some((_, expected)) => digest().is_some_and(|digest| short(&digest) == expected),
        }
    }
}
