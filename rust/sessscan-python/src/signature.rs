//! Tell which of many files may have changed.

use crate::scan::all_threads;
use crate::signals::interruptible;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use sessscan_core::signature::{self, Signed};
use std::ffi::OsString;
use std::path::Path;

/// A folder, the names of files in it, and what is known of each.
type Folder = (OsString, Vec<PyBackedStr>, Vec<Option<PyBackedStr>>);

/// Return for each folder the numbers of those files that may have changed since a signature was made of each.
#[pyfunction]
pub fn changed(py: Python<'_>, folders: Vec<Folder>, boot: &str) -> PyResult<Vec<Vec<usize>>> {
    if folders.iter().any(|(_, names, known)| names.len() != known.len()) {
        return Err(PyValueError::new_err("there must be as many signatures as names"));
    }
    let signed: Vec<_> = folders.iter().map(signed).collect();
    let found = interruptible(py, |token| signature::changed(&signed, boot, all_threads(), token))?;
    Ok(found?)
}

fn signed((folder, names, known): &Folder) -> Signed<'_> {
    let files = names.iter().map(|name| &**name).zip(known.iter().map(Option::as_deref)).collect();
    Signed { folder: Path::new(folder), files }
}
