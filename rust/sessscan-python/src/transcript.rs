//! `Transcript`, `Defect` and `Worktree`: a scan's result as Python sees it.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::path::{Path, PathBuf};

/// Something wrong with bytes of a transcript.
#[pyclass(frozen, eq, hash, get_all, module = "sessscan")]
#[derive(Clone, PartialEq, Hash)]
pub struct Defect {
    kind: &'static str,
    line: u64,
    offset: u64,
    length: u64,
}

#[pymethods]
impl Defect {
    fn __repr__(&self) -> String {
        format!(
            "Defect(kind='{}', line={}, offset={}, length={})",
            self.kind, self.line, self.offset, self.length
        )
    }
}

impl From<&sessscan_core::Defect> for Defect {
    fn from(defect: &sessscan_core::Defect) -> Defect {
        Defect { kind: defect.kind.name(), line: defect.line, offset: defect.offset, length: defect.length }
    }
}

/// The git worktree a session works in.
#[pyclass(frozen, eq, get_all, module = "sessscan")]
#[derive(Clone, PartialEq)]
pub struct Worktree {
    path: Option<String>,
    name: Option<String>,
    branch: Option<String>,
    original_cwd: Option<String>,
    original_branch: Option<String>,
}

#[pymethods]
impl Worktree {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let [path, name, branch] = [&self.path, &self.name, &self.branch].map(|value| shown(py, value));
        Ok(format!("Worktree(path={}, name={}, branch={})", path?, name?, branch?))
    }
}

impl From<&sessscan_core::Worktree> for Worktree {
    fn from(worktree: &sessscan_core::Worktree) -> Worktree {
        let sessscan_core::Worktree { path, name, branch, original_cwd, original_branch } = worktree.clone();
        Worktree { path, name, branch, original_cwd, original_branch }
    }
}

/// Return a value as Python shows it.
fn shown(py: Python<'_>, value: &Option<String>) -> PyResult<String> {
    Ok(value.into_pyobject(py)?.repr()?.to_string())
}

/// What a transcript says of its session.
#[pyclass(frozen, eq, module = "sessscan")]
pub struct Transcript {
    path: Option<PathBuf>,
    facts: sessscan_core::Transcript,
    error: Option<PyErr>,
}

impl PartialEq for Transcript {
    fn eq(&self, other: &Transcript) -> bool {
        self.path == other.path && self.facts == other.facts && self.error.is_some() == other.error.is_some()
    }
}

impl Transcript {
    pub fn new(path: Option<PathBuf>, facts: sessscan_core::Transcript) -> Transcript {
        Transcript { path, facts, error: None }
    }

    /// Make a transcript of a file that could not be read: only its path, session id and error are set.
    pub fn unreadable(path: PathBuf, error: PyErr) -> Transcript {
        let session_id = sessscan_core::session_id_of(&path);
        let facts = sessscan_core::Transcript { session_id, ..Default::default() };
        Transcript { path: Some(path), facts, error: Some(error) }
    }

    pub fn file(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub fn facts(&self) -> &sessscan_core::Transcript {
        &self.facts
    }

    /// Return the error's text.
    pub fn error_text(&self, py: Python<'_>) -> Option<String> {
        self.error.as_ref().map(|error| error.value(py).to_string())
    }

    /// Return how many bytes the text of its columns has, that of the title twice.
    pub fn text_bytes(&self) -> usize {
        let path = self.path.as_ref().map_or(0, |path| path.as_os_str().len());
        path + self.facts.title().map_or(0, |(title, _)| title.len()) + column_bytes(&self.facts)
    }

    fn error_value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.error.as_ref().map(|error| error.value(py).clone().into_any())
    }
}

/// A field's value for Python, and how much text it is.
trait Value {
    fn attribute<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;

    /// Return the value for a dict that `json` can write.
    fn entry<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attribute(py)
    }

    fn text_bytes(&self) -> usize {
        0
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn attribute<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                self.into_bound_py_any(py)
            }
        })*
    };
}

numbers!(u64, Option<i64>, bool);

impl Value for Option<String> {
    fn attribute<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.into_bound_py_any(py)
    }

    fn text_bytes(&self) -> usize {
        self.as_ref().map_or(0, String::len)
    }
}

