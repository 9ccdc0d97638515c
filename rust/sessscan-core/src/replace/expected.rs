//! The precondition of a change: what the file must be.

use super::fs::Stamp;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// What a file must be for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// Any content, or no file at all.
    Anything,
    /// The file must not exist.
    Absent,
    /// The file must have exactly this content.
    Content(&'a [u8]),
    /// The file's content must have this digest.
    Digest(Digest),
}

impl Expected<'_> {
    /// Return the digest that the file must have, or None if it need not have one.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Expected::Anything | Expected::Absent => None,
            Expected::Content(content) => Some(Sha256::digest(content).into()),
            Expected::Digest(digest) => Some(*digest),
        }
    }
}

/// The metadata that a file had when it was looked at: it stands for a content that is too large to be read
/// once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In bytes.
    pub size: u64,
    /// When it was last written: nanoseconds since the epoch.
    pub modified: i128,
    /// 0 if it is not known.
    pub inode: u64,
}

impl Seen {
    pub(super) fn fits(&self, stamp: &Stamp) -> bool {
        let same_file = self.inode == 0 || self.inode == stamp.inode;
        same_file && (self.size, self.modified) == (stamp.size, stamp.modified)
    }
}

impl From<Stamp> for Seen {
    fn from(stamp: Stamp) -> Seen {
        Seen { size: stamp.size, modified: stamp.modified, inode: stamp.inode }
    }
}

/// The version of a file that is replaced or removed: nothing newer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Digest(Digest),
    Stamp(Stamp),
}
