//! `conversation`: the messages that the official readers give, and what they do not reach.

use crate::error::os_error;
use crate::scan::all_threads;
use crate::signals::{interruptible, with_progress};
use crate::transcript::Defect;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use sessscan_core::{CancelToken, Reason};
use std::io;
use std::path::{Path, PathBuf};

/// A message of a conversation, and where its record is in the transcript.
#[pyclass(frozen, get_all, eq, hash, module = "sessscan")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Message {
    uuid: String,
    parent: Option<String>,
    #[pyo3(name = "type")]
    kind: &'static str,
    line: u64,
    offset: u64,
    length: u64,
    timestamp: Option<i64>,
    is_queued: bool,
}

impl From<sessscan_core::Message> for Message {
    fn from(message: sessscan_core::Message) -> Message {
        let sessscan_core::Message { uuid, parent, kind, line, offset, length, timestamp, is_queued } =
            message;
        Message { uuid, parent, kind, line, offset, length, timestamp, is_queued }
    }
}

#[pymethods]
impl Message {
    fn __repr__(&self) -> String {
        format!("Message({:?}, '{}', line={}, offset={})", self.uuid, self.kind, self.line, self.offset)
    }
}

/// A record that follows one which the readers do not find.
#[pyclass(frozen, get_all, eq, hash, module = "sessscan")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cut {
    record: Message,
    parent: String,
    is_reached: bool,
    parent_survives: bool,
    before: u64,
}

#[pymethods]
impl Cut {
    fn __repr__(&self) -> String {
        format!("Cut(line={}, parent={:?}, before={})", self.record.line, self.parent, self.before)
    }
}

/// A message that the readers do not give, and why.
#[pyclass(frozen, get_all, eq, hash, module = "sessscan")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Unreached {
    message: Message,
    reason: &'static str,
}

#[pymethods]
impl Unreached {
    fn __repr__(&self) -> String {
        format!("Unreached({:?}, line={}, '{}')", self.message.uuid, self.message.line, self.reason)
    }
}

/// What the official readers give of a transcript, and what they do not reach.
#[pyclass(frozen, module = "sessscan")]
pub struct Conversation(sessscan_core::Conversation);

#[pymethods]
impl Conversation {
    #[getter]
    fn messages(&self) -> Vec<Message> {
        (0..self.0.len()).map(|at| self.0.message(at).into()).collect()
    }

    #[getter]
    fn leaf(&self) -> Option<String> {
        self.0.leaf()
    }

    #[getter]
    fn records(&self) -> usize {
        self.0.records()
    }

    #[getter]
    fn unread(&self) -> usize {
        self.0.unread()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    #[getter]
    fn cuts(&self) -> Vec<Cut> {
        let cuts = self.0.cuts().into_iter().map(|cut| Cut {
            record: cut.record.into(),
            parent: cut.parent,
            is_reached: cut.is_reached,
            parent_survives: cut.parent_survives,
            before: cut.before,
        });
        cuts.collect()
    }

    #[getter]
    fn unreached(&self) -> Vec<Unreached> {
        let unreached = (0..self.0.unreached_len()).map(|at| {
            let (message, reason) = self.0.unreached(at);
            Unreached { message: message.into(), reason: reason.name() }
        });
        unreached.collect()
    }

    #[getter]
    fn unpaired(&self) -> Vec<Message> {
        self.0.unpaired().into_iter().map(Message::from).collect()
    }

    #[getter]
    fn refused(&self) -> Vec<Message> {
        self.0.refused().into_iter().map(Message::from).collect()
    }

    #[getter]
    fn damaged(&self) -> usize {
        self.0.count(Reason::Damaged)
    }

    #[getter]
    fn defects(&self) -> Vec<Defect> {
        self.0.defects().0.iter().map(Defect::from).collect()
    }

    #[getter]
    fn defect_count(&self) -> u64 {
        self.0.defects().1
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "Conversation({} messages of {} records, {} damaged)",
            self.0.len(),
            self.0.records(),
            self.0.count(Reason::Damaged)
        )
    }
}

/// Run on the bytes of a buffer, or on a path.
fn on<R: Send>(
    py: Python<'_>,
    transcript: &Bound<'_, PyAny>,
    in_bytes: impl Fn(&[u8], &CancelToken) -> io::Result<R> + Sync,
    in_file: impl Fn(&Path, &CancelToken) -> io::Result<R> + Sync,
) -> PyResult<R> {
    let copied;
    let data = match transcript.extract::<&[u8]>() {
        Ok(bytes) => bytes,
        Err(_) => match PyBuffer::<u8>::get(transcript) {
            Ok(buffer) => {
                // Other threads may write into a buffer while it is read, so all but `bytes` is copied.
                copied = buffer.to_vec(py)?;
                &copied
            }
            Err(_) => {
                let path: PathBuf = transcript.extract()?;
                let found = interruptible(py, |token| in_file(&path, token))?;
                return found.map_err(|error| os_error(&error, &path));
            }
        },
    };
    let found = interruptible(py, |token| in_bytes(data, token))?;
    found.map_err(|_| PyKeyboardInterrupt::new_err("the scan was interrupted"))
}

