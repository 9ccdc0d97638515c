//! Stream the fields of transcripts as batches or rows, which are read as they are pulled.

use super::stream::{Batch, Pulled, coded, raised, unreadable};
use super::{Column, batch_of, column, names, schema_capsule, schema_of, stream_capsule};
use crate::error::os_error;
use crate::scan::{all_threads, strictness};
use crate::signals::{interruptible, watch};
use crate::transcript::Defect;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::SchemaRef;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PyString, PyTuple};
use sessscan_core::{
    CancelToken, FieldColumn, FieldType, FieldValues, FieldsBatch, FieldsPlan, FieldsReader, FileError,
    Strictness,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// At most this many defects of all files are kept one by one.
const MOST_DEFECTS: usize = 10_000;

/// What is selected, by name: a path, and its type if that is given apart.
type Select = Vec<(String, String, Option<String>)>;

/// The conditions: a path, and the strings that its value may be.
type Conditions = Vec<(String, Vec<String>)>;

/// The fields of files as a table; each stream reads the files anew.
#[pyclass(frozen, module = "sessscan._core")]
pub struct FieldsBatches {
    source: Arc<Files>,
}

struct Files {
    paths: Arc<[PathBuf]>,
    /// The paths as a column, which the batches of all streams share.
    names: ArrayRef,
    plan: Arc<FieldsPlan>,
    /// Whether the columns `path` and `line` come first.
    with_path: bool,
    with_line: bool,
    strictness: Strictness,
    threads: usize,
    skip: bool,
    /// What the newest stream came upon.
    newest: Mutex<Arc<Mutex<Summary>>>,
}

/// What a stream came upon.
#[derive(Default)]
struct Summary {
    other_types: Vec<u64>,
    defects: Vec<(usize, sessscan_core::Defect)>,
    defect_count: u64,
    skipped: Vec<FileError>,
}

#[pymethods]
impl FieldsBatches {
    #[new]
    #[pyo3(signature = (paths, select, conditions, *, path=false, line=false, skip=false, threads=None, strict=false))]
    #[expect(clippy::too_many_arguments, reason = "they are those of `sessscan.fields`")]
    fn new(
        paths: Vec<PathBuf>,
        select: Select,
        conditions: Conditions,
        path: bool,
        line: bool,
        skip: bool,
        threads: Option<usize>,
        strict: bool,
    ) -> PyResult<FieldsBatches> {
        if paths.iter().map(|path| path.as_os_str().len()).sum::<usize>() > i32::MAX as usize {
            return Err(PyOverflowError::new_err("the paths are longer than 2 GiB together"));
        }
        let plan = Arc::new(compile(&select, &conditions)?);
        for (name, added) in [("path", path), ("line", line)] {
            if added && plan.columns().any(|(column, _)| column == name) {
                let text = format!("two columns are named {name:?}: give the selected one another name");
                return Err(PyValueError::new_err(text));
            }
        }
        let files = Files {
            names: super::text(paths.iter().map(|path| Some(path.to_string_lossy()))),
            paths: paths.into(),
            plan,
            with_path: path,
            with_line: line,
            strictness: strictness(strict),
            threads: threads.filter(|threads| *threads > 0).unwrap_or_else(all_threads),
            skip,
            newest: Mutex::default(),
        };
        Ok(FieldsBatches { source: Arc::new(files) })
    }

    /// Return a stream that begins with the first file.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // only a wish: the consumer casts what it gets
        let mut stream = Stream::new(&self.source, true);
        let schema = self.source.schema();
        stream_capsule(py, Box::new(Pulled::new(schema, move || stream.batch())))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.source.schema())
    }

    /// Return an iterator over lists of rows, which are tuples.
    #[pyo3(signature = (*, noted=true))]
    fn rows(&self, noted: bool) -> FieldsRows {
        let stream = Stream::new(&self.source, noted);
        FieldsRows { stream: Mutex::new(stream) }
    }

    /// The columns' names.
    #[getter]
    fn columns(&self) -> Vec<String> {
        names(&self.source.schema())
    }

    /// The type of each selected column.
    #[getter]
    fn types<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let types = PyDict::new(py);
        for (name, kind) in self.source.plan.columns() {
            types.set_item(name, kind.name())?;
        }
        Ok(types)
    }

    /// How many values of each selected column had another type, in the newest stream.
    #[getter]
    fn other_types<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let summary = self.source.summary();
        let counts = PyDict::new(py);
        for (at, (name, _)) in self.source.plan.columns().enumerate() {
            counts.set_item(name, lock(&summary).other_types.get(at).copied().unwrap_or(0))?;
        }
        Ok(counts)
    }

    /// The paths and defects that the newest stream came upon, at most 10,000.
    #[getter]
    fn defects(&self) -> Vec<(PathBuf, Defect)> {
        let summary = self.source.summary();
        let summary = lock(&summary);
        let defect = |(file, defect): &(usize, _)| (self.source.paths[*file].clone(), Defect::from(defect));
        summary.defects.iter().map(defect).collect()
    }

    /// How many defects the newest stream came upon.
    #[getter]
    fn defect_count(&self) -> u64 {
        lock(&self.source.summary()).defect_count
    }

    /// The errors of the files that the newest stream skipped.
    #[getter]
    fn skipped(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let summary = self.source.summary();
        let summary = lock(&summary);
        let error = |skipped: &FileError| os_error(&skipped.error, &self.source.paths[skipped.file]);
        summary.skipped.iter().map(|skipped| error(skipped).into_value(py).into_any()).collect()
    }
}

