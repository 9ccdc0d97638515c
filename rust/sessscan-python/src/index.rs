//! `Rescan`: many files again, of which some are known.

use crate::error::os_error;
use crate::scan::{all_threads, strictness};
use crate::signals::Watch;
use crate::transcript::Transcript;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// One scan of many files, which is told what is known of them.
#[pyclass(module = "sessscan")]
pub struct Rescan(sessscan_core::Rescan);

#[pymethods]
impl Rescan {
    #[new]
    #[pyo3(signature = (paths, *, strict=false))]
    fn new(py: Python<'_>, paths: Vec<PathBuf>, strict: bool) -> PyResult<Rescan> {
        let mut watch = Watch::new(None, 0);
        let rescan = py
            .detach(|| sessscan_core::Rescan::new(paths, strictness(strict), &mut |bytes| watch.poll(bytes)));
        watch.finish()?;
        rescan.map(Rescan).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The shards whose entries it should know.
    fn shards(&self) -> Vec<usize> {
        self.0.shards()
    }

    /// These are the entries of a shard.
    fn know(&mut self, py: Python<'_>, shard: usize, entries: &[u8]) -> PyResult<()> {
        check(shard)?;
        py.detach(|| self.0.know(shard, entries));
        Ok(())
    }

    /// The shards whose states it should know, once it knows the entries.
    fn shards_of_states(&self) -> Vec<usize> {
        self.0.shards_of_states()
    }

    /// These are the states of a shard.
    fn know_states(&mut self, py: Python<'_>, shard: usize, states: &[u8]) -> PyResult<()> {
        check(shard)?;
        py.detach(|| self.0.know_states(shard, states));
        Ok(())
    }

    /// What each file says, as `scan_many` tells it; only what is not known is read.
    #[pyo3(signature = (*, threads=None, progress=None))]
    fn scan(
        &mut self,
        py: Python<'_>,
        threads: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<Transcript>> {
        let threads = threads.filter(|threads| *threads > 0).unwrap_or_else(all_threads);
        let mut watch = Watch::new(progress, self.0.unread());
        let results = py.detach(|| self.0.scan(threads, &mut |bytes| watch.poll(bytes)));
        watch.finish()?;
        let transcripts = results.into_iter().map(|(path, result)| match result {
            Ok(facts) => Transcript::new(Some(path), facts),
            Err(error) => {
                let error = os_error(&error, &path);
                Transcript::unreadable(path, error)
            }
        });
        Ok(transcripts.collect())
    }

    /// The shards that are to be written afterwards.
    fn changed(&self) -> Vec<usize> {
        self.0.changed()
    }

    /// A shard as it should be, its entries and its states, where it is that by now.
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
