//! Lay transcripts out as columns, under the names and in the order of `Transcript.to_dict`.

use super::{Batches, Column, batch_of, column, count, refused, repeated, schema_of, text, time};
use crate::transcript::{LAST_TITLE, Transcript};
use arrow_array::{ArrayRef, BooleanArray, ListArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, Field, Fields};
use pyo3::prelude::*;
use std::sync::Arc;

/// At most this much text is in a batch, unless one row has more: far below the 2 GiB that a column can
/// address.
const MOST_TEXT: usize = 256 << 20;

/// A transcript and the text of its error.
struct Row<'a> {
    transcript: &'a Transcript,
    error: Option<String>,
}

/// Return a table of transcripts, in one batch unless `rows` limits it or their text is huge.
#[pyfunction]
#[pyo3(signature = (transcripts, *, rows=None))]
pub fn transcript_batches(
    py: Python<'_>,
    transcripts: Vec<Py<Transcript>>,
    rows: Option<usize>,
) -> PyResult<Batches> {
    let errors: Vec<Option<String>> =
        transcripts.iter().map(|transcript| transcript.get().error_text(py)).collect();
    py.detach(|| {
        let all: Vec<Row> = transcripts
            .iter()
            .zip(errors)
            .map(|(transcript, error)| Row { transcript: transcript.get(), error })
            .collect();
        let mut batches = Vec::new();
        let mut rest = &all[..];
        while !rest.is_empty() || batches.is_empty() {
            let (now, later) = rest.split_at(fitting(rest, rows.unwrap_or(usize::MAX).max(1)));
            batches.push(batch_of(columns(now)?)?);
            rest = later;
        }
        Ok(Batches { schema: schema_of(&columns(&[])?), batches })
    })
    .map_err(refused)
}

/// Return how many of these rows go into one batch: at least one.
fn fitting(rows: &[Row], most: usize) -> usize {
    let mut bytes = 0;
    let fit = rows.iter().take(most).take_while(|row| {
        bytes += row.transcript.text_bytes();
        bytes <= MOST_TEXT
    });
    fit.count().max(1).min(rows.len())
}

fn columns(rows: &[Row]) -> Result<Vec<Column>, ArrowError> {
    for row in rows {
        // Only a row that is a batch of its own can be that large.
        if row.transcript.text_bytes() > i32::MAX as usize {
            return Err(ArrowError::InvalidArgumentError("a transcript's text is larger than 2 GiB".into()));
        }
    }
    let facts = || rows.iter().map(|row| row.transcript.facts());
    let path = || rows.iter().map(|row| row.transcript.file().map(|path| path.to_string_lossy()));
    let title = || facts().map(|facts| facts.title().map(|(title, _)| title));
    let source = || facts().map(|facts| facts.title().map(|(_, source)| source.name()));
    let mut columns = vec![column("path", text(path()), true)];
    macro_rules! push {
        ($($(#[$doc:meta])* $name:ident: $type:ty, $join:ident, $column:ident;)*) => {
            $(push_one!($column, $name);)*
        };
    }
    macro_rules! push_one {
        (no, $name:ident) => {};
        ($column:ident, $name:ident) => {
            columns.push(column_of!($column, $name));
            if stringify!($name) == LAST_TITLE {
                columns.push(column("title", text(title()), true));
                columns.push(column("title_source", repeated(source()), true));
            }
        };
    }
    macro_rules! column_of {
        (text, $name:ident) => {
            column(stringify!($name), text(facts().map(|facts| facts.$name.as_deref())), true)
        };
        (repeated, $name:ident) => {
            column(stringify!($name), repeated(facts().map(|facts| facts.$name.as_deref())), true)
        };
        (count, $name:ident) => {
            column(stringify!($name), count(facts().map(|facts| facts.$name)), false)
        };
        (time, $name:ident) => {
            column(stringify!($name), time(facts().map(|facts| facts.$name)), true)
        };
        (flag, $name:ident) => {
            column(
                stringify!($name),
                Arc::new(facts().map(|facts| Some(facts.$name)).collect::<BooleanArray>()),
                false,
            )
        };
        (worktree, $name:ident) => {
            column(stringify!($name), worktree(rows)?, true)
        };
        (defects, $name:ident) => {
            column(stringify!($name), defects(rows)?, false)
        };
    }
    sessscan_core::transcript_fields!(push);
    columns.push(column("error", text(rows.iter().map(|row| row.error.as_deref())), true));
    Ok(columns)
}

fn worktree(rows: &[Row]) -> Result<ArrayRef, ArrowError> {
    let worktrees = || rows.iter().map(|row| row.transcript.facts().worktree.as_ref());
    macro_rules! part {
        ($name:ident as $kind:ident) => {
            column(stringify!($name), $kind(worktrees().map(|tree| tree?.$name.as_deref())), true)
        };
    }
    let parts = [
        part!(path as text),
        part!(name as text),
        part!(branch as text),
        part!(original_cwd as repeated),
        part!(original_branch as repeated),
    ];
    let given: NullBuffer = worktrees().map(|tree| tree.is_some()).collect();
    structs(parts, Some(given)).map(|array| Arc::new(array) as ArrayRef)
}

fn defects(rows: &[Row]) -> Result<ArrayRef, ArrowError> {
    let all = || rows.iter().flat_map(|row| &row.transcript.facts().defects);
    let items = structs(
        [
            column("kind", repeated(all().map(|defect| Some(defect.kind.name()))), false),
            column("line", count(all().map(|defect| defect.line)), false),
            column("offset", count(all().map(|defect| defect.offset)), false),
            column("length", count(all().map(|defect| defect.length)), false),
        ],
        None,
    )?;
    let lengths = OffsetBuffer::from_lengths(rows.iter().map(|row| row.transcript.facts().defects.len()));
    let item = Field::new("item", arrow_array::Array::data_type(&items).clone(), false);
    Ok(Arc::new(ListArray::try_new(Arc::new(item), lengths, Arc::new(items), None)?))
}

fn structs<const N: usize>(
    columns: [Column; N],
    given: Option<NullBuffer>,
) -> Result<StructArray, ArrowError> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    StructArray::try_new(Fields::from(fields), arrays, given)
}
