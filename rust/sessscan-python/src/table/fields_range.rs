//! `FieldsRange`: read the fields of a range of a file, of bytes that come from anywhere.

use super::fields::{compile, selected};
use super::{Batches, batch_of, refused};
use crate::scan::strictness;
use crate::shard::{feed, finished, part_error, take, with};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use sessscan_core::{FieldsBatch, FieldsPlan};
use std::sync::{Arc, Mutex};

/// A reading of the fields of the lines that begin in a range of a file.
#[pyclass(frozen, module = "sessscan._core")]
pub struct FieldsRange {
    plan: Arc<FieldsPlan>,
    range: Mutex<Option<sessscan_core::FieldsRange>>,
    counts: Mutex<Counts>,
}

/// What was wrong with the bytes that were read.
#[derive(Default)]
struct Counts {
    other_types: Vec<u64>,
    defects: u64,
}

#[pymethods]
impl FieldsRange {
    #[new]
    #[pyo3(signature = (select, conditions, *, size, start, end, strict=false))]
    fn new(
        select: Vec<(String, String, Option<String>)>,
        conditions: Vec<(String, Vec<String>)>,
        size: u64,
        start: u64,
        end: u64,
        strict: bool,
    ) -> PyResult<FieldsRange> {
        let plan = Arc::new(compile(&select, &conditions)?);
        let range = sessscan_core::FieldsRange::new(plan.clone(), strictness(strict), size, start..end);
        let range = Mutex::new(Some(range.map_err(part_error)?));
        Ok(FieldsRange { plan, range, counts: Mutex::default() })
    }

    /// The offset of the byte that is to be fed next.
    #[getter]
    fn position(&self, py: Python<'_>) -> PyResult<u64> {
        with(py, &self.range, |range| range.position())
    }

    /// Take in more bytes, cut anywhere; return whether more are needed.
    fn feed(&self, py: Python<'_>, chunk: &Bound<'_, PyAny>) -> PyResult<bool> {
        feed(py, chunk, |bytes| with(py, &self.range, |range| range.feed(bytes)))
    }

    /// Return the rows since the last call.
    fn take(&self, py: Python<'_>) -> PyResult<Batches> {
        self.batches(with(py, &self.range, |range| range.take())?)
    }

    /// Return the rows that are left. Afterwards the range is finished.
    fn finish(&self, py: Python<'_>) -> PyResult<Batches> {
        let rest = py.detach(|| take(&self.range).map(|range| range.finish())).ok_or_else(finished)?;
        self.batches(rest.map_err(part_error)?.0)
    }

    /// How many values of each column had another type, in the rows that were taken.
    #[getter]
    fn other_types<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let types = PyDict::new(py);
        for (at, (name, _)) in self.plan.columns().enumerate() {
            types.set_item(name, counts.other_types.get(at).copied().unwrap_or(0))?;
        }
        Ok(types)
    }

    /// How many defects were found before the last call of `take` or `finish`.
    #[getter]
    fn defect_count(&self) -> u64 {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).defects
    }
}

impl FieldsRange {
    fn batches(&self, batch: FieldsBatch) -> PyResult<Batches> {
        {
            let mut counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            counts.defects += batch.defect_count;
            counts.other_types.resize(batch.columns.len(), 0);
            for (count, column) in counts.other_types.iter_mut().zip(&batch.columns) {
                *count += column.other_types;
            }
        }
        let batch = batch_of(selected(&self.plan, batch)).map_err(refused)?;
        Ok(Batches { schema: batch.schema(), batches: vec![batch] })
    }
}
