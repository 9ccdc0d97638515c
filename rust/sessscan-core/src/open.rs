//! Open files for reading, without blocking on a FIFO and without changing the access time.

use std::fs::File;
use std::io;
use std::path::Path;

/// Open a regular file for reading; None if the path is anything else, such as a link.
#[cfg(unix)]
pub(crate) fn regular(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;

    // NONBLOCK: opening a FIFO would wait for its writer otherwise.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match quietly(flags, |flags| open(path, flags, Mode::empty())) {
        Err(Errno::LOOP | Errno::MLINK) => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(opened) => File::from(opened),
    };
    Ok(opened.metadata()?.is_file().then_some(opened))
}

/// Open a regular file for reading, following links. Anything else is an error.
#[cfg(unix)]
pub(crate) fn transcript(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};

    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(quietly(flags, |flags| open(path, flags, Mode::empty()))?);
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(rustix::io::Errno::ISDIR.into());
    }
    if !kind.is_file() {
        return Err(rustix::io::Errno::INVAL.into());
    }
    Ok(file)
}

/// Open a file for reading.
#[cfg(windows)]
pub(crate) fn transcript(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Open without changing the access time, where the system can and the file's owner is the user.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn quietly<T>(
    flags: rustix::fs::OFlags,
    open: impl Fn(rustix::fs::OFlags) -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    match open(flags | rustix::fs::OFlags::NOATIME) {
        Err(rustix::io::Errno::PERM) => open(flags),
        opened => opened,
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn quietly<T>(
    flags: rustix::fs::OFlags,
    open: impl Fn(rustix::fs::OFlags) -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    open(flags)
}

/// Open a regular file for reading; None if the path is anything else, such as a link.
#[cfg(windows)]
pub(crate) fn regular(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;

    // By default the standard library shares reading, writing and deleting, so the app is not disturbed.
    let opened =
        std::fs::OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    Ok(opened.metadata()?.is_file().then_some(opened))
}

/// Return where the file's next data is, from `at` on; None if only a hole is left.
///
/// Return `at` if the file system does not report holes.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd"))]
pub(crate) fn next_data(file: &File, at: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => Ok(Some(data)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(_) => Ok(Some(at)),
    }
}

/// Return `at`, since this system does not report holes.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")))]
pub(crate) fn next_data(_: &File, at: u64) -> io::Result<Option<u64>> {
    Ok(Some(at))
}
