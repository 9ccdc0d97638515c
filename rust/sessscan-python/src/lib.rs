//! The extension module `sessscan._core`. Each operation has a file of its own, and a stub of that name.

use pyo3::prelude::*;

mod conversation;
mod details;
mod edit;
mod error;
mod events;
mod index;
mod open;
mod pieces;
mod replace;
mod row;
mod scan;
mod scanner;
mod shard;
mod signals;
mod signature;
mod table;
mod transcript;

#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::conversation::{
        Conversation, ConversationCheck, Cut, Message, SurvivingRecord, Survivors, Unreached,
        check_conversations, conversation, image_size, survivors,
    };
    #[pymodule_export]
    use super::details::{Details, details};
    #[pymodule_export]
    use super::edit::{copy_new, edit};
    #[pymodule_export]
    use super::events::{Event, EventIterator, events};
    #[pymodule_export]
    use super::index::Rescan;
    #[pymodule_export]
    use super::open::born_at;
    #[cfg(windows)]
    #[pymodule_export]
    use super::open::{changed_at, open_handle};
    #[pymodule_export]
    use super::pieces::{cut, digest, unpack};
    #[pymodule_export]
    use super::replace::{Absent, append_durable, relocate, remove, replace, sweep};
    #[pymodule_export]
    use super::row::{RowKind, RowState, classify, classify_bytes, classify_many, row_prefix, row_text};
    #[pymodule_export]
    use super::scan::{scan, scan_bytes, scan_many, uuids};
    #[pymodule_export]
    use super::scanner::Scanner;
    #[pymodule_export]
    use super::shard::{PartJoiner, RangeScanner};
    #[pymodule_export]
    use super::signature::changed;
    #[pymodule_export]
    use super::table::{
        Batches, EventBatches, FieldsBatches, FieldsRange, FieldsRows, columns_batch, transcript_batches,
    };
    #[pymodule_export]
    use super::transcript::{Defect, Transcript, Worktree};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("ROW_STATES", super::row::row_states(module.py())?)?;
        module.add("ABSENT", super::replace::absent(module.py())?)
    }
}