/// Compile what is selected.
pub(super) fn compile(select: &Select, conditions: &Conditions) -> PyResult<FieldsPlan> {
    let select: Vec<_> =
        select.iter().map(|(name, path, kind)| (&**name, (&**path, kind.as_deref()))).collect();
    let conditions: Vec<_> = conditions.iter().map(|(path, texts)| (&**path, texts.clone())).collect();
    FieldsPlan::new(&select, &conditions).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    fn summary(&self) -> Arc<Mutex<Summary>> {
        lock(&self.newest).clone()
    }

    fn schema(&self) -> SchemaRef {
        schema_of(&columns(self, FieldsBatch::empty(&self.plan)))
    }

    fn path(&self, file: usize) -> &Path {
        &self.paths[file]
    }
}

/// One reading of all files.
struct Stream {
    files: Arc<Files>,
    reader: FieldsReader,
    summary: Arc<Mutex<Summary>>,
}

impl Stream {
    /// Begin to read; `noted`: as the newest stream.
    fn new(files: &Arc<Files>, noted: bool) -> Stream {
        let reader =
            FieldsReader::new(files.plan.clone(), files.paths.clone(), files.strictness, files.threads);
        let summary = Arc::<Mutex<Summary>>::default();
        if noted {
            *lock(&files.newest) = summary.clone();
        }
        Stream { files: files.clone(), reader, summary }
    }

    /// Return the next batch that has rows; None at the end.
    fn next(&mut self, token: &CancelToken) -> Result<Option<FieldsBatch>, FileError> {
        loop {
            match self.reader.next(token) {
                None => return Ok(None),
                Some(Ok(mut batch)) => {
                    self.note(&mut batch);
                    if batch.rows() > 0 {
                        return Ok(Some(batch));
                    }
                }
                Some(Err(skipped))
                    if self.files.skip && skipped.error.kind() != io::ErrorKind::Interrupted =>
                {
                    lock(&self.summary).skipped.push(skipped);
                }
                Some(Err(error)) => return Err(error),
            }
        }
    }

    /// Return the next batch, laid out as columns; None at the end.
    fn batch(&mut self) -> Batch {
        match watch(None, 0, |token| self.next(token)).map_err(raised)? {
            Ok(batch) => batch.map(|batch| batch_of(columns(&self.files, batch))).transpose(),
            Err(FileError { file, error }) => Err(unreadable(self.files.path(file), error)),
        }
    }

    fn note(&self, batch: &mut FieldsBatch) {
        let mut summary = lock(&self.summary);
        summary.other_types.resize(batch.columns.len(), 0);
        for (count, column) in summary.other_types.iter_mut().zip(&batch.columns) {
            *count += column.other_types;
        }
        summary.defect_count += batch.defect_count;
        let room = MOST_DEFECTS - summary.defects.len();
        summary.defects.extend(std::mem::take(&mut batch.defects).into_iter().take(room));
    }
}

/// An iterator over rows, a list of tuples at a time.
#[pyclass(frozen, module = "sessscan._core")]
pub struct FieldsRows {
    stream: Mutex<Stream>,
}

#[pymethods]
impl FieldsRows {
    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        // Wait for the mutex without the interpreter lock: the thread that has the mutex may need that lock.
        let (files, next) = interruptible(py, |token| {
            let mut stream = lock(&self.stream);
            (stream.files.clone(), stream.next(token))
        })?;
        match next {
            Ok(None) => Ok(None),
            Ok(Some(batch)) => rows(py, &files, &batch).map(Some),
            Err(FileError { file, error }) => Err(os_error(&error, files.path(file))),
        }
    }
}

