//! Cut files into pieces, and put pieces together again.

use crate::error::os_error;
use crate::signals::interruptible;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sessscan_core::pieces;
use std::path::PathBuf;

type Piece<'py> = (u64, u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Cut a part of a file into pieces: for each its offset, size, digest, and compressed bytes.
#[pyfunction]
pub fn cut(py: Python<'_>, path: PathBuf, begin: u64, end: u64, amount: u64) -> PyResult<Vec<Piece<'_>>> {
    let found = interruptible(py, |token| pieces::cut(&path, begin, end, amount, token))?;
    let found = found.map_err(|error| os_error(&error, &path))?;
    let told = |one: pieces::Piece| {
        (one.offset, one.size, PyBytes::new(py, &one.sha256), PyBytes::new(py, &one.data))
    };
    Ok(found.into_iter().map(told).collect())
}

/// Return the digest of a part of a file; None if the file is shorter.
#[pyfunction]
pub fn digest(py: Python<'_>, path: PathBuf, begin: u64, end: u64) -> PyResult<Option<Bound<'_, PyBytes>>> {
    let found = py.detach(|| pieces::digest(&path, begin, end)).map_err(|error| os_error(&error, &path))?;
    Ok(found.map(|digest| PyBytes::new(py, &digest)))
}

/// Return the bytes of a piece.
#[pyfunction]
pub fn unpack<'py>(
    py: Python<'py>,
    data: &[u8],
    size: usize,
    sha256: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = py
        .detach(|| pieces::unpack(data, size, sha256))
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &bytes))
}
