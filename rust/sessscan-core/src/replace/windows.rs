//! The file system as Windows offers it.
//!
//! There is no exchange, no second name that could be made durable without rights to write the file, and no
//! sync of a directory: renames are written through instead. Any program that looks at a file (a virus scanner,
//! an indexer) makes a rename of it fail for as long as it looks, so renames are tried for two seconds.
//! Never used: `ReplaceFile`, which can fail half-way and leave neither file, and `MOVEFILE_COPY_ALLOWED`, which
//! turns a rename into a copy that can be torn.

use super::fs::{Fs, Kind, Rename, Stamp, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem::{offset_of, size_of};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
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

/// How long somebody else may have a file open before that is an error.
const PATIENCE: Duration = Duration::from_secs(2);

/// The real one.
pub(crate) struct Native;

impl Fs for Native {
    /// An absolute path: a directory that is open cannot be renamed, and names relative to a handle need calls
    /// that Windows does not document.
    type Dir = PathBuf;
    type File = File;

    const EXCHANGES: bool = false;

    fn open_dir(&self, path: &Path) -> io::Result<PathBuf> {
        let path = std::path::absolute(path)?;
        if std::fs::metadata(&path)?.is_dir() { Ok(path) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    fn open(&self, dir: &PathBuf, name: &OsStr) -> io::Result<File> {
        // The standard library shares a file with readers, writers and deleters: nobody is disturbed.
        OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(dir.join(name))
    }

    fn create(&self, dir: &PathBuf, name: &OsStr) -> io::Result<File> {
        // Who may read it is the folder's to say: files inherit that.
        OpenOptions::new().write(true).create_new(true).open(dir.join(name))
    }

    fn open_append(&self, dir: &PathBuf, name: &OsStr) -> io::Result<File> {
        // Not for appending only, which would not allow taking half a record back.
        let mut options = OpenOptions::new();
        let mut file = options.write(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(dir.join(name))?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    fn read(&self, file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
        file.read(buffer)
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
        // Of a link itself, and of a folder as well.
        let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
        stat(&options.access_mode(FILE_READ_ATTRIBUTES).custom_flags(flags).open(dir.join(name))?)
    }

    fn copy_attributes(&self, _: &File, _: &File) {
        // The folder's access list is inherited; the app sets nothing else.
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all() // FlushFileBuffers
    }

    fn sync_dir(&self, _: &PathBuf) -> io::Result<()> {
        Ok(()) // renames are written through, and a new file's name is flushed with the file
    }

    fn link(&self, _: &PathBuf, _: &OsStr, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, dir: &PathBuf, from: &OsStr, to: &OsStr, how: Rename) -> io::Result<()> {
        let (from, to) = (dir.join(from), dir.join(to));
        match how {
            Rename::Exchange => Err(io::ErrorKind::Unsupported.into()),
            Rename::New => patiently(|| move_file(&from, &to, MOVEFILE_WRITE_THROUGH)),
            // With POSIX semantics a target that somebody reads can be replaced. Not every file system and
            // version of Windows knows them, and what they answer then differs: the older way has the last word.
            Rename::Over => patiently(|| rename_posix(&from, &to)).or_else(|_| {
                patiently(|| move_file(&from, &to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
            }),
        }
    }

    fn unlink(&self, dir: &PathBuf, name: &OsStr) -> io::Result<()> {
        patiently(|| std::fs::remove_file(dir.join(name)))
    }

    fn list(&self, dir: &PathBuf) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }
}

/// Calls again, at growing intervals, while somebody else has the file open.
fn patiently(call: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let Err(error) = call() else { return Ok(()) };
        let busy = matches!(
            error.raw_os_error().map(|code| code as u32),
            Some(ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION | ERROR_ACCESS_DENIED)
        );
        if !busy || begin.elapsed() + pause > PATIENCE {
            return Err(error);
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

fn rename_posix(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // Through a handle that writes through, the rename is on the disk when the call comes back.
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_WRITE_THROUGH;
    let file = options.access_mode(DELETE | SYNCHRONIZE).custom_flags(flags).open(from)?;
    let name = wide(to);
    let length = (name.len() - 1) * size_of::<u16>(); // without the NUL at its end
    let size = offset_of!(FILE_RENAME_INFO, FileName) + name.len() * size_of::<u16>();
    let size = size.max(size_of::<FILE_RENAME_INFO>());
    // Words of eight bytes: the structure begins with a pointer's alignment.
    let mut buffer = vec![0_u64; size.div_ceil(size_of::<u64>())];
    let info = buffer.as_mut_ptr().cast::<FILE_RENAME_INFO>();
    // SAFETY: `buffer` is aligned for the structure and as long as it and the name behind it (`size` above),
    // is zeroed, which is a valid value of every field, and nothing else refers to it.
    unsafe {
        (*info).Anonymous.Flags = FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_POSIX_SEMANTICS;
        (*info).FileNameLength = length as u32;
        let start = (&raw mut (*info).FileName).cast::<u16>();
        start.copy_from_nonoverlapping(name.as_ptr(), name.len());
    }
    // SAFETY: the handle is open as long as `file` lives; `info` points to `size` bytes of that structure.
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
    // SAFETY: both are NUL-terminated (`wide`) and live until the call is over.
    let done = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// An absolute path as Windows' own calls take it, of any length.
fn wide(path: &Path) -> Vec<u16> {
    const VERBATIM: &str = r"\\?\";
    let path = path.as_os_str();
    let bytes = path.as_encoded_bytes();
    let mut wide: Vec<u16> = Vec::new();
    // Beyond 260 characters only paths that are taken as they stand are allowed; an absolute one may be.
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
    // SAFETY: the handle is open as long as `file` is borrowed; `info` is a structure to be filled.
    if unsafe { GetFileInformationByHandle(handle, &mut info) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let kind = if info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        Kind::Link
    } else if info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
        Kind::Directory
    // SAFETY: as above; the call only asks.
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

/// Nanoseconds since 1970 of a time in units of 100 ns since 1601.
fn since_epoch(time: FILETIME) -> i128 {
    const FROM_1601_TO_1970: i128 = 116_444_736_000_000_000;
    let ticks = i128::from(time.dwHighDateTime) << 32 | i128::from(time.dwLowDateTime);
    (ticks - FROM_1601_TO_1970) * 100
}

/// Whether a process of this id is there.
pub(crate) fn is_alive(pid: u32) -> bool {
    // SAFETY: no pointers are passed; a handle, if there is one, is closed below.
    let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) };
    if process.is_null() {
        // Of the processes that are there some are not for us to open.
        // SAFETY: the call reads this thread's last error.
        return unsafe { GetLastError() } != ERROR_INVALID_PARAMETER;
    }
    // SAFETY: `process` is an open handle, ours alone, and used no more after it is closed.
    unsafe {
        let waited = WaitForSingleObject(process, 0);
        CloseHandle(process);
        waited == WAIT_TIMEOUT
    }
}
