//! `replace`, `relocate`, `remove`, `append_durable` and `sweep`: write files durably.

use crate::edit::Stamp;
use crate::error::{os_error, replace_error};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};
use sessscan_core::{Digest, Expected};
use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// The type of `ABSENT`, which says that a file is expected not to exist.
#[pyclass(frozen, module = "sessscan._core")]
pub struct Absent;

#[pymethods]
impl Absent {
    fn __repr__(&self) -> &'static str {
        "sessscan.ABSENT"
    }

    // For pickle and copy a string means the global object of this name, so that there is only one.
    fn __reduce__(&self) -> &'static str {
        "ABSENT"
    }
}

/// Return the only object of its type.
pub fn absent(py: Python<'_>) -> PyResult<&Py<Absent>> {
    static ABSENT: PyOnceLock<Py<Absent>> = PyOnceLock::new();
    ABSENT.get_or_try_init(py, || Py::new(py, Absent))
}

fn expectation<'a>(expected: Option<&'a Bound<'_, PyAny>>) -> PyResult<Expected<'a>> {
    let Some(expected) = expected else { return Ok(Expected::Anything) };
    if expected.is_instance_of::<Absent>() {
        Ok(Expected::Absent)
    } else if let Ok(content) = expected.cast::<PyBytes>() {
        Ok(Expected::Content(content.as_bytes()))
    } else if let Ok(digest) = expected.cast::<PyString>() {
        Ok(Expected::Digest(parse_digest(digest)?))
    } else {
        Err(PyTypeError::new_err("expected must be bytes, a SHA-256 in hex, ABSENT or None"))
    }
}

fn parse_digest(hex: &Bound<'_, PyString>) -> PyResult<Digest> {
    let hex = hex.to_cow()?;
    let refused = || PyValueError::new_err(format!("no SHA-256 in hex: {hex:?}"));
    let mut digest = Digest::default();
    if hex.len() != 2 * digest.len() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(refused());
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| refused())?;
    }
    Ok(digest)
}

/// Replace a file's content, or create the file, durably and in one step.
#[pyfunction]
#[pyo3(signature = (path, data, *, expected=None, backup=None, modified_ns=None))]
pub fn replace(
    py: Python<'_>,
    path: PathBuf,
    data: Cow<'_, [u8]>,
    expected: Option<&Bound<'_, PyAny>>,
    backup: Option<PathBuf>,
    modified_ns: Option<i64>,
) -> PyResult<()> {
    let expected = expectation(expected)?;
    let backup = backup.as_deref();
    let modified = modified_ns.and_then(time_of);
    py.detach(|| match modified {
        None => sessscan_core::replace(&path, &data, expected, backup),
        Some(time) => sessscan_core::replace_at(&path, &data, expected, backup, time),
    })
    .map_err(|error| replace_error(py, error))
}

/// Return the time that is so many nanoseconds after, or before, the epoch.
fn time_of(nanoseconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    if nanoseconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

/// Remove a file durably if it has the expected content.
#[pyfunction]
#[pyo3(signature = (path, *, expected))]
pub fn remove(py: Python<'_>, path: PathBuf, expected: &Bound<'_, PyAny>) -> PyResult<()> {
    let removed = if let Ok(seen) = expected.extract::<Stamp>() {
        py.detach(|| sessscan_core::remove_seen(&path, &seen.into()))
    } else if let Some(digest) = expectation(Some(expected))?.digest() {
        py.detach(|| sessscan_core::remove(&path, &digest))
    } else {
        return Err(PyTypeError::new_err("expected must be bytes, a SHA-256 in hex or a stamp"));
    };
    removed.map_err(|error| replace_error(py, error))
}

/// Move a file or folder durably and in one step to a name that is free, on the same file system.
#[pyfunction]
#[pyo3(signature = (path, to, *, inode=0))]
pub fn relocate(py: Python<'_>, path: PathBuf, to: PathBuf, inode: u128) -> PyResult<()> {
    // As for a stamp: inodes of 128 bits are not compared.
    let inode = inode.try_into().unwrap_or(0);
    py.detach(|| sessscan_core::relocate(&path, &to, inode)).map_err(|error| replace_error(py, error))
}

/// Append durably to a file of sessscan's own.
#[pyfunction]
pub fn append_durable(py: Python<'_>, path: PathBuf, data: Cow<'_, [u8]>) -> PyResult<()> {
    py.detach(|| sessscan_core::append_durable(&path, &data)).map_err(|error| replace_error(py, error))
}

/// Remove the temporary files that interrupted runs left in a directory.
#[pyfunction]
pub fn sweep(py: Python<'_>, directory: PathBuf) -> PyResult<Vec<OsString>> {
    let swept =
        py.detach(|| sessscan_core::sweep(&directory)).map_err(|error| os_error(&error, &directory))?;
    Ok(swept.into_iter().map(OsString::from).collect())
}
