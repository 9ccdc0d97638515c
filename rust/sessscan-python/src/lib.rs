//! The extension module `sessscan._core`: a table of contents. Each operation has a file of its own.

use pyo3::prelude::*;

mod error;
mod events;
mod scan;
mod signals;
mod transcript;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::events::{Event, EventIterator, events};
    #[pymodule_export]
    use super::scan::{scan, scan_bytes, scan_many, uuids};
    #[pymodule_export]
    use super::transcript::{Defect, Transcript, Worktree};
}
