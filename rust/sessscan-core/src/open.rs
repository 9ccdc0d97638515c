//! Opening a file so that nothing can go wrong by it, and no trace is left.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a regular file for reading; None if it is something else, a link included.
#[cfg(unix)]
pub(crate) fn regular(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;

    // NONBLOCK: a FIFO that took the file's place would hang us otherwise.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match quietly(flags, |flags| open(path, flags, Mode::empty())) {
        Err(Errno::LOOP | Errno::MLINK) => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(opened) => File::from(opened),
    };
    Ok(opened.metadata()?.is_file().then_some(opened))
}

/// Opens a regular file for reading, at the end of links too. Anything else is an error: a FIFO would hang us.
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

/// Opens a file for reading.
#[cfg(windows)]
pub(crate) fn transcript(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens without a trace in the access time, where the file is ours and the system knows how.
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

/// Opens a regular file for reading; None if it is something else, a link included.
#[cfg(windows)]
pub(crate) fn regular(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;

    // The standard library shares reading, writing and deleting unless told otherwise: the app is not disturbed.
    let opened =
        std::fs::OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    Ok(opened.metadata()?.is_file().then_some(opened))
}

/// Where, from `at` on, a file holds data; None if there is nothing but a hole. Answers `at` where holes
/// cannot be told.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd"))]
pub(crate) fn next_data(file: &File, at: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => Ok(Some(data)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(_) => Ok(Some(at)),
    }
}

/// Where, from `at` on, a file may hold data.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")))]
pub(crate) fn next_data(_: &File, at: u64) -> io::Result<Option<u64>> {
    Ok(Some(at))
}
