//! The file system calls of Linux, macOS and the BSDs.

use super::fs::{Fs, Kind, Rename, Stamp, Stat};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The operating system's own file system.
pub(crate) struct Native;

impl Fs for Native {
    type Dir = OwnedFd;
    type File = File;

    fn open_dir(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?)
    }

    fn open(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| rustix::fs::openat(dir, name, flags, Mode::empty()))?.into())
    }

    fn create(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR))?.into())
    }

    fn open_append(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| rustix::fs::openat(dir, name, flags, Mode::empty()))?.into())
    }

    fn read(&self, file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| file.read(buffer))
    }

    fn seek(&self, file: &mut File, offset: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset)).map(drop)
    }

    fn share(&self, from: &File, to: &File) -> io::Result<()> {
        share(from, to)
    }

    fn write(&self, file: &mut File, data: &[u8]) -> io::Result<usize> {
        uninterrupted(|| file.write(data))
    }

    fn truncate(&self, file: &File, size: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::ftruncate(file, size))?)
    }

    fn stat(&self, file: &File) -> io::Result<Stat> {
        Ok(stat(&retry_on_intr(|| rustix::fs::fstat(file))?))
    }

    fn stat_at(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<Stat> {
        Ok(stat(&retry_on_intr(|| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW))?))
    }

    fn copy_attributes(&self, from: &File, to: &File) {
        // Each step is best effort: file systems without modes, owners or attributes return ENOSYS or EPERM.
        let Ok(old) = rustix::fs::fstat(from) else { return };
        let Ok(new) = rustix::fs::fstat(to) else { return };
        let mut mode = Mode::from_raw_mode(old.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid) {
            let owner = rustix::fs::Uid::from_raw(old.st_uid);
            let group = rustix::fs::Gid::from_raw(old.st_gid);
            // Only root may change the owner; others may still be allowed to set the group.
            let kept = rustix::fs::fchown(to, Some(owner), Some(group))
                .or_else(|_| rustix::fs::fchown(to, None, Some(group)));
            if kept.is_err() && old.st_gid != new.st_gid {
                // Another group must not get the rights that the old one had.
                mode -= Mode::RWXG;
            }
        }
        copy_xattrs(from, to);
        // The mode comes last: a change of owner, or an access list among the attributes, changes it.
        let _ = rustix::fs::fchmod(to, mode);
    }

    fn let_others_finish(&self) {
        std::thread::sleep(Duration::from_millis(1));
    }

    fn has_writer(&self, file: &File) -> Option<bool> {
        has_writer(file)
    }

    fn wait_past(&self, time: i128) {
        // The kernel's clock for files ticks every 10 ms at most; some file systems keep whole seconds, FAT
        // every other one.
        let tick = Duration::from_millis(if time % 1_000_000_000 == 0 { 2_000 } else { 20 });
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as i128;
        let left = time + tick.as_nanos() as i128 - now;
        if (1..=tick.as_nanos() as i128).contains(&left) {
            std::thread::sleep(Duration::from_nanos(left as u64));
        }
    }

    fn set_modified(&self, file: &File, time: SystemTime) {
        let _ = file.set_modified(time);
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        sync(file)
    }

    fn sync_dir(&self, dir: &OwnedFd) -> io::Result<()> {
        sync(dir)
    }

    fn link(&self, dir: &OwnedFd, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match retry_on_intr(|| rustix::fs::linkat(dir, from, dir, to, AtFlags::empty())) {
            // There are no hard links here, or too many of this file, or the kernel does not allow links to
            // other users' files. The caller makes a copy instead.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK | Errno::XDEV) => unsupported(),
            done => Ok(done?),
        }
    }

    fn rename(&self, dir: &OwnedFd, from: &OsStr, to: &OsStr, mode: Rename) -> io::Result<()> {
        match mode {
            Rename::Over => Ok(retry_on_intr(|| rustix::fs::renameat(dir, from, dir, to))?),
            Rename::New => rename_with(dir, from, dir, to, false),
            Rename::Exchange => rename_with(dir, from, dir, to, true),
        }
    }

    fn rename_into(&self, dir: &OwnedFd, from: &OsStr, into: &OwnedFd, to: &OsStr) -> io::Result<()> {
        match rename_with(dir, from, into, to, false) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => return done,
        }
        match self.stat_at(into, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(retry_on_intr(|| rustix::fs::renameat(dir, from, into, to))?)
            }
            found => found.and(Err(io::ErrorKind::AlreadyExists.into())),
        }
    }

    fn unlink(&self, dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::unlinkat(dir, name, AtFlags::empty()))?)
    }

    fn list(&self, dir: &OwnedFd) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(dir)? {
            names.push(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned());
        }
        Ok(names)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_with(dir: &OwnedFd, from: &OsStr, into: &OwnedFd, to: &OsStr, exchange: bool) -> io::Result<()> {
    use rustix::fs::RenameFlags;
    let flags = if exchange { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    match retry_on_intr(|| rustix::fs::renameat_with(dir, from, into, to, flags)) {
        // An old kernel, or a file system that does not support the flag (ntfs-3g and NFS, for example).
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => unsupported(),
        done => Ok(done?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_with(_: &OwnedFd, _: &OsStr, _: &OwnedFd, _: &OsStr, _: bool) -> io::Result<()> {
    unsupported()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn share(from: &File, to: &File) -> io::Result<()> {
    // Whatever the reason is why the blocks cannot be shared: copying will do, or says better what is wrong.
    rustix::fs::ioctl_ficlone(to, from).or_else(|_| unsupported())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn share(_: &File, _: &File) -> io::Result<()> {
    unsupported()
}

/// Return whether a program has the file open for writing: Linux grants no lease on such a file.
#[cfg(target_os = "linux")]
fn has_writer(file: &File) -> Option<bool> {
    use std::os::fd::AsRawFd;
    const F_SETSIG: libc::c_int = 10; // <linux/fcntl.h>; the crate has it for one platform only
    let descriptor = file.as_raw_fd();
    // SAFETY: `file` keeps the descriptor open; these commands take an integer, and no pointer.
    let call = |command, argument: libc::c_int| unsafe { libc::fcntl(descriptor, command, argument) };
    // Who opens the file for writing between the next two calls has the kernel send a signal: one that is
    // ignored, instead of SIGIO, which ends the process.
    if call(F_SETSIG, libc::SIGURG) != 0 {
        return None;
    }
    let granted = call(libc::F_SETLEASE, libc::F_RDLCK) == 0;
    let error = io::Error::last_os_error();
    if granted {
        call(libc::F_SETLEASE, libc::F_UNLCK);
        return Some(false);
    }
    (error.raw_os_error() == Some(libc::EAGAIN)).then_some(true)
}

#[cfg(not(target_os = "linux"))]
fn has_writer(_: &File) -> Option<bool> {
    None
}

/// Repeat a call that a signal interrupts.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_vendor = "apple"))]
fn sync(file: impl std::os::fd::AsFd) -> io::Result<()> {
    Ok(rustix::fs::fsync(file)?)
}

#[cfg(target_vendor = "apple")]
fn sync(file: impl std::os::fd::AsFd) -> io::Result<()> {
    match rustix::fs::fcntl_fullfsync(&file) {
        // On macOS fsync leaves the data in the drive's cache, but a network volume supports nothing better.
        // This does not retry a failed sync: the first call was refused, so it did nothing.
        Err(Errno::INVAL | Errno::NOTSUP | Errno::NOTTY | Errno::NOSYS) => Ok(rustix::fs::fsync(&file)?),
        done => Ok(done?),
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn copy_xattrs(from: &File, to: &File) {
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, flistxattr_query, fsetxattr};
    /// The kernel's limit in bytes for the list of names and for each value.
    const LIMIT: usize = 64 << 10;

    if !matches!(flistxattr_query(from), Ok(1..)) {
        return;
    }
    let (mut names, mut value) = (vec![0; LIMIT], vec![0; LIMIT]);
    let Ok(length) = flistxattr(from, &mut names[..]) else { return };
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        if let Ok(length) = fgetxattr(from, name, &mut value[..]) {
            let _ = fsetxattr(to, name, &value[..length], XattrFlags::empty());
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn copy_xattrs(_: &File, _: &File) {}

// The types of these fields differ between systems.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
fn stat(stat: &rustix::fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let modified = stat.st_mtime as i128 * 1_000_000_000 + stat.st_mtime_nsec as i128;
    let stamp =
        Stamp { device: stat.st_dev as u64, inode: stat.st_ino as u64, size: stat.st_size as u64, modified };
    let changed = stat.st_ctime as i128 * 1_000_000_000 + stat.st_ctime_nsec as i128;
    Stat { kind, stamp, changed, links: stat.st_nlink as u64 }
}

/// Return whether a process with this id exists.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH))
}
