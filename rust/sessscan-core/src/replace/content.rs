//! Write the content of one file, edited, into another, in constant memory.

use super::edits::{Edit, EditError, EditStream};
use super::fs::{Fs, write_all};
use crate::cancel::CancelToken;
use crate::utf16::{self, Decoder};
use std::io;

/// How many bytes are copied at once.
pub(super) const PIECE: usize = 1 << 20;

/// What is made of a content.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) edits: &'a [Edit<'a>],
    /// Whether the content is in UTF-16, and becomes UTF-8 before it is edited.
    pub(super) utf16: bool,
    /// How many bytes are copied at once.
    pub(super) piece: usize,
}

/// Why a content was not written.
#[derive(Debug)]
pub(super) enum ContentError {
    Edit(EditError),
    /// The file ended before it had as many bytes as it was to have, or has more of them.
    Resized,
    NotUtf16,
}

impl From<io::Error> for ContentError {
    fn from(error: io::Error) -> Self {
        ContentError::Edit(EditError::Io(error))
    }
}

impl From<EditError> for ContentError {
    fn from(error: EditError) -> Self {
        ContentError::Edit(error)
    }
}

/// Write what becomes of the first `size` bytes of `from` into `to`, which is empty; return its size.
///
/// If all edits keep their length, `to` shares the blocks of `from` where the file system can do that, and
/// only the edits are written.
pub(super) fn write<F: Fs>(
    fs: &F,
    from: &mut F::File,
    size: u64,
    to: &mut F::File,
    making: &Making<'_>,
    token: &CancelToken<'_>,
) -> Result<u64, ContentError> {
    if !making.utf16 && making.edits.iter().all(Edit::keeps_length) {
        match fs.share(from, to) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            shared => {
                shared?;
                if fs.stat(to)?.stamp.size != size {
                    return Err(ContentError::Resized);
                }
                return patch(fs, from, to, making, token).map(|()| size);
            }
        }
    }
    copy(fs, from, size, to, making, token)
}

/// Write the edits alone, after checking the old bytes.
fn patch<F: Fs>(
    fs: &F,
    from: &mut F::File,
    to: &mut F::File,
    making: &Making<'_>,
    token: &CancelToken<'_>,
) -> Result<(), ContentError> {
    let mut buffer = vec![0; making.piece];
    for edit in making.edits {
        fs.seek(from, edit.offset)?;
        fs.seek(to, edit.offset)?;
        let alone = [Edit { offset: 0, ..*edit }];
        let mut stream = EditStream::new(&alone);
        let mut write = |bytes: &[u8]| write_all(fs, to, bytes);
        let mut left = edit.old.len() as u64 * edit.times;
        while left > 0 {
            let read = read_some(fs, from, &mut buffer, left, token)?;
            stream.push(&buffer[..read], &mut write)?;
            left -= read as u64;
        }
        stream.finish(&mut write)?;
    }
    Ok(())
}

fn copy<F: Fs>(
    fs: &F,
    from: &mut F::File,
    size: u64,
    to: &mut F::File,
    making: &Making<'_>,
    token: &CancelToken<'_>,
) -> Result<u64, ContentError> {
    let mut written = 0;
    let mut write = |bytes: &[u8]| {
        written += bytes.len() as u64;
        write_all(fs, to, bytes)
    };
    let mut stream = EditStream::new(making.edits);
    let mut left = size;
    let mut buffer = vec![0; making.piece];
    if making.utf16 {
        let mut begin = vec![0; size.min(utf16::PREFIX as u64) as usize];
        let mut filled = 0;
        while filled < begin.len() {
            let end = begin.len() as u64 - filled as u64;
            filled += read_some(fs, from, &mut begin[filled..], end, token)?;
        }
        left -= filled as u64;
        let order = utf16::order_of(&begin, left == 0).flatten().ok_or(ContentError::NotUtf16)?;
        let mut decoder = Decoder::new(order);
        let mut text = Vec::new();
        decoder.push(&begin, &mut text);
        while left > 0 {
            let read = read_some(fs, from, &mut buffer, left, token)?;
            decoder.push(&buffer[..read], &mut text);
            stream.push(&text, &mut write)?;
            text.clear();
            left -= read as u64;
        }
        decoder.finish(&mut text);
        stream.push(&text, &mut write)?;
    } else {
        while left > 0 {
            let read = read_some(fs, from, &mut buffer, left, token)?;
            stream.push(&buffer[..read], &mut write)?;
            left -= read as u64;
        }
    }
    stream.finish(&mut write)?;
    Ok(written)
}

/// Read up to `left` bytes, at least one.
fn read_some<F: Fs>(
    fs: &F,
    from: &mut F::File,
    buffer: &mut [u8],
    left: u64,
    token: &CancelToken<'_>,
) -> Result<usize, ContentError> {
    let most = left.min(buffer.len() as u64) as usize;
    match fs.read(from, &mut buffer[..most])? {
        0 => Err(ContentError::Resized),
        read => {
            token.check(read as u64)?;
            Ok(read)
        }
    }
}
