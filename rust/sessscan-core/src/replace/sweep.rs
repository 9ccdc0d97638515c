//! Remove the temporary files of runs that were interrupted.

use super::fs::{Fs, Kind};
use super::name::TemporaryName;
use super::target::{Found, Target};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A temporary file that has not changed for so long is not in use, even if a process has its maker's id.
const IDLE: Duration = Duration::from_secs(60);

pub(super) fn sweep_in<F: Fs>(
    fs: &F,
    directory: &Path,
    is_alive: impl Fn(u32) -> bool,
) -> io::Result<Vec<PathBuf>> {
    let target = Target { fs, dir: fs.open_dir(directory)?, name: OsStr::new(""), path: directory };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let idle_since = now.saturating_sub(IDLE).as_nanos() as i128;
    let mut swept = Vec::new();
    for file_name in fs.list(&target.dir)? {
        let Some(name) = TemporaryName::parse(&file_name) else { continue };
        let Ok(stat) = fs.stat_at(&target.dir, &file_name) else { continue };
        let abandoned = stat.changed < idle_since || !is_alive(name.process);
        let digest = || match target.find(&file_name) {
            Ok(Found::File(mut file, stamp)) => target.digest(&mut file, &stamp).ok(),
            _ => None,
        };
        if stat.kind == Kind::File
            && abandoned
            && name.is_removable(&stat.stamp, stat.links, digest)
            && fs.unlink(&target.dir, &file_name).is_ok()
        {
            swept.push(directory.join(&file_name));
        }
    }
    swept.sort();
    Ok(swept)
}
