//! Make exceptions of the core's errors: Python's own where Python has one, else those of `sessscan.errors`.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use sessscan_core::{Refusal, ReplaceError};
use std::io;
use std::path::Path;

pyo3::import_exception!(sessscan.errors, ConflictError);
pyo3::import_exception!(sessscan.errors, UnconfirmedError);

/// Return an `OSError` of the right subclass, with errno, text and filename.
pub fn os_error(error: &io::Error, path: &Path) -> PyErr {
    let path = path.as_os_str().to_owned();
    let Some(code) = error.raw_os_error() else {
        return Python::attach(|py| match errno(py, error) {
            Ok((code, text)) => PyOSError::new_err((code, text, path)),
            Err(error) => error,
        });
    };
    let text = error.to_string();
    // Rust appends the number to the text; Python puts it in front itself.
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = if cfg!(windows) { text.trim_end_matches(['.', ' ']) } else { text }.to_owned();
    if cfg!(windows) {
        // On Windows the code is Windows' own; Python makes an errno of it.
        PyOSError::new_err((0, text, path, code))
    } else {
        PyOSError::new_err((code, text, path))
    }
}

/// Return errno and text for an error that did not come from the system.
fn errno(py: Python<'_>, error: &io::Error) -> PyResult<(i32, String)> {
    let refusal = Refusal::of(error);
    let name = match error.kind() {
        _ if refusal == Some(Refusal::InCloud) => "ENODATA",
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::AlreadyExists => "EEXIST",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::NotADirectory => "ENOTDIR",
        io::ErrorKind::InvalidInput => "EINVAL",
        io::ErrorKind::ResourceBusy => "EBUSY",
        io::ErrorKind::Unsupported => "EOPNOTSUPP",
        _ => "EIO",
    };
    let code = py.import("errno")?.getattr(name)?.extract()?;
    if let Some(refusal) = refusal {
        return Ok((code, refusal.to_string()));
    }
    let text = py.import("os")?.call_method1("strerror", (code,))?.extract()?;
    Ok((code, text))
}

/// Return the exception for an error of the writer.
pub fn replace_error(py: Python<'_>, error: ReplaceError) -> PyErr {
    let text = error.to_string();
    match error {
        ReplaceError::Conflict { .. } => ConflictError::new_err(text),
        ReplaceError::Edits { .. } => PyValueError::new_err(text),
        ReplaceError::Unconfirmed { path, source } => {
            let error = UnconfirmedError::new_err(text);
            error.set_cause(py, Some(os_error(&source, &path)));
            error
        }
        ReplaceError::Io { path, source } => os_error(&source, &path),
    }
}
