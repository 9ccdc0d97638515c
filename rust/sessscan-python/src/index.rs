//! `Rescan`: scan many files of which some are known.

use crate::error::os_error;
use crate::scan::{all_threads, strictness};
use crate::signals::{interruptible, with_progress};
use crate::transcript::Transcript;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// A scan of many files of which some are known from earlier scans.
#[pyclass(module = "sessscan")]
pub struct Rescan(sessscan_core::Rescan);

#[pymethods]
impl Rescan {
    #[new]
    #[pyo3(signature = (paths, *, strict=false, boot=""))]
    fn new(py: Python<'_>, paths: Vec<PathBuf>, strict: bool, boot: &str) -> PyResult<Rescan> {
        let rescan =
            interruptible(py, |token| sessscan_core::Rescan::new(paths, strictness(strict), boot, token))?;
        rescan.map(Rescan).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Return the shards whose entries are to be given to `know`.
    fn shards(&self) -> Vec<usize> {
        self.0.shards()
    }

    /// Take the entries of a shard.
    fn know(&mut self, py: Python<'_>, shard: usize, entries: &[u8]) -> PyResult<()> {
        check(shard)?;
        py.detach(|| self.0.know(shard, entries));
        Ok(())
    }

    /// Return the shards whose states are to be given to `know_states`, once the entries were given.
    fn shards_of_states(&self) -> Vec<usize> {
        self.0.shards_of_states()
    }

    /// Take the states of a shard.
    fn know_states(&mut self, py: Python<'_>, shard: usize, states: &[u8]) -> PyResult<()> {
        check(shard)?;
        py.detach(|| self.0.know_states(shard, states));
        Ok(())
    }

    /// Scan the files as `scan_many` does, but read only what is not known.
    #[pyo3(signature = (*, threads=None, progress=None))]
    fn scan(
        &mut self,
        py: Python<'_>,
        threads: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<Transcript>> {
        let threads = threads.filter(|threads| *threads > 0).unwrap_or_else(all_threads);
        let total = self.0.unread();
        let results = with_progress(py, progress, total, |token| self.0.scan(threads, token))?;
        let transcripts = results.into_iter().map(|(path, result)| match result {
            Ok(facts) => Transcript::new(Some(path), facts),
            Err(error) => {
                let error = os_error(&error, &path);
                Transcript::unreadable(path, error)
            }
        });
        Ok(transcripts.collect())
    }

    /// Return the shards to be written afterwards.
    fn changed(&self) -> Vec<usize> {
        self.0.changed()
    }

    /// Return a shard's new entries and states, from those that it has now.
    fn merge<'py>(
        &mut self,
        py: Python<'py>,
        shard: usize,
        entries: &[u8],
        states: &[u8],
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        check(shard)?;
        let (entries, states) = py.detach(|| self.0.merge(shard, entries, states));
        Ok((PyBytes::new(py, &entries), PyBytes::new(py, &states)))
    }
}

fn check(shard: usize) -> PyResult<()> {
    if shard < sessscan_core::Rescan::SHARDS {
        Ok(())
    } else {
        Err(PyValueError::new_err("there is no such shard"))
    }
}
