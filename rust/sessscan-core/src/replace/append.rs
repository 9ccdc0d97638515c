//! Append to sessscan's own files, such as a journal.

use super::error::ReplaceError;
use super::fs::{Fs, Kind, write_all};
use super::target::{Target, not_a_file, parent};
use std::io;
use std::path::Path;

pub(super) fn append_in<F: Fs>(fs: &F, path: &Path, data: &[u8]) -> Result<(), ReplaceError> {
    let target = Target::open(fs, path)?;
    append(&target, data).map_err(|error| target.io(error))
}

fn append<F: Fs>(target: &Target<'_, F>, data: &[u8]) -> io::Result<()> {
    let fs = target.fs;
    let (mut file, created) = loop {
        match fs.open_append(&target.dir, target.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            file => break (file?, false),
        }
        match fs.create(&target.dir, target.name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => break (file?, true),
        }
    };
    let stat = fs.stat(&file)?;
    if stat.kind != Kind::File {
        return Err(not_a_file(stat.kind));
    }
    // An empty file may come from a process that was killed before it had synced the file's name.
    if created || stat.stamp.size == 0 {
        fs.sync_dir(&target.dir)?;
        sync_above(fs, parent(target.path))?;
    }
    if let Err(error) = write_all(fs, &mut file, data) {
        // Half a record would be glued to the next one.
        let _ = fs.truncate(&file, stat.stamp.size);
        return Err(error);
    }
    fs.sync(&file)
}

/// Sync the folders above a new file's folder.
///
/// They are often new as well, and a file is lost if a folder above it is. Syncing a folder that is older
/// costs little. A folder that cannot be opened or synced was not made by us, so the walk ends there.
fn sync_above<F: Fs>(fs: &F, folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    for above in folder.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        match fs.open_dir(above).and_then(|dir| fs.sync_dir(&dir)) {
            Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => break,
            done => done?,
        }
    }
    Ok(())
}
