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

/// A value as Python shows it.
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

    /// Stands in the place of a file that could not be read.
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

    /// Why it could not be read, in words.
    pub fn error_text(&self, py: Python<'_>) -> Option<String> {
        self.error.as_ref().map(|error| error.value(py).to_string())
    }

    /// How many bytes all its text comes to, the title twice.
    pub fn text_bytes(&self) -> usize {
        let facts = &self.facts;
        let worktree = facts.worktree.iter().flat_map(|tree| {
            [&tree.path, &tree.name, &tree.branch, &tree.original_cwd, &tree.original_branch]
        });
        let own = [
            &facts.session_id,
            &facts.custom_title,
            &facts.ai_title,
            &facts.summary,
            &facts.first_prompt,
            &facts.cwd,
            &facts.last_cwd,
            &facts.git_branch,
            &facts.version,
            &facts.entrypoint,
            &facts.model,
            &facts.born_in,
            &facts.relocated_cwd,
            &facts.first_uuid,
            &facts.last_uuid,
        ];
        let texts: usize = own.into_iter().chain(worktree).flatten().map(String::len).sum();
        let path = self.path.as_ref().map_or(0, |path| path.as_os_str().len());
        texts + path + facts.title().map_or(0, |(title, _)| title.len())
    }
}

/// The fields, in the order in which they are listed, with how each is got; the one `pymethods` block that a
/// class may have is made from them.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $type:ty = |$py:ident, $self:ident| $value:expr;)*) => {
        #[pymethods]
        impl Transcript {
            $(
                $(#[$doc])*
                #[getter]
                fn $name<'py>(&self, $py: Python<'py>) -> PyResult<$type> {
                    let $self = self;
                    $value
                }
            )*

            // What only a list of sessions asks for; no column of tables.

            #[getter]
            fn tag(&self) -> Option<&str> {
                self.facts.tag.as_deref()
            }

            #[getter]
            fn first_prompt_is_cut(&self) -> bool {
                self.facts.first_prompt_is_cut
            }

            #[getter]
            fn first_command(&self) -> Option<&str> {
                self.facts.first_command.as_deref()
            }

            #[getter]
            fn last_prompt(&self) -> Option<&str> {
                self.facts.last_prompt.as_deref()
            }

            // What matching a lost row asks for.

            #[getter]
            fn continued_in(&self) -> Option<&str> {
                self.facts.continued_in.as_deref()
            }

            #[getter]
            fn continued_at(&self) -> Option<i64> {
                self.facts.continued_at
            }

            #[getter]
            fn modified_at(&self) -> Option<i64> {
                self.facts.modified_at
            }

            /// The same as a dict that `json` can write.
            fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                let dict = PyDict::new(py);
                $(dict.set_item(stringify!($name), self.$name(py)?)?;)*
                let defects = self.facts.defects.iter().map(|defect| {
                    let entry = PyDict::new(py);
                    entry.set_item("kind", defect.kind.name())?;
                    entry.set_item("line", defect.line)?;
                    entry.set_item("offset", defect.offset)?;
                    entry.set_item("length", defect.length)?;
                    Ok(entry)
                });
                dict.set_item("defects", defects.collect::<PyResult<Vec<_>>>()?)?;
                if let Some(worktree) = &self.facts.worktree {
                    let entry = PyDict::new(py);
                    entry.set_item("path", &worktree.path)?;
                    entry.set_item("name", &worktree.name)?;
                    entry.set_item("branch", &worktree.branch)?;
                    entry.set_item("original_cwd", &worktree.original_cwd)?;
                    entry.set_item("original_branch", &worktree.original_branch)?;
                    dict.set_item("worktree", entry)?;
                }
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
                    facts.defects.len(),
                    self.error.as_ref().map(|error| format!(", error={}", error.value(py))).unwrap_or_default(),
                ))
            }
        }
    };
}

fields! {
    /// As it was given.
    path: Option<Bound<'py, PyAny>> = |py, this| this.path.as_ref().map(|path| path.as_os_str().into_bound_py_any(py)).transpose();
    size: u64 = |_py, this| Ok(this.facts.size);
    session_id: Option<&str> = |_py, this| Ok(this.facts.session_id.as_deref());
    lines: u64 = |_py, this| Ok(this.facts.lines);
    records: u64 = |_py, this| Ok(this.facts.records);
    custom_title: Option<&str> = |_py, this| Ok(this.facts.custom_title.as_deref());
    ai_title: Option<&str> = |_py, this| Ok(this.facts.ai_title.as_deref());
    summary: Option<&str> = |_py, this| Ok(this.facts.summary.as_deref());
    first_prompt: Option<&str> = |_py, this| Ok(this.facts.first_prompt.as_deref());
    title: Option<&str> = |_py, this| Ok(this.facts.title().map(|(title, _)| title));
    title_source: Option<&'static str> = |_py, this| Ok(this.facts.title().map(|(_, source)| source.name()));
    cwd: Option<&str> = |_py, this| Ok(this.facts.cwd.as_deref());
    last_cwd: Option<&str> = |_py, this| Ok(this.facts.last_cwd.as_deref());
    git_branch: Option<&str> = |_py, this| Ok(this.facts.git_branch.as_deref());
    version: Option<&str> = |_py, this| Ok(this.facts.version.as_deref());
    entrypoint: Option<&str> = |_py, this| Ok(this.facts.entrypoint.as_deref());
    model: Option<&str> = |_py, this| Ok(this.facts.model.as_deref());
    worktree: Option<Worktree> = |_py, this| Ok(this.facts.worktree.as_ref().map(Worktree::from));
    created_at: Option<i64> = |_py, this| Ok(this.facts.created_at);
    last_activity_at: Option<i64> = |_py, this| Ok(this.facts.last_activity_at);
    turns: u64 = |_py, this| Ok(this.facts.turns);
    is_sidechain: bool = |_py, this| Ok(this.facts.is_sidechain);
    born_in: Option<&str> = |_py, this| Ok(this.facts.born_in.as_deref());
    relocated_cwd: Option<&str> = |_py, this| Ok(this.facts.relocated_cwd.as_deref());
    first_uuid: Option<&str> = |_py, this| Ok(this.facts.first_uuid.as_deref());
    last_uuid: Option<&str> = |_py, this| Ok(this.facts.last_uuid.as_deref());
    own_records: u64 = |_py, this| Ok(this.facts.own_records);
    defects: Bound<'py, PyTuple> = |py, this| PyTuple::new(py, this.facts.defects.iter().map(Defect::from));
    error: Option<Bound<'py, PyAny>> = |py, this| this.error.as_ref().map(|error| error.value(py).clone().into_bound_py_any(py)).transpose();
}
