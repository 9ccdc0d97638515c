//! The file system calls of Windows.
//!
//! Windows cannot exchange two files, cannot make a hard link durable without write access to the file, and
//! cannot sync a directory: renames are written through instead. A program that has a file open (a virus
//! scanner, an indexer) makes renames of it fail, so a rename is retried for 2 s. Two calls are avoided:
//! `ReplaceFile` can fail half-way and leave neither file, and `MOVEFILE_COPY_ALLOWED` turns a rename into a
//! copy that can be torn.

use super::fs::{Fs, Kind, Rename, Stamp, Stat};
use crate::refusal::Refusal;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem::{offset_of, size_of};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use windows_sys::Wdk::Storage::FileSystem::{FILE_RENAME_POSIX_SEMANTICS, FILE_RENAME_REPLACE_IF_EXISTS};
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION,
    FILETIME, GetLastError, WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, DELETE, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_REPARSE_POINT,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_FLAG_WRITE_THROUGH, FILE_READ_ATTRIBUTES,
    FILE_RENAME_INFO, FILE_TYPE_DISK, FileRenameInfoEx, GetFileInformationByHandle, GetFileType,
    MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH, MoveFileExW, SYNCHRONIZE, SetFileInformationByHandle,
};
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject};

/// How long a call is retried while another program has the file open.
const RETRY_FOR: Duration = Duration::from_secs(2);

/// The operating system's own file system.
pub(crate) struct Native;

impl Fs for Native {
    /// An absolute path. An open handle would keep others from renaming the directory, and names relative to
    /// a handle need undocumented calls.
    type Dir = PathBuf;
    type File = File;

    const EXCHANGES: bool = false;

