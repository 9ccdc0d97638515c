//! `details`: what the matching of lost rows asks of many transcripts beyond their summaries.

use crate::error::os_error;
use crate::scan::all_threads;
use crate::signals::interruptible;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sessscan_core::TitleSource;
use std::path::PathBuf;

/// The titles, directories, activity and uuids of one transcript.
#[pyclass(frozen, module = "sessscan._core")]
pub struct Details {
    path: PathBuf,
    found: sessscan_core::Details,
    error: Option<PyErr>,
}

#[pymethods]
impl Details {
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.path.as_os_str().into_bound_py_any(py)
    }

    #[getter]
    fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.error.as_ref().map(|error| error.value(py).clone().into_any().unbind())
    }

    #[getter]
    fn titles(&self) -> Vec<(u64, &'static str, &str, Option<i64>)> {
        let titles = self.found.titles.iter();
        titles.map(|title| (title.line, title.source.name(), &*title.value, title.after)).collect()
    }

    fn title_line(&self, source: &str, value: &str) -> PyResult<Option<u64>> {
        Ok(self.found.title_line(title_source(source)?, value))
    }

    fn title_at(&self, source: &str, time: f64) -> PyResult<Option<&str>> {
        Ok(self.found.title_at(title_source(source)?, time))
    }

    #[getter]
    fn cwds(&self) -> Vec<(u64, &str)> {
        self.found.cwds.iter().map(|(line, cwd)| (*line, &**cwd)).collect()
    }

    #[getter]
    fn activity(&self) -> Vec<(i64, i64)> {
        self.found.activity.clone()
    }

    #[getter]
    fn uuid_count(&self) -> u64 {
        self.found.uuid_count()
    }

    fn count_shared(&self, other: &Details) -> u64 {
        self.found.count_shared(&other.found)
    }

    #[pyo3(signature = (other, session_id=None))]
    fn count_shared_under(&self, other: &Details, session_id: Option<&str>) -> u64 {
        self.found.count_shared_under(&other.found, session_id)
    }
}

fn title_source(name: &str) -> PyResult<TitleSource> {
    match name {
        "custom" => Ok(TitleSource::Custom),
        "ai" => Ok(TitleSource::Ai),
        _ => Err(PyValueError::new_err(format!("no source of title records: {name:?} (custom, ai)"))),
    }
}

/// Scans many transcripts for their details, in the order given.
#[pyfunction]
#[pyo3(signature = (paths, *, threads=None))]
pub fn details(py: Python<'_>, paths: Vec<PathBuf>, threads: Option<usize>) -> PyResult<Vec<Details>> {
    let threads = threads.filter(|threads| *threads > 0).unwrap_or_else(all_threads);
    let results = interruptible(py, |token| sessscan_core::details(&paths, threads, token))?;
    let details = paths.into_iter().zip(results).map(|(path, result)| match result {
        Ok(found) => Details { path, found, error: None },
        Err(error) => {
            let error = Some(os_error(&error, &path));
            Details { path, found: sessscan_core::Details::default(), error }
        }
    });
    Ok(details.collect())
}
