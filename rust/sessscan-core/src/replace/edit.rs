//! Replace a file of any size by an edited copy of it, or of another file; make a new file as such a copy.

use super::backup::Backup;
use super::content::{self, ContentError, Making, PIECE};
use super::edits::{self, BEYOND, Edit, EditError};
use super::error::ReplaceError;
use super::expected::{Expected, Seen, Version};
use super::fs::{Fs, Stat};
use super::target::Target;
use super::temporary::Temporary;
use crate::cancel::CancelToken;
use std::io;
use std::path::Path;

/// How many milliseconds a program that is writing to the target is waited for.
const PATIENCE: usize = 100;

/// What a file is to become.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// In the order of their offsets, without overlaps.
    pub edits: &'a [Edit<'a>],
    /// Whether the content is in UTF-16 and becomes UTF-8; the edits are then about the latter.
    pub utf16: bool,
    /// The file whose content, mode and owner are taken; None: the file itself.
    pub source: Option<(&'a Path, Seen)>,
    /// The name beside the file under which it is kept.
    pub backup: Option<&'a Path>,
}

/// Called with the metadata of the new file when it is whole and synced, and before it can be seen. An error
/// leaves everything as it was.
pub type Announce<'a> = dyn FnMut(&Seen) -> io::Result<()> + 'a;

/// Give a file an edited content, durably and in one step, in constant memory; return what the new file was
/// before it was exchanged for the old one.
///
/// The file must be what was `seen`, and have the old bytes of each edit. If it is written to at any time
/// until shortly after the exchange, everything is put back, with what was appended to either file.
///
/// # Errors
/// See [`ReplaceError`]; one of kind `Interrupted` if the token was cancelled.
pub fn edit(
    path: &Path,
    seen: &Seen,
    change: &Change<'_>,
    announce: &mut Announce<'_>,
    token: &CancelToken<'_>,
) -> Result<Seen, ReplaceError> {
    edit_in(&super::Native, path, seen, change, PIECE, announce, token)
}

pub(super) fn edit_in<F: Fs>(
    fs: &F,
    path: &Path,
    seen: &Seen,
    change: &Change<'_>,
    piece: usize,
    announce: &mut Announce<'_>,
    token: &CancelToken<'_>,
) -> Result<Seen, ReplaceError> {
    let target = Target::open(fs, path)?;
    let backup = change.backup.map(|backup| Backup::beside(&target, backup)).transpose()?;
    let size = change.source.map_or(seen.size, |(_, source)| source.size);
    edits::check(change.edits, (!change.utf16).then_some(size))
        .map_err(|reason| ReplaceError::Edits { path: path.to_owned(), reason })?;
    let (mut old, before) = target.seen(seen)?;
    if !target.wait_for_writers(&old, PATIENCE) {
        return Err(target.conflict("is open for writing in another program"));
    }
    // A write of the same moment would leave the time of the last write as it is.
    fs.wait_past(before.stamp.modified);
    let mut source = match change.source {
        None => None,
        Some((path, seen)) => {
            let source = Target::open(fs, path)?;
            let (file, stat) = source.seen(&seen)?;
            Some((source, file, stat))
        }
    };
    let making = Making { edits: change.edits, utf16: change.utf16, piece };
    let mut new = match &mut source {
        None => fill(&target, &target, &mut old, &before, &making, token)?,
        Some((source, file, stat)) => {
            let new = fill(&target, source, file, stat, &making, token)?;
            unchanged(source, file, stat)?;
            new
        }
    };
    unchanged(&target, &old, &before)?;
    announce(&new.stamp.into()).map_err(|error| target.io(error))?;
    let version = Version::Stamp(before.stamp);
    if let Some(backup) = &backup {
        backup.create(&old, &before.stamp, &version)?;
    }
    let written = new.stamp.into();
    // Windows does not replace a file that is open, not even by this process.
    let old = F::EXCHANGES.then_some(old);
    new.exchange_or_keep(&version, old, backup)?;
    target.sync_directory()?;
    Ok(written)
}

/// Make a new file with the content, mode and owner of another one, durably and in one step, in constant memory;
/// return what the new file is.
///
/// # Errors
/// See [`ReplaceError`]: a conflict if there is a file already, or the source is not what was `seen`; one of
/// kind `Interrupted` if the token was cancelled.
pub fn copy_new(
    path: &Path,
    source: &Path,
    seen: &Seen,
    announce: &mut Announce<'_>,
    token: &CancelToken<'_>,
) -> Result<Seen, ReplaceError> {
    copy_new_in(&super::Native, path, source, seen, announce, token)
}

pub(super) fn copy_new_in<F: Fs>(
    fs: &F,
    path: &Path,
    source: &Path,
    seen: &Seen,
    announce: &mut Announce<'_>,
    token: &CancelToken<'_>,
) -> Result<Seen, ReplaceError> {
    let target = Target::open(fs, path)?;
    target.check(Expected::Absent, false)?;
    let source = Target::open(fs, source)?;
    let (mut file, stat) = source.seen(seen)?;
    let making = Making { edits: &[], utf16: false, piece: PIECE };
    let mut new = fill(&target, &source, &mut file, &stat, &making, token)?;
    unchanged(&source, &file, &stat)?;
    let written = new.stamp.into();
    announce(&written).map_err(|error| target.io(error))?;
    new.rename_to_free_name()?;
    target.sync_directory()?;
    Ok(written)
}

/// Write what becomes of a file into a temporary file beside the target.
fn fill<'a, F: Fs>(
    target: &'a Target<'_, F>,
    source: &Target<'_, F>,
    file: &mut F::File,
    stat: &Stat,
    making: &Making<'_>,
    token: &CancelToken<'_>,
) -> Result<Temporary<'a, F>, ReplaceError> {
    let fs = target.fs;
    let (mut new, mut into) = Temporary::create(target).map_err(|error| target.io(error))?;
    let size =
        content::write(fs, file, stat.stamp.size, &mut into, making, token).map_err(|error| match error {
            ContentError::Edit(EditError::Io(error)) => target.io(error),
            ContentError::Edit(EditError::Differs) => {
                source.conflict("has other bytes where it is to be changed")
            }
            ContentError::Edit(EditError::Beyond) => {
                ReplaceError::Edits { path: source.path.to_owned(), reason: BEYOND }
            }
            ContentError::Resized => source.conflict("was written to while it was copied"),
            ContentError::NotUtf16 => source.conflict("is not in UTF-16"),
        })?;
    new.complete(&into, Some(file), None, size).map_err(|error| target.io(error))?;
    Ok(new)
}

/// Check that a file is what it was when its copy was begun.
fn unchanged<F: Fs>(target: &Target<'_, F>, file: &F::File, before: &Stat) -> Result<(), ReplaceError> {
    let now = target.fs.stat(file).map_err(|error| target.io(error))?;
    if now == *before { Ok(()) } else { Err(target.conflict("was written to while it was copied")) }
}
