//! The file system calls of Linux, macOS and the BSDs.

use super::fs::{Fs, Kind, Rename, Stamp, Stat};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

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
        std::thread::sleep(std::time::Duration::from_millis(1));
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
            Rename::New => rename_with(dir, from, to, false),
            Rename::Exchange => rename_with(dir, from, to, true),
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
fn rename_with(dir: &OwnedFd, from: &OsStr, to: &OsStr, exchange: bool) -> io::Result<()> {
    use rustix::fs::RenameFlags;
    let flags = if exchange { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    match retry_on_intr(|| rustix::fs::renameat_with(dir, from, dir, to, flags)) {
        // An old kernel, or a file system that does not support the flag (ntfs-3g and NFS, for example).
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => unsupported(),
        done => Ok(done?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_with(_: &OwnedFd, _: &OsStr, _: &OsStr, _: bool) -> io::Result<()> {
    unsupported()
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
