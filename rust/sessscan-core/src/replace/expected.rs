//! What a file must be for a change to be made.

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// What a file must be for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// Whatever it is, if it is there at all.
    Anything,
    /// It must not exist.
    Absent,
    /// It must have exactly this content.
    Content(&'a [u8]),
    /// Its content must have this digest.
    Digest(Digest),
}

impl Expected<'_> {
    /// The digest that the file must have, if it must have one.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Expected::Anything | Expected::Absent => None,
            Expected::Content(content) => Some(Sha256::digest(content).into()),
            Expected::Digest(digest) => Some(*digest),
        }
    }
}
