//! `scan`, `scan_many`, `scan_bytes` and `uuids`.

use crate::error::os_error;
use crate::signals::{interruptible, with_progress};
use crate::transcript::Transcript;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use sessscan_core::Strictness;
use std::path::PathBuf;

pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}

pub fn strictness(strict: bool) -> Strictness {
    if strict { Strictness::Full } else { Strictness::Structure }
}

/// Scan a transcript.
#[pyfunction]
#[pyo3(signature = (path, *, strict=false))]
pub fn scan(py: Python<'_>, path: PathBuf, strict: bool) -> PyResult<Transcript> {
    let result =
        interruptible(py, |token| sessscan_core::scan_file(&path, strictness(strict), all_threads(), token))?;
    match result {
        Ok(facts) => Ok(Transcript::new(Some(path), facts)),
        Err(error) => Err(os_error(&error, &path)),
    }
}

/// Scan many transcripts, in the order given; one that cannot be read has its `error` set.
#[pyfunction]
#[pyo3(signature = (paths, *, threads=None, strict=false, progress=None))]
pub fn scan_many(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    threads: Option<usize>,
    strict: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Transcript>> {
    let threads = threads.filter(|threads| *threads > 0).unwrap_or_else(all_threads);
    // The total is needed for progress only.
    let total = match &progress {
        Some(_) => py.detach(|| paths.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum()),
        None => 0,
    };
    let results = with_progress(py, progress, total, |token| {
        sessscan_core::scan_many(&paths, strictness(strict), threads, token)
    })?;
    let transcripts = paths.into_iter().zip(results).map(|(path, result)| match result {
        Ok(facts) => Transcript::new(Some(path), facts),
        Err(error) => {
            let error = os_error(&error, &path);
            Transcript::unreadable(path, error)
        }
    });
    Ok(transcripts.collect())
}

/// Scan the content of a transcript.
#[pyfunction]
#[pyo3(signature = (data, *, session_id=None, strict=false))]
pub fn scan_bytes(
    py: Python<'_>,
    data: &Bound<'_, PyAny>,
    session_id: Option<String>,
    strict: bool,
) -> PyResult<Transcript> {
    let copied;
    let data = match data.extract::<&[u8]>() {
        Ok(bytes) => bytes,
        Err(_) => {
            // Other threads may write into a buffer while it is scanned, so all but `bytes` is copied.
            copied = PyBuffer::<u8>::get(data)?.to_vec(py)?;
            &copied
        }
    };
    let facts = py.detach(|| sessscan_core::scan_bytes(data, session_id, strictness(strict)));
    Ok(Transcript::new(None, facts))
}

/// Return the top-level uuids of a transcript's records, in order.
#[pyfunction]
pub fn uuids(py: Python<'_>, path: PathBuf) -> PyResult<Vec<String>> {
    let result = interruptible(py, |token| sessscan_core::uuids(&path, token))?;
    result.map_err(|error| os_error(&error, &path))
}
