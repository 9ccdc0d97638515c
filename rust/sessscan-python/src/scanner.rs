//! `Scanner`: scan bytes as they come.

use crate::scan::strictness;
use crate::transcript::Transcript;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sessscan_core::Stream;
use std::sync::Mutex;

/// A scan of a transcript that comes in pieces.
#[pyclass(frozen, module = "sessscan")]
pub struct Scanner(Mutex<Option<Stream>>);

#[pymethods]
impl Scanner {
    #[new]
    #[pyo3(signature = (session_id=None, *, strict=false))]
    fn new(session_id: Option<String>, strict: bool) -> Scanner {
        Scanner(Mutex::new(Some(Stream::new(session_id, strictness(strict)))))
    }

    /// Take in more bytes, cut anywhere.
    fn feed(&self, py: Python<'_>, chunk: &Bound<'_, PyAny>) -> PyResult<()> {
        let copied;
        let bytes = match chunk.extract::<&[u8]>() {
            Ok(bytes) => bytes,
            Err(_) => {
                copied = PyBuffer::<u8>::get(chunk)?.to_vec(py)?;
                &copied
            }
        };
        self.with(py, |stream| stream.feed(bytes))
    }

    /// Return what all of it says. Afterwards the scanner is finished.
    fn finish(&self, py: Python<'_>) -> PyResult<Transcript> {
        let stream = py.detach(|| self.lock().take()).ok_or_else(finished)?;
        Ok(Transcript::new(None, py.detach(|| stream.finish())))
    }

    /// Return all that must be known to go on later.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.with(py, |stream| stream.state())?))
    }

    /// Return a scanner that goes on from a saved state.
    #[staticmethod]
    fn restore(state: &[u8]) -> PyResult<Scanner> {
        let stream = Stream::restore(state).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Scanner(Mutex::new(Some(stream))))
    }

    /// How many bytes were taken in so far.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |stream| stream.size())
    }
}

impl Scanner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Stream>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Run with the stream. The mutex is waited for without the interpreter lock: another thread may be
    /// feeding it.
    fn with<R: Send>(&self, py: Python<'_>, run: impl FnOnce(&mut Stream) -> R + Send) -> PyResult<R> {
        py.detach(|| self.lock().as_mut().map(run)).ok_or_else(finished)
    }
}

fn finished() -> PyErr {
    PyValueError::new_err("this scanner is finished: make a new one, or take up a saved state")
}