/// Make tuples of a batch's rows.
fn rows<'py>(py: Python<'py>, files: &Files, batch: &FieldsBatch) -> PyResult<Bound<'py, PyList>> {
    let mut columns: Vec<Vec<Bound<'py, PyAny>>> = Vec::new();
    if files.with_path {
        let mut paths = Vec::with_capacity(batch.rows());
        for (file, count) in &batch.files {
            let path = files.path(*file).as_os_str().into_bound_py_any(py)?;
            paths.extend(std::iter::repeat_n(path, *count));
        }
        columns.push(paths);
    }
    if files.with_line {
        columns.push(objects(py, batch.lines.iter().map(Some))?);
    }
    for column in &batch.columns {
        columns.push(column_objects(py, column)?);
    }
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let rows = PyList::empty(py);
    for _ in 0..batch.rows() {
        let row = columns.iter_mut().map(|column| column.next().expect("as long as the batch"));
        rows.append(PyTuple::new(py, row.collect::<Vec<_>>())?)?;
    }
    Ok(rows)
}

fn objects<'py, T: IntoPyObject<'py>>(
    py: Python<'py>,
    values: impl Iterator<Item = Option<T>>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    values.map(|value| value.into_bound_py_any(py)).collect()
}

fn column_objects<'py>(py: Python<'py>, column: &FieldColumn) -> PyResult<Vec<Bound<'py, PyAny>>> {
    fn valid<'a, T>(column: &'a FieldColumn, values: &'a [T]) -> impl Iterator<Item = Option<&'a T>> {
        values.iter().zip(&column.valid).map(|(value, valid)| valid.then_some(value))
    }
    match &column.values {
        FieldValues::Ints(values) => objects(py, valid(column, values)),
        FieldValues::Floats(values) => objects(py, valid(column, values)),
        FieldValues::Bools(values) => objects(py, valid(column, values)),
        FieldValues::Texts(..) => {
            // Texts that repeat, such as a model's name, become one object.
            let mut last: Option<(&str, Bound<'py, PyAny>)> = None;
            let mut texts = Vec::with_capacity(column.valid.len());
            for row in 0..column.valid.len() {
                texts.push(match (column.text(row), &last) {
                    (None, _) => py.None().into_bound(py),
                    (Some(text), Some((same, object))) if text == *same => object.clone(),
                    (Some(text), _) => {
                        let object = PyString::new(py, text).into_any();
                        last = Some((text, object.clone()));
                        object
                    }
                });
            }
            Ok(texts)
        }
    }
}

/// Lay a batch out as columns.
fn columns(files: &Files, batch: FieldsBatch) -> Vec<Column> {
    let mut columns = Vec::new();
    if files.with_path {
        let codes =
            batch.files.iter().flat_map(|(file, count)| std::iter::repeat_n(Some(*file as i32), *count));
        columns.push(column("path", coded(codes, files.names.clone()), false));
    }
    if files.with_line {
        columns.push(column("line", super::count(batch.lines.iter().copied()), false));
    }
    columns.extend(selected(&files.plan, batch));
    columns
}

/// Lay out the columns that were selected.
pub(super) fn selected(plan: &FieldsPlan, batch: FieldsBatch) -> Vec<Column> {
    let selected = plan.columns().zip(batch.columns);
    selected.map(|((name, kind), values)| column(name, array(kind, values), true)).collect()
}

fn array(kind: FieldType, column: FieldColumn) -> ArrayRef {
    let valid: NullBuffer = BooleanBuffer::from(column.valid).into();
    let valid = (valid.null_count() > 0).then_some(valid);
    match column.values {
        FieldValues::Ints(values) if kind == FieldType::Time => {
            Arc::new(TimestampMillisecondArray::new(values.into(), valid).with_timezone("UTC"))
        }
        FieldValues::Ints(values) => Arc::new(Int64Array::new(values.into(), valid)),
        FieldValues::Floats(values) => Arc::new(Float64Array::new(values.into(), valid)),
        FieldValues::Bools(values) => Arc::new(BooleanArray::new(values.into(), valid)),
        FieldValues::Texts(texts, ends) => {
            let mut offsets = Vec::with_capacity(ends.len() + 1);
            offsets.push(0);
            offsets.extend(ends);
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            Arc::new(StringArray::new(offsets, Buffer::from_vec(texts.into_bytes()), valid))
        }
    }
}
