//! Hand tables over by the Arrow C interface: without a copy, and without an Arrow library on Python's side.

mod columns;
mod events;
mod fields;
mod fields_range;
mod stream;
mod transcripts;

pub use columns::columns_batch;
pub use events::EventBatches;
pub use fields::{FieldsBatches, FieldsRows};
pub use fields_range::FieldsRange;
pub use transcripts::transcript_batches;

use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader,
    StringArray, StructArray, TimestampMillisecondArray,
};
use arrow_schema::{ArrowError, Field, FieldRef, Schema, SchemaRef};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};
use std::sync::Arc;

/// Rows in memory, in batches of one schema.
#[pyclass(frozen, module = "sessscan._core")]
pub struct Batches {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

#[pymethods]
impl Batches {
    /// Return a stream that begins with the first row.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // only a wish: the consumer casts what it gets
        let batches = self.batches.clone().into_iter().map(Ok);
        stream_capsule(py, Box::new(RecordBatchIterator::new(batches, self.schema.clone())))
    }

    /// Return all rows as one array of structs.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let _ = requested_schema;
        let [batch] = &self.batches[..] else {
            return Err(PyValueError::new_err("too much for one batch: take the stream"));
        };
        let array = arrow_array::ffi::FFI_ArrowArray::new(&StructArray::from(batch.clone()).to_data());
        let array = PyCapsule::new_with_value(py, array, c"arrow_array")?;
        PyTuple::new(py, [schema_capsule(py, &self.schema)?, array])
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.schema)
    }

    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The columns' names.
    #[getter]
    fn columns(&self) -> Vec<String> {
        names(&self.schema)
    }
}

fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// Wrap a stream. A consumer moves it out and leaves the capsule empty; else it is released with the capsule.
fn stream_capsule<'py>(
    py: Python<'py>,
    reader: Box<dyn RecordBatchReader + Send>,
) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), c"arrow_array_stream")
}

fn schema_capsule<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(refused)?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}

/// Return the exception for values that do not fit a column.
fn refused(error: ArrowError) -> PyErr {
    PyOverflowError::new_err(error.to_string())
}

/// A column with its name.
type Column = (FieldRef, ArrayRef);

fn column(name: &str, array: ArrayRef, nullable: bool) -> Column {
    (Arc::new(Field::new(name, array.data_type().clone(), nullable)), array)
}

fn schema_of(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(field, _)| field.clone()).collect::<Vec<_>>()))
}

fn batch_of(columns: Vec<Column>) -> Result<RecordBatch, ArrowError> {
    let schema = schema_of(&columns);
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect())
}

fn text<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// Make a column of text that repeats: a dictionary.
fn repeated<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<DictionaryArray<arrow_array::types::Int32Type>>())
}

/// Make a column of numbers that are never negative. It is signed all the same, so that differences can be
/// computed.
fn count(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(signed).collect::<Int64Array>())
}

fn signed(value: u64) -> Option<i64> {
    Some(i64::try_from(value).unwrap_or(i64::MAX))
}

fn time(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}
