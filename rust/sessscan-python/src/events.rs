//! `events`: read what happened in a session.

use crate::error::os_error;
use crate::signals::interruptible;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sessscan_core::{EventKind, EventKinds, Events};
use std::path::PathBuf;
use std::sync::Mutex;

/// One thing that happened in a session.
#[pyclass(frozen, get_all, module = "sessscan")]
pub struct Event {
    line: u64,
    offset: u64,
    kind: &'static str,
    value: Py<PyAny>,
    source: Option<&'static str>,
}

#[pymethods]
impl Event {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let value = self.value.bind(py).repr()?;
        Ok(format!("Event(line={}, offset={}, kind='{}', value={value})", self.line, self.offset, self.kind))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = other.py();
        let Ok(other) = other.cast::<Event>() else { return Ok(false) };
        let other = other.get();
        Ok((self.line, self.offset, self.kind, self.source)
            == (other.line, other.offset, other.kind, other.source)
            && self.value.bind(py).eq(&other.value)?)
    }
}

/// An iterator over a transcript's events, which are read as it goes on.
#[pyclass(frozen, module = "sessscan")]
pub struct EventIterator {
    path: PathBuf,
    events: Mutex<Events>,
}

#[pymethods]
impl EventIterator {
    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Event>> {
        let read = self.events.try_lock().ok().and_then(|mut events| events.next_read());
        let event = match read {
            Some(event) => event,
            None => match self.read_on(py)? {
                Some(event) => event,
                None => return Ok(None),
            },
        };
        let (kind, value, source) = match event.kind {
            EventKind::Title(title, source) => ("title", title.into_py_any(py)?, Some(source.name())),
            EventKind::Cwd(cwd) => ("cwd", cwd.into_py_any(py)?, None),
            EventKind::Timestamp(time) => ("timestamp", time.into_py_any(py)?, None),
        };
        Ok(Some(Event { line: event.line, offset: event.offset, kind, value, source }))
    }
}

impl EventIterator {
    fn read_on(&self, py: Python<'_>) -> PyResult<Option<sessscan_core::Event>> {
        // Wait for the mutex without the interpreter lock: the thread that has the mutex may need that lock.
        let next = interruptible(py, |token| {
            let mut events = self.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            events.next(token)
        })?;
        next.map_err(|error| os_error(&error, &self.path))
    }
}

/// Return the events of a transcript, in file order.
#[pyfunction]
#[pyo3(signature = (path, kinds=None), text_signature = "(path, kinds=('title', 'cwd', 'timestamp'))")]
pub fn events(path: PathBuf, kinds: Option<Vec<String>>) -> PyResult<EventIterator> {
    match Events::open(&path, wanted(kinds)?) {
        Ok(events) => Ok(EventIterator { path, events: Mutex::new(events) }),
        Err(error) => Err(os_error(&error, &path)),
    }
}

/// Return the kinds of these names; None: all of them.
pub fn wanted(kinds: Option<Vec<String>>) -> PyResult<EventKinds> {
    let mut wanted = EventKinds { title: kinds.is_none(), cwd: kinds.is_none(), timestamp: kinds.is_none() };
    for kind in kinds.into_iter().flatten() {
        match &*kind {
            "title" => wanted.title = true,
            "cwd" => wanted.cwd = true,
            "timestamp" => wanted.timestamp = true,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "no kind of event: {kind:?} (title, cwd, timestamp)"
                )));
            }
        }
    }
    Ok(wanted)
}
