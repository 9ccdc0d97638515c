//! Make columns of lists of Python values.

use super::{Batches, Column, batch_of, column, refused, repeated, text, time};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, ListArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{Field, Fields};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::sync::Arc;

/// The most bytes that a column of strings can have.
const MOST_TEXT: usize = i32::MAX as usize;

type Values<'py> = Vec<Option<Bound<'py, PyAny>>>;

/// Make a table of one batch of (name, type, values): types are `text`, `repeated`, `int`, `time` (epoch ms),
/// `bool`, `[(name, type), …]` for tuples, and `{"list": type}` for sequences.
#[pyfunction]
pub fn columns_batch(columns: Vec<(String, Bound<'_, PyAny>, Values<'_>)>) -> PyResult<Batches> {
    let columns: Vec<Column> = columns
        .into_iter()
        .map(|(name, kind, values)| Ok(column(&name, array(&kind, &values)?, true)))
        .collect::<PyResult<_>>()?;
    let batch = batch_of(columns).map_err(refused)?;
    Ok(Batches { schema: batch.schema(), batches: vec![batch] })
}

fn array(kind: &Bound<'_, PyAny>, values: &Values<'_>) -> PyResult<ArrayRef> {
    if let Ok(parts) = kind.extract::<Vec<(String, Bound<'_, PyAny>)>>() {
        return tuples(&parts, values);
    }
    let Ok(name) = kind.cast::<PyString>() else {
        return lists(&kind.get_item("list")?, values);
    };
    Ok(match &*name.to_cow()? {
        "text" => text(strings(values)?.iter().map(Option::as_deref)),
        "repeated" => repeated(strings(values)?.iter().map(Option::as_deref)),
        "int" => Arc::new(plain(values)?.into_iter().collect::<Int64Array>()),
        "time" => time(plain(values)?.into_iter()),
        "bool" => Arc::new(plain(values)?.into_iter().collect::<BooleanArray>()),
        other => return Err(PyValueError::new_err(format!("no type of a column: {other:?}"))),
    })
}

fn plain<'py, T: for<'a> FromPyObject<'a, 'py>>(values: &Values<'py>) -> PyResult<Vec<Option<T>>> {
    values
        .iter()
        .map(|value| value.as_ref().map(|value| value.extract().map_err(Into::into)).transpose())
        .collect()
}

/// Return the strings. Lone surrogates, as in paths that are not UTF-8, become U+FFFD.
fn strings(values: &Values<'_>) -> PyResult<Vec<Option<String>>> {
    let mut bytes = 0;
    values
        .iter()
        .map(|value| {
            let Some(value) = value else { return Ok(None) };
            let value = value.cast::<PyString>()?.to_string_lossy().into_owned();
            bytes += value.len();
            if bytes > MOST_TEXT {
                return Err(PyOverflowError::new_err("a column's text is larger than 2 GiB"));
            }
            Ok(Some(value))
        })
        .collect()
}

fn tuples(parts: &[(String, Bound<'_, PyAny>)], values: &Values<'_>) -> PyResult<ArrayRef> {
    let mut columns = Vec::new();
    for (at, (name, kind)) in parts.iter().enumerate() {
        let part: Values = values
            .iter()
            .map(|value| match value {
                Some(value) => Ok(value.get_item(at)?.extract()?),
                None => Ok(None),
            })
            .collect::<PyResult<_>>()?;
        columns.push(column(name, array(kind, &part)?, true));
    }
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let given: NullBuffer = values.iter().map(Option::is_some).collect();
    Ok(Arc::new(StructArray::try_new(Fields::from(fields), arrays, Some(given)).map_err(refused)?))
}

fn lists(kind: &Bound<'_, PyAny>, values: &Values<'_>) -> PyResult<ArrayRef> {
    let mut items = Values::new();
    let mut lengths = Vec::new();
    for value in values {
        let before = items.len();
        if let Some(value) = value {
            items.extend(value.extract::<Values>()?);
        }
        lengths.push(items.len() - before);
    }
    let items = array(kind, &items)?;
    let item = Arc::new(Field::new("item", items.data_type().clone(), true));
    let given: NullBuffer = values.iter().map(Option::is_some).collect();
    let lists = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), items, Some(given));
    Ok(Arc::new(lists.map_err(refused)?))
}
