//! Classify registry rows: can the app read this file, and if not, what is wrong and where?
//!
//! The states, in the order in which they are checked, are those of [`RowKind`]. Memory does not grow with
//! the file: at most 10 MiB, the largest row that the app reads, are held at a time, and holes in a sparse
//! file are skipped.

mod json;

use crate::cancel::CancelToken;
use crate::open;
use crate::text;
use crate::threads;
use crate::utf16;
use json::{End, Member};
use std::borrow::Cow;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// The largest row the app reads, in bytes.
pub const MAX_ROW: u64 = 10 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The bytes that are read at a time. A block fits the second-level cache, where it is searched for a byte
/// that is not zero.
const BLOCK: usize = 256 << 10;

/// Declare `RowKind` and the facts about each kind.
macro_rules! row_kinds {
    ($(
        $(#[$doc:meta])*
        $kind:ident = $name:literal, from_crash: $from_crash:literal, content: $content:ident;
    )*) => {
        /// What is wrong with a row's bytes, named after the finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RowKind {
            $($(#[$doc])* $kind,)*
        }

        impl RowKind {
            /// All kinds.
            pub const ALL: [RowKind; [$($name),*].len()] = [$(RowKind::$kind),*];

            /// Return the finding's name.
            pub fn name(self) -> &'static str {
                match self { $(RowKind::$kind => $name,)* }
            }

            /// Return whether a crash leaves rows like this: then the file's mtime is that of the app's last
            /// write.
            pub fn is_from_crash(self) -> bool {
                match self { $(RowKind::$kind => $from_crash,)* }
            }

            /// Return what can still be read of such a row.
            pub fn content(self) -> RowContent {
                match self { $(RowKind::$kind => RowContent::$content,)* }
            }
        }
    };
}

row_kinds! {
    /// The app can read the row.
    Ok = "ok", from_crash: false, content: Whole;
    /// A symbolic link, which the app does not follow.
    Linked = "linked", from_crash: false, content: None;
    /// The file has no bytes.
    Empty = "empty", from_crash: true, content: None;
    /// Every byte is 0x00: the length reached the disk, the data did not.
    ZeroFilled = "zero-filled", from_crash: true, content: None;
    /// Larger than [`MAX_ROW`].
    Oversize = "oversize", from_crash: false, content: Whole;
    /// The file begins with a UTF-8 byte order mark.
    Bom = "bom", from_crash: false, content: Whole;
    /// The file is in UTF-16.
    Utf16 = "utf-16", from_crash: false, content: Whole;
    /// A JSON document that was cut off; NUL bytes may follow.
    Truncated = "truncated", from_crash: true, content: Beginning;
    /// Neither JSON nor the beginning of it.
    NotJson = "not-json", from_crash: true, content: Beginning;
    /// JSON that is not an object or lacks a `sessionId`, `createdAt` or `lastActivityAt` of the right type;
    /// or not a regular file.
    NotARow = "not-a-row", from_crash: false, content: Whole;
    /// Its `sessionId` is not the file's stem.
    IdMismatch = "id-mismatch", from_crash: false, content: Whole;
}

/// What can still be read of a row, if not by the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowContent {
    /// Nothing.
    None,
    /// The members before the damage, as they were written.
    Beginning,
    /// All of it.
    Whole,
}

impl RowContent {
    /// Return its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            RowContent::None => "none",
            RowContent::Beginning => "beginning",
            RowContent::Whole => "whole",
        }
    }
}

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowState {
    /// What is wrong, or `Ok`.
    pub kind: RowKind,
    /// The file's size in bytes.
    pub size: u64,
    /// Where the damage begins, in bytes. For `Truncated`: where the readable part ends.
    pub offset: u64,
    /// The damage's length in bytes. For `Truncated`: the number of NUL bytes after the readable part.
    pub length: u64,
}

impl RowState {
    fn new(kind: RowKind, size: u64, wrong: Range<u64>) -> RowState {
        RowState { kind, size, offset: wrong.start, length: wrong.end - wrong.start }
    }
}

