//! `RangeScanner` and `PartJoiner`: scan one big file in ranges, by several processes.

use crate::scan::strictness;
use crate::transcript::Transcript;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sessscan_core::{Joined, PartError, RangeScan, Strictness};
use std::sync::{Mutex, PoisonError};

/// A scan of the lines of a transcript that begin in a range of it.
#[pyclass(frozen, module = "sessscan._core")]
pub struct RangeScanner(Mutex<Option<RangeScan>>);

#[pymethods]
impl RangeScanner {
    #[new]
    #[pyo3(signature = (session_id, *, version, size, start, end, strict=false))]
    fn new(
        session_id: Option<String>,
        version: String,
        size: u64,
        start: u64,
        end: u64,
        strict: bool,
    ) -> PyResult<RangeScanner> {
        let scan = RangeScan::new(session_id, strictness(strict), version, size, start..end);
        Ok(RangeScanner(Mutex::new(Some(scan.map_err(part_error)?))))
    }

    /// The offset of the byte that is to be fed next.
    #[getter]
    fn position(&self, py: Python<'_>) -> PyResult<u64> {
        with(py, &self.0, |scan| scan.position())
    }

    /// Take in more bytes, cut anywhere; return whether more are needed.
    fn feed(&self, py: Python<'_>, chunk: &Bound<'_, PyAny>) -> PyResult<bool> {
        feed(py, chunk, |bytes| with(py, &self.0, |scan| scan.feed(bytes)))
    }

    /// Return what was found, for `PartJoiner`. Afterwards the scanner is finished.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let part = py.detach(|| take(&self.0).map(RangeScan::finish)).ok_or_else(finished)?;
        Ok(PyBytes::new(py, &part.map_err(part_error)?))
    }
}

/// The joined parts of one file.
#[pyclass(frozen, module = "sessscan._core")]
pub struct PartJoiner(Mutex<Option<Joined>>);

#[pymethods]
impl PartJoiner {
    #[new]
    fn new(py: Python<'_>, parts: Vec<Vec<u8>>) -> PyResult<PartJoiner> {
        let joined = py.detach(|| Joined::new(&parts)).map_err(part_error)?;
        Ok(PartJoiner(Mutex::new(Some(joined))))
    }

    /// Whether the file must be fed once more, from its first byte on.
    #[getter]
    fn in_doubt(&self, py: Python<'_>) -> PyResult<bool> {
        with(py, &self.0, |joined| joined.in_doubt())
    }

    /// The file's size in bytes.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        with(py, &self.0, |joined| joined.file().0)
    }

    /// The `version` that was given to the scanners.
    #[getter]
    fn version(&self, py: Python<'_>) -> PyResult<String> {
        with(py, &self.0, |joined| joined.file().1.to_owned())
    }

    /// Whether every byte of every value was checked.
    #[getter]
    fn strict(&self, py: Python<'_>) -> PyResult<bool> {
        with(py, &self.0, |joined| joined.strictness() == Strictness::Full)
    }

    /// Take in bytes of the file once more; return whether more are needed.
    fn feed(&self, py: Python<'_>, chunk: &Bound<'_, PyAny>) -> PyResult<bool> {
        feed(py, chunk, |bytes| with(py, &self.0, |joined| joined.feed(bytes)))
    }

    /// Return what the whole file says. Afterwards the joiner is finished.
    fn finish(&self, py: Python<'_>) -> PyResult<Transcript> {
        let facts = py.detach(|| take(&self.0).map(Joined::finish)).ok_or_else(finished)?;
        Ok(Transcript::new(None, facts.map_err(part_error)?))
    }
}

pub fn take<T>(held: &Mutex<Option<T>>) -> Option<T> {
    held.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Run with what a mutex holds, which is waited for without the interpreter lock: another thread may be
/// feeding it.
pub fn with<T: Send, R: Send>(
    py: Python<'_>,
    held: &Mutex<Option<T>>,
    run: impl FnOnce(&mut T) -> R + Send,
) -> PyResult<R> {
    py.detach(|| held.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(run)).ok_or_else(finished)
}

/// Run with the bytes of a `bytes` object, or with a copy of any other buffer: other threads may write into
/// it.
pub fn feed(
    py: Python<'_>,
    chunk: &Bound<'_, PyAny>,
    run: impl FnOnce(&[u8]) -> PyResult<bool>,
) -> PyResult<bool> {
    match chunk.extract::<&[u8]>() {
        Ok(bytes) => run(bytes),
        Err(_) => run(&PyBuffer::<u8>::get(chunk)?.to_vec(py)?),
    }
}

pub fn finished() -> PyErr {
    PyValueError::new_err("this is finished: make a new one")
}

pub fn part_error(error: PartError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
