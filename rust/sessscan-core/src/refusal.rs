//! Say why a file is left alone although the system would let it be read or replaced.

use std::io;

/// The inner error of an [`io::Error`] that this crate makes where no error of the system says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Reading would fetch the content, which may take minutes, or fail.
    #[error(
        "its content is in the cloud, and nothing was fetched: in Explorer choose \"Always keep on this device\" \
         for its folder, and try again once it is there"
    )]
    InCloud,
    /// A read-only file is replaced on POSIX systems, where its folder decides, but not on Windows.
    #[error("it is read-only: clear that attribute (attrib -R) and try again")]
    ReadOnly,
}

impl Refusal {
    /// Return the refusal that an error stands for, if any.
    pub fn of(error: &io::Error) -> Option<Refusal> {
        error.get_ref()?.downcast_ref().copied()
    }
}

#[cfg(windows)]
impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        let kind = match refusal {
            Refusal::InCloud => io::ErrorKind::Other,
            Refusal::ReadOnly => io::ErrorKind::PermissionDenied,
        };
        io::Error::new(kind, refusal)
    }
}
