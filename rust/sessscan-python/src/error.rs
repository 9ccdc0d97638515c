//! Errors of the core as exceptions: Python's own where Python has one.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use std::io;
use std::path::Path;

/// An `OSError` of the right subclass, with errno, text and filename.
pub fn os_error(error: &io::Error, path: &Path) -> PyErr {
    let text = error.to_string();
    // Rust appends the number to the text; Python puts it in front itself.
    let text = text.split(" (os error").next().unwrap_or(&text).to_owned();
    PyOSError::new_err((error.raw_os_error().unwrap_or(0), text, path.as_os_str().to_owned()))
}
