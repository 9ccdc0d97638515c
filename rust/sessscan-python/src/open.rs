//! Do what Python's own `open` and `stat` cannot: leave a file free for the app on Windows, and tell its birth.

use crate::error::os_error;
#[cfg(windows)]
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use std::path::PathBuf;

/// Return when a file was made, in nanoseconds since 1970; None where the file system does not keep that.
#[pyfunction]
pub fn born_at(py: Python<'_>, path: PathBuf) -> PyResult<Option<i64>> {
    py.detach(|| sessscan_core::born_at(&path)).map_err(|error| os_error(&error, &path))
}

/// Open a regular file for reading, with every share flag, and return its handle, which the caller closes.
#[cfg(windows)]
#[pyfunction]
#[pyo3(signature = (path, *, follow = false))]
pub fn open_handle(py: Python<'_>, path: PathBuf, follow: bool) -> PyResult<isize> {
    use std::os::windows::io::IntoRawHandle;

    let opened = py.detach(|| {
        if follow { sessscan_core::following(&path).map(Some) } else { sessscan_core::regular(&path) }
    });
    match opened {
        Ok(Some(file)) => Ok(file.into_raw_handle() as isize),
        Ok(None) => Err(PyOSError::new_err((0, "not a regular file", path))),
        Err(error) => Err(os_error(&error, &path)),
    }
}

/// Return when anything about a file was last changed, its times included, in nanoseconds since 1970.
#[cfg(windows)]
#[pyfunction]
pub fn changed_at(py: Python<'_>, path: PathBuf) -> PyResult<i64> {
    py.detach(|| sessscan_core::changed_at(&path)).map_err(|error| os_error(&error, &path))
}