    fn open_dir(&self, path: &Path) -> io::Result<PathBuf> {
        let path = std::path::absolute(path)?;
        if std::fs::metadata(&path)?.is_dir() { Ok(path) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    fn open(&self, dir: &PathBuf, name: &OsStr) -> io::Result<File> {
        // The standard library opens files with every share flag, so other programs are not disturbed.
        OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(dir.join(name))
    }

    fn create(&self, dir: &PathBuf, name: &OsStr) -> io::Result<File> {
        // The file inherits the folder's access list.
        OpenOptions::new().write(true).create_new(true).open(dir.join(name))
    }

    fn open_append(&self, dir: &PathBuf, name: &OsStr) -> io::Result<File> {
        // Opened for writing rather than appending, which would not allow truncating half a record.
        let mut options = OpenOptions::new();
        let mut file = options.write(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(dir.join(name))?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    fn read(&self, file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
        file.read(buffer)
    }

    fn seek(&self, file: &mut File, offset: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset)).map(drop)
    }

    fn share(&self, _: &File, _: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into()) // ReFS could, NTFS cannot
    }

    fn write(&self, file: &mut File, data: &[u8]) -> io::Result<usize> {
        file.write(data)
    }

    fn truncate(&self, file: &File, size: u64) -> io::Result<()> {
        file.set_len(size)
    }

    fn stat(&self, file: &File) -> io::Result<Stat> {
        stat(file)
    }

    fn stat_at(&self, dir: &PathBuf, name: &OsStr) -> io::Result<Stat> {
        let mut options = OpenOptions::new();
        // Open a link itself, and folders too.
        let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
        stat(&options.access_mode(FILE_READ_ATTRIBUTES).custom_flags(flags).open(dir.join(name))?)
    }

    fn copy_attributes(&self, _: &File, _: &File) {
        // The file inherits the folder's access list; the app sets no other attributes.
    }

    fn set_modified(&self, file: &File, time: SystemTime) {
        let _ = file.set_modified(time);
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all() // FlushFileBuffers
    }

    fn sync_dir(&self, _: &PathBuf) -> io::Result<()> {
        Ok(()) // Renames are written through, and FlushFileBuffers also flushes a new file's name.
    }

    fn link(&self, _: &PathBuf, _: &OsStr, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, dir: &PathBuf, from: &OsStr, to: &OsStr, mode: Rename) -> io::Result<()> {
        let (from, to) = (dir.join(from), dir.join(to));
        match mode {
            Rename::Exchange => Err(io::ErrorKind::Unsupported.into()),
            Rename::New => retry_while_busy(|| move_file(&from, &to, MOVEFILE_WRITE_THROUGH)),
            // With POSIX semantics a target that another program reads can be replaced. Where they are not
            // supported the error differs by file system and version, so any error leads to the older call.
            Rename::Over if is_read_only(&to) => Err(Refusal::ReadOnly.into()),
            Rename::Over => retry_while_busy(|| rename_posix(&from, &to)).or_else(|_| {
                retry_while_busy(|| move_file(&from, &to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
            }),
        }
    }

    fn rename_into(&self, dir: &PathBuf, from: &OsStr, into: &PathBuf, to: &OsStr) -> io::Result<()> {
        let (from, to) = (dir.join(from), into.join(to));
        retry_while_busy(|| move_file(&from, &to, MOVEFILE_WRITE_THROUGH))
    }

    fn unlink(&self, dir: &PathBuf, name: &OsStr) -> io::Result<()> {
        let path = dir.join(name);
        if is_read_only(&path) {
            return Err(Refusal::ReadOnly.into());
        }
        retry_while_busy(|| std::fs::remove_file(&path))
    }

    fn list(&self, dir: &PathBuf) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }
}

/// Repeat a call, at growing intervals, while another program has the file open.
fn retry_while_busy(call: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let Err(error) = call() else { return Ok(()) };
        let busy = matches!(
            error.raw_os_error().map(|code| code as u32),
            Some(ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION | ERROR_ACCESS_DENIED)
        );
        if !busy || begin.elapsed() + pause > RETRY_FOR {
            return Err(error);
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

/// Return whether a file has the attribute that Windows lets nobody replace or remove, however long one waits.
fn is_read_only(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.permissions().readonly())
}

fn rename_posix(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // With a write-through handle, the rename is on the disk when the call returns.
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_WRITE_THROUGH;
    let file = options.access_mode(DELETE | SYNCHRONIZE).custom_flags(flags).open(from)?;
    let name = wide(to);
    let length = (name.len() - 1) * size_of::<u16>(); // without the final NUL
    let size = offset_of!(FILE_RENAME_INFO, FileName) + name.len() * size_of::<u16>();
    let size = size.max(size_of::<FILE_RENAME_INFO>());
    // Of eight-byte words, because the structure contains a pointer and has its alignment.
    let mut buffer = vec![0_u64; size.div_ceil(size_of::<u64>())];
    let info = buffer.as_mut_ptr().cast::<FILE_RENAME_INFO>();
    // SAFETY: `buffer` has the structure's alignment (u64), holds `size` bytes or more, which covers the
    // structure and the `name.len()` units from `FileName` on, is zeroed, which is valid for every field, and
    // has no other reference.
    unsafe {
        (*info).Anonymous.Flags = FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_POSIX_SEMANTICS;
        (*info).FileNameLength = length as u32;
        let start = (&raw mut (*info).FileName).cast::<u16>();
        start.copy_from_nonoverlapping(name.as_ptr(), name.len());
    }
    // SAFETY: `file` keeps the handle open during the call; `info` points to the `size` initialised bytes of
    // `buffer`.
    let done = unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            FileRenameInfoEx,
            info.cast_const().cast(),
            size as u32,
        )
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn move_file(from: &Path, to: &Path, flags: u32) -> io::Result<()> {
    let (from, to) = (wide(from), wide(to));
    // SAFETY: `wide` ends both paths with a NUL, and both vectors live until the call returns.
    let done = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Convert an absolute path of any length to a NUL-terminated string for Windows' calls.
fn wide(path: &Path) -> Vec<u16> {
    const VERBATIM: &str = r"\\?\";
    let path = path.as_os_str();
    let bytes = path.as_encoded_bytes();
    let mut wide: Vec<u16> = Vec::new();
    // A path of more than 260 characters needs the verbatim prefix, which allows absolute paths without `/`.
    if bytes.get(1) == Some(&b':') {
        wide.extend(VERBATIM.encode_utf16());
        wide.extend(
            path.encode_wide().map(|unit| if unit == u16::from(b'/') { u16::from(b'\\') } else { unit }),
        );
    } else {
        wide.extend(path.encode_wide());
    }
    wide.push(0);
    wide
}

fn stat(file: &File) -> io::Result<Stat> {
    let handle = file.as_raw_handle();
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: `file` keeps `handle` open during the call; `info` is a local structure for the call to fill.
    if unsafe { GetFileInformationByHandle(handle, &mut info) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let kind = if info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        Kind::Link
    } else if info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
        Kind::Directory
    // SAFETY: `file` keeps `handle` open during the call, which takes no pointer.
    } else if unsafe { GetFileType(handle) } == FILE_TYPE_DISK {
        Kind::File
    } else {
        Kind::Other
    };
    let long = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    let modified = since_epoch(info.ftLastWriteTime);
    let stamp = Stamp {
        device: info.dwVolumeSerialNumber.into(),
        inode: long(info.nFileIndexHigh, info.nFileIndexLow),
        size: long(info.nFileSizeHigh, info.nFileSizeLow),
        modified,
    };
    let changed = modified.max(since_epoch(info.ftCreationTime));
    Ok(Stat { kind, stamp, changed, links: info.nNumberOfLinks.into() })
}

/// Convert a time in units of 100 ns since 1601 to nanoseconds since 1970.
fn since_epoch(time: FILETIME) -> i128 {
    const FROM_1601_TO_1970: i128 = 116_444_736_000_000_000;
    let ticks = i128::from(time.dwHighDateTime) << 32 | i128::from(time.dwLowDateTime);
    (ticks - FROM_1601_TO_1970) * 100
}

/// Return whether a process with this id exists.
pub(crate) fn is_alive(pid: u32) -> bool {
    // SAFETY: the call takes no pointer. The handle is closed by `CloseHandle` at the end of this function.
    let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) };
    if process.is_null() {
        // Any other error means that the process exists but may not be opened.
        // SAFETY: the call takes no pointer and reads this thread's last error.
        return unsafe { GetLastError() } != ERROR_INVALID_PARAMETER;
    }
    // SAFETY: `OpenProcess` returned `process` (not null, checked by the branch that returns), nothing else
    // has it, and it is not used after `CloseHandle`.
    unsafe {
        let waited = WaitForSingleObject(process, 0);
        CloseHandle(process);
        waited == WAIT_TIMEOUT
    }
}
