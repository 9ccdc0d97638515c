//! Transcripts as columns: all fields, under the names and in the order of `Transcript.to_dict`.

use super::{Batches, Column, batch_of, column, count, refused, repeated, schema_of, text, time};
use crate::transcript::Transcript;
use arrow_array::{ArrayRef, BooleanArray, ListArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, Field, Fields};
use pyo3::prelude::*;
use std::sync::Arc;

/// What a batch's text may come to, far from the 2 GiB that a column of strings can address.
const MOST_TEXT: usize = 256 << 20;

/// One transcript, and its error in words.
struct Row<'a> {
    transcript: &'a Transcript,
    error: Option<String>,
}

/// The table of these transcripts, of one batch unless a batch is limited to so many rows, or their text is huge.
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

/// How many of these go into one batch: one at least.
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
        // Only one that fills a batch alone can be that large.
        if row.transcript.text_bytes() > i32::MAX as usize {
            return Err(ArrowError::InvalidArgumentError("a transcript's text is larger than 2 GiB".into()));
        }
    }
    let facts = || rows.iter().map(|row| row.transcript.facts());
    let path = || rows.iter().map(|row| row.transcript.file().map(|path| path.to_string_lossy()));
    macro_rules! optional {
        ($name:ident as $kind:ident) => {
            column(stringify!($name), $kind(facts().map(|facts| facts.$name.as_deref())), true)
        };
    }
    macro_rules! counted {
        ($name:ident) => {
            column(stringify!($name), count(facts().map(|facts| facts.$name)), false)
        };
    }
    let source = |facts: &sessscan_core::Transcript| facts.title().map(|(_, source)| source.name());
    let sidechain: BooleanArray = facts().map(|facts| Some(facts.is_sidechain)).collect();
    Ok(vec![
        column("path", text(path()), true),
        counted!(size),
        optional!(session_id as text),
        counted!(lines),
        counted!(records),
        optional!(custom_title as text),
        optional!(ai_title as text),
        optional!(summary as text),
        optional!(first_prompt as text),
        column("title", text(facts().map(|facts| facts.title().map(|(title, _)| title))), true),
        column("title_source", repeated(facts().map(source)), true),
        optional!(cwd as repeated),
        optional!(last_cwd as repeated),
        optional!(git_branch as repeated),
        optional!(version as repeated),
        optional!(entrypoint as repeated),
        optional!(model as repeated),
        column("worktree", worktree(rows)?, true),
        column("created_at", time(facts().map(|facts| facts.created_at)), true),
        column("last_activity_at", time(facts().map(|facts| facts.last_activity_at)), true),
        counted!(turns),
        column("is_sidechain", Arc::new(sidechain), false),
        optional!(born_in as repeated),
        optional!(relocated_cwd as repeated),
        optional!(first_uuid as text),
        optional!(last_uuid as text),
        counted!(own_records),
        column("defects", defects(rows)?, false),
        column("error", text(rows.iter().map(|row| row.error.as_deref())), true),
    ])
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
