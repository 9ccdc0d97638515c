//! The precondition of a change: what the file must be.

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
