//! Read the values of any keys at any depth, one row a record.
//!
//! The scan is that of a transcript, with other keys at depth 1 whose values it notes. [`walk`] goes into those
//! values only.

mod column;
mod path;
mod plan;
mod range;
mod reader;
mod sink;
#[cfg(test)]
mod tests;
mod walk;

pub use column::{FieldColumn, FieldValues};
pub use path::{FieldType, FieldsError};
pub use plan::{FieldsPlan, GivenPath};
pub use range::FieldsRange;
pub use reader::{FieldsReader, FileError};
pub use sink::FieldsBatch;
#[cfg(feature = "testing")]
pub(crate) use sink::Rows;

use crate::record::Slot;

/// With how many different keys at depth 1 the paths of one plan can begin.
pub const MOST_KEYS: usize = Slot::COUNT - 1;
