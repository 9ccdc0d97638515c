//! Stream events as batches, which are read as they are pulled.

use super::stream::{Batch, Pulled, coded, raised, unreadable};
use super::{Column, batch_of, column, count, names, schema_capsule, schema_of, stream_capsule, text, time};
use crate::error::os_error;
use crate::events::wanted;
use crate::signals::watch;
use arrow_array::ArrayRef;
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use sessscan_core::{CancelToken, Event, EventKind, EventKinds, Events, TitleSource};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Rows of a batch.
const MOST_ROWS: usize = 65_536;

/// A batch ends early once its titles and directories have this many bytes.
const MOST_TEXT: usize = 16 << 20;

/// The events of files as a table; each stream reads the files anew.
#[pyclass(frozen, module = "sessscan._core")]
pub struct EventBatches {
    source: Arc<Files>,
}

struct Files {
    paths: Vec<PathBuf>,
    /// The paths as a column, which the batches of all streams share.
    names: ArrayRef,
    kinds: EventKinds,
    /// The files that the newest stream could not read and skipped; None: a stream ends at such a file.
    skipped: Option<Mutex<Vec<(PathBuf, io::Error)>>>,
}

impl Files {
    fn skip(&self, path: PathBuf, error: io::Error) -> Result<(), io::Error> {
        let Some(skipped) = &self.skipped else { return Err(error) };
        skipped.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((path, error));
        Ok(())
    }
}

#[pymethods]
impl EventBatches {
    #[new]
    #[pyo3(signature = (paths, kinds=None, *, skip=false))]
    fn new(paths: Vec<PathBuf>, kinds: Option<Vec<String>>, skip: bool) -> PyResult<EventBatches> {
        if paths.iter().map(|path| path.as_os_str().len()).sum::<usize>() > i32::MAX as usize {
            return Err(PyOverflowError::new_err("the paths are longer than 2 GiB together"));
        }
        let names = text(paths.iter().map(|path| Some(path.to_string_lossy())));
        let skipped = skip.then(Mutex::default);
        Ok(EventBatches { source: Arc::new(Files { paths, names, kinds: wanted(kinds)?, skipped }) })
    }

    /// Return a stream that begins with the first file.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // only a wish: the consumer casts what it gets
        let files = self.source.clone();
        if let Some(skipped) = &files.skipped {
            skipped.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
        }
        let schema = schema(&files);
        let mut reader = Reader { files, at: 0, open: None };
        stream_capsule(py, Box::new(Pulled::new(schema, move || reader.batch())))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &schema(&self.source))
    }

    /// The columns' names.
    #[getter]
    fn columns(&self) -> Vec<String> {
        names(&schema(&self.source))
    }

    /// The errors of the files that the newest stream skipped.
    #[getter]
    fn skipped(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let Some(skipped) = &self.source.skipped else { return Vec::new() };
        let skipped = skipped.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        skipped.iter().map(|(path, error)| os_error(error, path).into_value(py).into_any()).collect()
    }
}

fn schema(files: &Files) -> SchemaRef {
    schema_of(&columns(files, &[]))
}

struct Reader {
    files: Arc<Files>,
    /// Which file is next, or open.
    at: usize,
    open: Option<Events>,
}

impl Reader {
    /// Return the next batch; None at the end.
    fn batch(&mut self) -> Batch {
        let rows = watch(None, 0, |token| self.rows(token)).map_err(raised)??;
        if rows.is_empty() {
            return Ok(None);
        }
        batch_of(columns(&self.files, &rows)).map(Some)
    }

    /// Read the events of a batch.
    fn rows(&mut self, token: &CancelToken) -> Result<Vec<Row>, ArrowError> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        while rows.len() < MOST_ROWS && bytes < MOST_TEXT && self.at < self.files.paths.len() {
            match self.read(token) {
                Ok(Some(event)) => {
                    let length = value(&event).map_or(0, str::len);
                    if length > i32::MAX as usize - MOST_TEXT {
                        let error = io::Error::other("a title or directory of 2 GiB fits no column");
                        return Err(unreadable(&self.files.paths[self.at], error));
                    }
                    bytes += length;
                    rows.push(Row { file: self.at as i32, event });
                }
                Ok(None) => (self.open, self.at) = (None, self.at + 1),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    return Err(unreadable(&self.files.paths[self.at], error));
                }
                Err(error) => {
                    let path = &self.files.paths[self.at];
                    self.files.skip(path.clone(), error).map_err(|error| unreadable(path, error))?;
                    (self.open, self.at) = (None, self.at + 1);
                }
            }
        }
        Ok(rows)
    }

    /// Read the next event of the current file; None at its end.
    fn read(&mut self, token: &CancelToken) -> io::Result<Option<Event>> {
        let events = match &mut self.open {
            Some(events) => events,
            None => self.open.insert(Events::open(&self.files.paths[self.at], self.files.kinds)?),
        };
        events.next(token)
    }
}

struct Row {
    file: i32,
    event: Event,
}

fn value(event: &Event) -> Option<&str> {
    match &event.kind {
        EventKind::Title(value, _) | EventKind::Cwd(value) => Some(value),
        EventKind::Timestamp(_) => None,
    }
}

fn columns(files: &Files, rows: &[Row]) -> Vec<Column> {
    let events = || rows.iter().map(|row| &row.event);
    let time_of = |event: &Event| match event.kind {
        EventKind::Timestamp(time) => Some(time),
        _ => None,
    };
    let kind = |event: &Event| match event.kind {
        EventKind::Title(..) => Some(0),
        EventKind::Cwd(_) => Some(1),
        EventKind::Timestamp(_) => Some(2),
    };
    let source = |event: &Event| match event.kind {
        EventKind::Title(_, TitleSource::Ai) => Some(1),
        EventKind::Title(..) => Some(0),
        _ => None,
    };
    let word = |words: &[&'static str]| text(words.iter().map(Some));
    vec![
        column("path", coded(rows.iter().map(|row| Some(row.file)), files.names.clone()), false),
        column("line", count(events().map(|event| event.line)), false),
        column("offset", count(events().map(|event| event.offset)), false),
        column("kind", coded(events().map(kind), word(&["title", "cwd", "timestamp"])), false),
        column("value", text(events().map(value)), true),
        column("time", time(events().map(time_of)), true),
        column("source", coded(events().map(source), word(&["custom", "ai"])), true),
    ]
}