/// Read the conversation of a transcript: a path, or its bytes.
#[pyfunction]
#[pyo3(signature = (transcript, /))]
pub fn conversation(py: Python<'_>, transcript: &Bound<'_, PyAny>) -> PyResult<Conversation> {
    on(py, transcript, sessscan_core::conversation_in, sessscan_core::conversation).map(Conversation)
}

/// One record that is left in a transcript.
#[pyclass(frozen, eq, module = "sessscan._core")]
#[derive(PartialEq)]
pub struct SurvivingRecord(sessscan_core::ChainRecord);

/// Write a getter for each field.
macro_rules! getters {
    ($($name:ident: $kind:ty = |$record:ident| $value:expr,)*) => {
        #[pymethods]
        impl SurvivingRecord {
            $(
                #[getter]
                fn $name(&self) -> $kind {
                    let $record = &self.0;
                    $value
                }
            )*

            fn __repr__(&self) -> String {
                format!("SurvivingRecord({:?}, line={}, offset={})", self.0.uuid, self.0.line, self.0.offset)
            }
        }
    };
}

getters! {
    uuid: Option<&str> = |record| record.uuid.as_deref(),
    parent: Option<&str> = |record| record.parent.as_deref(),
    logical_parent: Option<&str> = |record| record.logical_parent.as_deref(),
    r#type: Option<&str> = |record| record.kind.as_deref(),
    subtype: Option<&str> = |record| record.subtype.as_deref(),
    session_id: Option<&str> = |record| record.session_id.as_deref(),
    message_id: Option<&str> = |record| record.message_id.as_deref(),
    calls: Vec<&str> = |record| record.calls.iter().map(|id| &**id).collect(),
    results: Vec<&str> = |record| record.results.iter().map(|id| &**id).collect(),
    timestamp: Option<i64> = |record| record.timestamp,
    line: u64 = |record| record.line,
    offset: u64 = |record| record.offset,
    length: u64 = |record| record.length,
    parent_span: Option<(u64, u64)> = |record| record.parent_span,
    is_read: bool = |record| record.is_read,
    is_chain: bool = |record| record.is_chain,
    is_shown: bool = |record| record.is_shown,
    is_sidechain: bool = |record| record.is_sidechain,
    is_team: bool = |record| record.is_team,
    is_meta: bool = |record| record.is_meta,
    is_compact_summary: bool = |record| record.is_compact_summary,
    is_compact_boundary: bool = |record| record.is_compact_boundary,
}

/// The records that are left in a transcript, and what is wrong with its bytes.
#[pyclass(frozen, module = "sessscan._core")]
pub struct Survivors {
    #[pyo3(get)]
    records: Vec<Py<SurvivingRecord>>,
    #[pyo3(get)]
    defects: Vec<Defect>,
    #[pyo3(get)]
    defect_count: u64,
    #[pyo3(get)]
    size: u64,
}

/// Read every record that is left in a transcript: a path, or its bytes.
#[pyfunction]
#[pyo3(signature = (transcript, /))]
pub fn survivors(py: Python<'_>, transcript: &Bound<'_, PyAny>) -> PyResult<Survivors> {
    let found = on(py, transcript, sessscan_core::survivors_in, sessscan_core::survivors)?;
    let records = found.records.into_iter().map(|record| Py::new(py, SurvivingRecord(record)));
    Ok(Survivors {
        records: records.collect::<PyResult<_>>()?,
        defects: found.defects.iter().map(Defect::from).collect(),
        defect_count: found.defect_count,
        size: found.size,
    })
}

/// Whether a transcript's conversation is whole.
#[pyclass(frozen, get_all, eq, module = "sessscan._core")]
#[derive(PartialEq)]
pub struct ConversationCheck {
    reached: u64,
    damaged: u64,
    unread: u64,
    unpaired: u64,
    refused: u64,
    defects: u64,
    cut: Option<(u64, u64, u64)>,
    first_unpaired: Option<(u64, u64, u64)>,
    first_refused: Option<(u64, u64, u64)>,
}

impl From<sessscan_core::Checked> for ConversationCheck {
    fn from(checked: sessscan_core::Checked) -> ConversationCheck {
        let sessscan_core::Checked {
            reached,
            damaged,
            unread,
            unpaired,
            refused,
            defects,
            cut,
            first_unpaired,
            first_refused,
        } = checked;
        ConversationCheck {
            reached,
            damaged,
            unread,
            unpaired,
            refused,
            defects,
            cut,
            first_unpaired,
            first_refused,
        }
    }
}

/// Check whether the conversations of transcripts are whole, in the order given; None for what cannot be read.
#[pyfunction]
#[pyo3(signature = (paths, *, threads=None, progress=None))]
pub fn check_conversations(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Option<ConversationCheck>>> {
    let threads = threads.filter(|threads| *threads > 0).unwrap_or_else(all_threads);
    // The total is needed for progress only.
    let total = match &progress {
        Some(_) => py.detach(|| paths.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum()),
        None => 0,
    };
    let found =
        with_progress(py, progress, total, |token| sessscan_core::check_many(&paths, threads, token))?;
    Ok(found.into_iter().map(|checked| checked.ok().map(ConversationCheck::from)).collect())
}

/// Return the width and height of the image with which a text in base64 begins; None if its header does not tell.
#[pyfunction]
pub fn image_size(base64: &str) -> Option<(usize, usize)> {
    sessscan_core::image_size(base64.as_bytes())
}
