//! Open files for reading, without blocking on a FIFO and without changing the access time.

#[cfg(windows)]
use crate::refusal::Refusal;
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

/// Open a file for reading, following links. A file whose content is in the cloud is an error ([`Refusal::InCloud`]).
#[cfg(windows)]
pub fn transcript(path: &Path) -> io::Result<File> {
    // The standard library shares reading, writing and deleting, so the app is not disturbed.
    match File::open(path) {
        Ok(file) => local(file),
        // What Windows says of a folder is "access denied".
        Err(_) if path.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Err(error) => Err(error),
    }
}

/// Return whether reading a file with these attributes would fetch its content from elsewhere.
#[cfg(any(windows, test))]
fn is_elsewhere(attributes: u32) -> bool {
    const OFFLINE: u32 = 0x1000;
    const RECALL_ON_OPEN: u32 = 0x4_0000;
    const RECALL_ON_DATA_ACCESS: u32 = 0x40_0000;
    attributes & (OFFLINE | RECALL_ON_OPEN | RECALL_ON_DATA_ACCESS) != 0
}

/// Return the file, or an error if its content is not on this machine.
#[cfg(windows)]
fn local(file: File) -> io::Result<File> {
    use std::os::windows::fs::MetadataExt;

    if is_elsewhere(file.metadata()?.file_attributes()) { Err(Refusal::InCloud.into()) } else { Ok(file) }
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
///
/// A file whose content is in the cloud is an error ([`Refusal::InCloud`]).
#[cfg(windows)]
pub fn regular(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;

    let opened =
        std::fs::OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    if opened.metadata()?.is_file() { local(opened).map(Some) } else { Ok(None) }
}

/// Return when anything about a file was last changed, its times included, in nanoseconds since 1970.
///
/// Windows keeps that time beside the three that programs set, and its `stat` does not tell it.
#[cfg(windows)]
pub fn changed_at(path: &Path) -> io::Result<i64> {
    use std::os::windows::fs::OpenOptionsExt;
    use std::os::windows::io::AsRawHandle;
    use windows_sys::Win32::Storage::FileSystem::{
        FILE_BASIC_INFO, FILE_FLAG_BACKUP_SEMANTICS, FILE_READ_ATTRIBUTES, FileBasicInfo,
        GetFileInformationByHandleEx,
    };

    const FROM_1601_TO_1970: i64 = 116_444_736_000_000_000;
    let mut options = std::fs::OpenOptions::new();
    let file =
        options.access_mode(FILE_READ_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?;
    let mut info = FILE_BASIC_INFO::default();
    // SAFETY: `file` keeps the handle open during the call, which fills the local `info`, of the size given.
    let done = unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            FileBasicInfo,
            (&raw mut info).cast(),
            size_of::<FILE_BASIC_INFO>() as u32,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info.ChangeTime.saturating_sub(FROM_1601_TO_1970).saturating_mul(100))
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

/// Return when a file was made, in nanoseconds since 1970; None where the file system does not keep that.
///
/// Links are not followed.
pub fn born_at(path: &Path) -> io::Result<Option<i64>> {
    let Ok(born) = std::fs::symlink_metadata(path)?.created() else { return Ok(None) };
    let since = born.duration_since(std::time::UNIX_EPOCH).ok();
    Ok(since.and_then(|since| i64::try_from(since.as_nanos()).ok()))
}

#[cfg(test)]
mod tests {
    use super::is_elsewhere;

    /// The attributes that Windows shows for files of OneDrive, as `attrib` and PowerShell print them.
    #[test]
    fn attributes_of_cloud_files() {
        const ARCHIVE: u32 = 0x20;
        const SPARSE_REPARSE: u32 = 0x600;
        const PINNED: u32 = 0x8_0000;
        const UNPINNED: u32 = 0x10_0000;
        // Online only (AOU), and the same after `attrib +U` while it is being freed.
        assert!(is_elsewhere(ARCHIVE | SPARSE_REPARSE | 0x1000 | 0x40_0000));
        assert!(is_elsewhere(ARCHIVE | UNPINNED | SPARSE_REPARSE | 0x40_0000));
        assert!(is_elsewhere(0x4_0000));
        // Kept on this device (AP), locally available (A), and no cloud file at all.
        for attributes in
            [0, ARCHIVE, ARCHIVE | PINNED | SPARSE_REPARSE, ARCHIVE | SPARSE_REPARSE, 0x80, 0x2023]
        {
            assert!(!is_elsewhere(attributes), "{attributes:#x}");
        }
    }
}
