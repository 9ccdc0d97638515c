//! `classify`, `classify_many`, `classify_bytes`, `row_prefix`, `row_text` and `ROW_STATES`: the states of registry
//! files.

use crate::error::os_error;
use crate::signals::interruptible;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRecursionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::borrow::Cow;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// The state of a registry file.
#[pyclass(frozen, module = "sessscan")]
pub struct RowState {
    path: Option<OsString>,
    state: sessscan_core::RowState,
}

#[pymethods]
impl RowState {
    #[getter]
    fn path(&self) -> Option<&OsString> {
        self.path.as_ref()
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.state.kind.name()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.state.size
    }

    #[getter]
    fn offset(&self) -> u64 {
        self.state.offset
    }

    #[getter]
    fn length(&self) -> u64 {
        self.state.length
    }

    fn __str__(&self) -> &'static str {
        self.kind()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = (&self.path).into_bound_py_any(py)?.repr()?;
        let sessscan_core::RowState { kind, size, offset, length } = self.state;
        let kind = kind.name();
        Ok(format!("RowState(path={path}, kind='{kind}', size={size}, offset={offset}, length={length})"))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<RowState>().is_ok_and(|other| {
            let other = other.get();
            self.path == other.path && self.state == other.state
        })
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.path, self.state).hash(&mut hasher);
        hasher.finish()
    }
}

/// A kind of state that a registry file can be in, with what follows from it.
#[pyclass(frozen, get_all, module = "sessscan._core")]
pub struct RowKind {
    kind: &'static str,
    from_crash: bool,
    content: &'static str,
}

#[pymethods]
impl RowKind {
    fn __repr__(&self) -> String {
        let from_crash = if self.from_crash { "True" } else { "False" };
        format!("RowKind(kind='{}', from_crash={from_crash}, content='{}')", self.kind, self.content)
    }
}

/// Return all kinds, for `ROW_STATES`.
pub fn row_states(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let kinds = sessscan_core::RowKind::ALL.map(|kind| RowKind {
        kind: kind.name(),
        from_crash: kind.is_from_crash(),
        content: kind.content().name(),
    });
    PyTuple::new(py, kinds)
}

/// Classify a registry file.
#[pyfunction]
pub fn classify(py: Python<'_>, path: PathBuf) -> PyResult<RowState> {
    match interruptible(py, |token| sessscan_core::classify(&path, token))? {
        Ok(state) => Ok(RowState { path: Some(path.into()), state }),
        Err(error) => Err(os_error(&error, &path)),
    }
}

/// Classify many files, in the order given; for one that cannot be read, return the error.
#[pyfunction]
pub fn classify_many<'py>(py: Python<'py>, paths: Vec<PathBuf>) -> PyResult<Bound<'py, PyList>> {
    let states = interruptible(py, |token| sessscan_core::classify_many(&paths, token))?;
    let answers = PyList::empty(py);
    for (path, state) in paths.into_iter().zip(states) {
        match state {
            Ok(state) => answers.append(RowState { path: Some(path.into()), state })?,
            Err(error) => answers.append(os_error(&error, &path).into_value(py))?,
        }
    }
    Ok(answers)
}

/// Classify the content of a file.
#[pyfunction]
#[pyo3(signature = (data, *, stem=None))]
pub fn classify_bytes(py: Python<'_>, data: Cow<'_, [u8]>, stem: Option<OsString>) -> RowState {
    let stem = stem.as_ref().map(|stem| stem.as_encoded_bytes());
    RowState { path: None, state: py.detach(|| sessscan_core::classify_bytes(&data, stem)) }
}

/// Return the complete members of a row, or of what is left of one.
#[pyfunction]
pub fn row_prefix<'py>(py: Python<'py>, data: Cow<'_, [u8]>) -> PyResult<Bound<'py, PyDict>> {
    let members = PyDict::new(py);
    let loads = py.import("json")?.getattr("loads")?;
    let load = |raw: &[u8]| loads.call1((String::from_utf8_lossy(raw),));
    // Python limits, unlike JSON, how long a number is and how deep brackets nest.
    let is_limit = |error: &PyErr| {
        error.is_instance_of::<PyValueError>(py) || error.is_instance_of::<PyRecursionError>(py)
    };
    let text = py.detach(|| sessscan_core::row_text(&data));
    let (found, array) = py.detach(|| {
        let found = sessscan_core::prefix_members(&text);
        let array = as_array(&found);
        (found, array)
    });
    // All at once, since a call for each member takes long where a row has a hundred thousand.
    match load(&array) {
        Ok(values) => {
            let mut values = values.try_iter()?;
            while let (Some(key), Some(value)) = (values.next(), values.next()) {
                members.set_item(key?, value?)?;
            }
        }
        Err(error) if is_limit(&error) => {
            for (key, value) in found {
                match load(value) {
                    Ok(value) => members.set_item(load(key)?, value)?,
                    Err(error) if is_limit(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    Ok(members)
}

/// Return a row's content as UTF-8.
#[pyfunction]
pub fn row_text<'py>(py: Python<'py>, data: Cow<'_, [u8]>) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &py.detach(|| sessscan_core::row_text(&data)))
}

/// Return a JSON array of the keys and values, one after the other.
fn as_array(members: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut array = vec![b'['];
    for (place, (key, value)) in members.iter().enumerate() {
        if place > 0 {
            array.push(b',');
        }
        array.extend_from_slice(key);
        array.push(b',');
        array.extend_from_slice(value);
    }
    array.push(b']');
    array
}
