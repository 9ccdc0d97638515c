//! What streams of batches share that are read while a consumer pulls them.

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::prelude::*;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The next batch; None at the end.
pub(super) type Batch = Result<Option<RecordBatch>, ArrowError>;

/// Read the next batch without the interpreter lock, if the consumer has it: other threads are to run meanwhile.
/// No panic may unwind into the C code of the consumer, which calls this.
fn guarded(read: impl FnOnce() -> Batch + Send) -> Batch {
    let mut read = Some(read);
    let mut caught = || {
        let read = read.take().expect("called once");
        catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(ArrowError::ExternalError("sessscan failed: this is a bug".into())))
    };
    match Python::try_attach(|py| py.detach(&mut caught)) {
        Some(batch) => batch,
        None => caught(),
    }
}

/// Batches that are read as a consumer pulls them, up to the end or the first error.
pub(super) struct Pulled<R> {
    schema: SchemaRef,
    read: R,
    ended: bool,
}

impl<R: FnMut() -> Batch + Send> Pulled<R> {
    pub(super) fn new(schema: SchemaRef, read: R) -> Pulled<R> {
        Pulled { schema, read, ended: false }
    }
}

impl<R: FnMut() -> Batch + Send> RecordBatchReader for Pulled<R> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

impl<R: FnMut() -> Batch + Send> Iterator for Pulled<R> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let result = guarded(&mut self.read);
        self.ended = !matches!(result, Ok(Some(_)));
        result.transpose()
    }
}

/// Return the error of a stream, which can carry only text.
pub(super) fn unreadable(path: &Path, error: io::Error) -> ArrowError {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or(&reason).to_owned();
    // The text becomes a C string.
    let text = format!("{}: {reason}", path.display()).replace('\0', "\\0");
    ArrowError::IoError(text, error)
}

/// Return the error for what a signal handler raised, by its name: the consumer's C code can carry no
/// exception.
pub(super) fn raised(error: PyErr) -> ArrowError {
    let name = Python::attach(|py| error.get_type(py).name().map(|name| name.to_string()));
    let text = format!("interrupted ({})", name.as_deref().unwrap_or("by a signal"));
    ArrowError::IoError(text, io::ErrorKind::Interrupted.into())
}

/// Make a column of codes. The dictionary is the same in every batch: the Arrow file format allows no other.
pub(super) fn coded(codes: impl Iterator<Item = Option<i32>>, words: ArrayRef) -> ArrayRef {
    Arc::new(DictionaryArray::<Int32Type>::new(codes.collect::<Int32Array>(), words))
}