/// Classify a file, without following a link or opening anything but a regular file.
///
/// # Errors
/// The file is missing or cannot be read. An error of kind `Interrupted` means that `token` was cancelled.
pub fn classify(path: &Path, token: &CancelToken) -> io::Result<RowState> {
    let metadata = std::fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(RowState::new(RowKind::Linked, metadata.len(), 0..0));
    }
    if !metadata.is_file() {
        return Ok(RowState::new(RowKind::NotARow, 0, 0..0));
    }
    let Some(mut file) = open::regular(path)? else {
        // It was replaced by something else after the check above.
        return Ok(RowState::new(RowKind::NotARow, 0, 0..0));
    };
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(RowState::new(RowKind::Empty, 0, 0..0));
    }
    match first_data(&mut file, size, token)? {
        None => {
            // If the file was cut short meanwhile, only the bytes that remain are reported.
            let size = size.min(file.metadata()?.len());
            let kind = if size == 0 { RowKind::Empty } else { RowKind::ZeroFilled };
            Ok(RowState::new(kind, size, 0..size))
        }
        Some(_) if size > MAX_ROW => Ok(RowState::new(RowKind::Oversize, size, MAX_ROW..size)),
        Some(_) => {
            file.seek(SeekFrom::Start(0))?;
            let mut data = Vec::with_capacity(size as usize + 1);
            // Read one byte more than a row may have, in case the file has grown.
            file.take(MAX_ROW + 1).read_to_end(&mut data)?;
            Ok(classify_bytes(&data, path.file_stem().map(|stem| stem.as_encoded_bytes())))
        }
    }
}

/// Classify many files on all cores. The results are in the order of `paths`; once `token` is cancelled, some
/// are missing.
pub fn classify_many<P: AsRef<Path> + Sync>(paths: &[P], token: &CancelToken) -> Vec<io::Result<RowState>> {
    // More threads than that cost more than they save.
    let threads = threads::available().min(paths.len().div_ceil(64));
    let order: Vec<usize> = (0..paths.len()).collect();
    let run_one = |at: &usize, _: &mut (), token: &CancelToken| {
        token.check(0)?;
        classify(paths[*at].as_ref(), token)
    };
    let mut states = threads::run(&order, threads, || (), run_one, token);
    states.sort_unstable_by_key(|(at, _)| **at);
    states.into_iter().map(|(_, state)| state).collect()
}

/// Classify a row's bytes. With `stem`, the file's name without `.json`, the `sessionId` must be equal to it.
pub fn classify_bytes(data: &[u8], stem: Option<&[u8]>) -> RowState {
    let size = data.len() as u64;
    let state = |kind, wrong: Range<usize>| RowState::new(kind, size, wrong.start as u64..wrong.end as u64);
    if data.is_empty() {
        return state(RowKind::Empty, 0..0);
    }
    if is_zero(data) {
        return state(RowKind::ZeroFilled, 0..data.len());
    }
    if size > MAX_ROW {
        return state(RowKind::Oversize, MAX_ROW as usize..data.len());
    }
    if data.starts_with(BOM) {
        return state(RowKind::Bom, 0..BOM.len());
    }
    if utf16::order_of(data, true).flatten().is_some() {
        return state(RowKind::Utf16, 0..data.len());
    }
    let mut fields = RequiredFields::default();
    match json::walk(data, |member| fields.note(data, member)) {
        End::Whole { object: true } => match fields.wrong(data, stem) {
            None => state(RowKind::Ok, 0..0),
            Some((kind, wrong)) => state(kind, wrong),
        },
        End::Whole { object: false } => state(RowKind::NotARow, 0..data.len()),
        End::Incomplete => state(RowKind::Truncated, data.len()..data.len()),
        End::Invalid(at) | End::Trailing { at, .. } if at > 0 && is_zero(&data[at..]) => {
            state(RowKind::Truncated, at..data.len())
        }
        End::Invalid(at) | End::Trailing { at, .. } => state(RowKind::NotJson, at..data.len()),
    }
}