impl Value for Option<sessscan_core::Worktree> {
    fn attribute<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.as_ref().map(Worktree::from).into_bound_py_any(py)
    }

    fn entry<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Some(worktree) = self else { return Ok(py.None().into_bound(py)) };
        let entry = PyDict::new(py);
        entry.set_item("path", &worktree.path)?;
        entry.set_item("name", &worktree.name)?;
        entry.set_item("branch", &worktree.branch)?;
        entry.set_item("original_cwd", &worktree.original_cwd)?;
        entry.set_item("original_branch", &worktree.original_branch)?;
        Ok(entry.into_any())
    }

    fn text_bytes(&self) -> usize {
        let Some(sessscan_core::Worktree { path, name, branch, original_cwd, original_branch }) = self else {
            return 0;
        };
        [path, name, branch, original_cwd, original_branch].into_iter().flatten().map(String::len).sum()
    }
}

impl Value for Vec<sessscan_core::Defect> {
    fn attribute<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyTuple::new(py, self.iter().map(Defect::from))?.into_any())
    }

    fn entry<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let entries = self.iter().map(|defect| {
            let entry = PyDict::new(py);
            entry.set_item("kind", defect.kind.name())?;
            entry.set_item("line", defect.line)?;
            entry.set_item("offset", defect.offset)?;
            entry.set_item("length", defect.length)?;
            Ok(entry)
        });
        entries.collect::<PyResult<Vec<_>>>()?.into_bound_py_any(py)
    }
}

/// Run a block for a field that is a column of tables; do nothing for one that is an attribute only.
macro_rules! if_column {
    (no, $block:block) => {};
    ($column:ident, $block:block) => {
        $block
    };
}

/// Define the class's attributes and `to_dict` from the list of fields: a class may have one `pymethods`
/// block.
macro_rules! define_methods {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $join:ident, $column:ident;)*) => {
        #[pymethods]
        impl Transcript {
            $(
                $(#[$doc])*
                #[getter]
                fn $name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                    self.facts.$name.attribute(py)
                }
            )*

            /// The path as it was given; None for bytes.
            #[getter]
            fn path<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
                self.path.as_ref().map(|path| path.as_os_str().into_bound_py_any(py)).transpose()
            }

            /// The first of custom title, AI title, summary and first prompt that there is.
            #[getter]
            fn title(&self) -> Option<&str> {
                self.facts.title().map(|(title, _)| title)
            }

            /// Which of them `title` is.
            #[getter]
            fn title_source(&self) -> Option<&'static str> {
                self.facts.title().map(|(_, source)| source.name())
            }

            /// Why the file could not be read.
            #[getter]
            fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
                self.error_value(py)
            }

            /// Return all fields that are columns of tables, as a dict that `json` can write.
            fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                let dict = PyDict::new(py);
                dict.set_item("path", self.path(py)?)?;
                $(if_column!($column, {
                    dict.set_item(stringify!($name), self.facts.$name.entry(py)?)?;
                    if stringify!($name) == LAST_TITLE {
                        dict.set_item("title", self.title())?;
                        dict.set_item("title_source", self.title_source())?;
                    }
                });)*
                dict.set_item("error", self.error_text(py))?;
                Ok(dict)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let facts = &self.facts;
                let title = facts.title().map(|(title, _)| title.to_owned());
                Ok(format!(
                    "Transcript(session_id={}, title={}, cwd={}, records={}, defects={}{})",
                    shown(py, &facts.session_id)?,
                    shown(py, &title)?,
                    shown(py, &facts.cwd)?,
                    facts.records,
                    facts.defect_count,
                    self.error_text(py).map(|error| format!(", error={error}")).unwrap_or_default(),
                ))
            }
        }

        fn column_bytes(facts: &sessscan_core::Transcript) -> usize {
            let mut bytes = 0;
            $(if_column!($column, { bytes += facts.$name.text_bytes(); });)*
            bytes
        }
    };
}

/// The field behind which `title` and `title_source`, which are computed, stand in dicts and tables.
pub const LAST_TITLE: &str = "first_prompt";

sessscan_core::transcript_fields!(define_methods);
