//! `edit`: give a file of any size an edited content. `copy_new`: make one with the content of another.

use crate::error::replace_error;
use crate::signals::interruptible;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use sessscan_core::{Change, Edit, ReplaceError, Seen};
use std::io;
use std::path::PathBuf;

/// A file's size, its mtime in nanoseconds and its inode.
#[derive(FromPyObject, IntoPyObject)]
pub struct Stamp(u64, i128, u128);

impl From<Stamp> for Seen {
    fn from(stamp: Stamp) -> Seen {
        // Python knows inodes of 128 bits, on ReFS; the system's older calls, which are used here, do not.
        Seen { size: stamp.0, modified: stamp.1, inode: stamp.2.try_into().unwrap_or(0) }
    }
}

impl From<&Seen> for Stamp {
    fn from(seen: &Seen) -> Stamp {
        Stamp(seen.size, seen.modified, seen.inode.into())
    }
}

/// Give a file of any size an edited content, durably and in one step.
#[pyfunction]
#[pyo3(signature = (path, edits, *, seen, utf16=false, source=None, backup=None, announce=None))]
#[allow(clippy::too_many_arguments)] // one for each of Python's
pub fn edit(
    py: Python<'_>,
    path: PathBuf,
    edits: Vec<(u64, PyBackedBytes, PyBackedBytes, u64)>,
    seen: Stamp,
    utf16: bool,
    source: Option<(PathBuf, Stamp)>,
    backup: Option<PathBuf>,
    announce: Option<Py<PyAny>>,
) -> PyResult<Stamp> {
    let seen = seen.into();
    let source = source.map(|(path, seen)| (path, seen.into()));
    let announce = announce.as_ref();
    let (result, raised) = interruptible(py, |token| {
        let edits: Vec<_> = edits
            .iter()
            .map(|(offset, old, new, times)| Edit { offset: *offset, old, new, times: *times })
            .collect();
        let change = Change {
            edits: &edits,
            utf16,
            source: source.as_ref().map(|(path, seen)| (path.as_path(), *seen)),
            backup: backup.as_deref(),
        };
        announcing(announce, |announce| sessscan_core::edit(&path, &seen, &change, announce, token))
    })?;
    stamp(py, result, raised)
}

/// Make a new file with the content of another one, durably and in one step.
#[pyfunction]
#[pyo3(signature = (path, source, seen, *, announce=None))]
pub fn copy_new(
    py: Python<'_>,
    path: PathBuf,
    source: PathBuf,
    seen: Stamp,
    announce: Option<Py<PyAny>>,
) -> PyResult<Stamp> {
    let seen = seen.into();
    let announce = announce.as_ref();
    let (result, raised) = interruptible(py, |token| {
        announcing(announce, |announce| sessscan_core::copy_new(&path, &source, &seen, announce, token))
    })?;
    stamp(py, result, raised)
}

type Written = Result<Seen, ReplaceError>;

/// Write with a function that calls `announce`; return its result, and what `announce` raised.
fn announcing(
    announce: Option<&Py<PyAny>>,
    write: impl FnOnce(&mut dyn FnMut(&Seen) -> io::Result<()>) -> Written,
) -> (Written, Option<PyErr>) {
    let mut raised = None;
    let mut call = |new: &Seen| {
        let Some(announce) = announce else { return Ok(()) };
        Python::attach(|py| announce.call1(py, (Stamp::from(new),))).map(drop).map_err(|error| {
            raised = Some(error);
            io::ErrorKind::Other.into()
        })
    };
    let result = write(&mut call);
    (result, raised)
}

fn stamp(py: Python<'_>, result: Written, raised: Option<PyErr>) -> PyResult<Stamp> {
    match (result, raised) {
        (_, Some(error)) => Err(error),
        (Ok(new), None) => Ok(Stamp::from(&new)),
        (Err(error), None) => Err(replace_error(py, error)),
    }
}