/// Return a row's content in UTF-8 and without a byte order mark, as the app would have written it.
pub fn row_text(data: &[u8]) -> Cow<'_, [u8]> {
    match utf16::decode(data) {
        Some(text) => Cow::Owned(text),
        None => Cow::Borrowed(data.strip_prefix(BOM).unwrap_or(data)),
    }
}

/// Return the complete members of a row or of the readable part of one: raw keys and values, in order.
///
/// A byte order mark in front is skipped. Without an object there are no members.
pub fn prefix_members(data: &[u8]) -> Vec<(&[u8], &[u8])> {
    let data = data.strip_prefix(BOM).unwrap_or(data);
    let mut members = Vec::new();
    json::walk(data, |member| members.push((&data[member.key], &data[member.value])));
    members
}

/// The positions of the values that the app requires. Of a key given twice the last one counts.
#[derive(Default)]
struct RequiredFields {
    session_id: Option<Range<usize>>,
    created_at: Option<Range<usize>>,
    last_activity_at: Option<Range<usize>>,
}

impl RequiredFields {
    fn note(&mut self, data: &[u8], member: Member) {
        let Some(key) = decode(data, &member.key) else { return };
        match &*key {
            "sessionId" => self.session_id = Some(member.value),
            "createdAt" => self.created_at = Some(member.value),
            "lastActivityAt" => self.last_activity_at = Some(member.value),
            _ => {}
        }
    }

    fn wrong(self, data: &[u8], stem: Option<&[u8]>) -> Option<(RowKind, Range<usize>)> {
        let Some(session_id) = self.session_id else { return Some((RowKind::NotARow, 0..data.len())) };
        if data[session_id.start] != b'"' {
            return Some((RowKind::NotARow, session_id));
        }
        for time in [self.created_at, self.last_activity_at] {
            match time {
                None => return Some((RowKind::NotARow, 0..data.len())),
                Some(value) if !matches!(data[value.start], b'-' | b'0'..=b'9') => {
                    return Some((RowKind::NotARow, value));
                }
                Some(_) => {}
            }
        }
        let same = stem.is_none_or(|stem| decode(data, &session_id).is_some_and(|id| id.as_bytes() == stem));
        (!same).then_some((RowKind::IdMismatch, session_id))
    }
}

/// Decode the string at this position, which includes the quotes.
fn decode<'a>(data: &'a [u8], string: &Range<usize>) -> Option<Cow<'a, str>> {
    text::decode(&data[string.start + 1..string.end - 1])
}

/// Return the offset of a file's first byte that is not zero, or of the block that holds it; None if all are
/// zero.
fn first_data(file: &mut std::fs::File, size: u64, token: &CancelToken) -> io::Result<Option<u64>> {
    let mut block = vec![0; BLOCK.min(size as usize)];
    let mut at = 0;
    while at < size {
        token.check(0)?;
        // One such call a block costs little beside the reading, and skips a hole of any size.
        let Some(data) = open::next_data(file, at)? else { return Ok(None) };
        at = file.seek(SeekFrom::Start(data))?;
        let read = match file.read(&mut block) {
            Ok(0) => break, // The file was cut short meanwhile.
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if !is_zero(&block[..read]) {
            return Ok(Some(at));
        }
        at += read as u64;
    }
    Ok(None)
}

/// Return whether every byte is 0x00, stopping soon after the first that is not.
fn is_zero(data: &[u8]) -> bool {
    // The compiler vectorises a fold that has no early exit.
    let or = |bytes: &[u8]| bytes.iter().fold(0, |all, &byte| all | byte);
    let mut chunks = data.chunks_exact(256);
    chunks.by_ref().all(|chunk| or(chunk) == 0) && or(chunks.remainder()) == 0
}

#[cfg(test)]
mod tests;
