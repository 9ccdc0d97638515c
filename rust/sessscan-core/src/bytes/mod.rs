//! Raw memory to be scanned: views of it, regions that can be read a block at a time, and buffers of our own.
//!
//! Nothing here knows of JSON, keys or records.

mod buffer;
mod line;
mod region;
mod view;

pub(crate) use buffer::Buffer;
pub(crate) use line::{Line, Pieces};
pub(crate) use region::{AHEAD, Region, STRIDE};
pub(crate) use view::View;
