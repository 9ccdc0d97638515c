//! Tell by a file's metadata whether it has changed.

use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::time::{SystemTime, UNIX_EPOCH};
use xxhash_rust::xxh3::xxh3_64;

/// Seconds since 1970, and nanoseconds.
pub(crate) type Time = (i64, u32);

/// One run of the system, from its start until it is shut down or loses its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Boot(Option<u64>);

impl Boot {
    /// Return the boot with this name, which no other boot has; an empty one is the name of none.
    pub(crate) fn named(name: &str) -> Boot {
        Boot((!name.is_empty()).then(|| xxh3_64(name.as_bytes())))
    }

    /// Return whether both are the same boot; false if one is not known.
    pub(crate) fn is(self, other: Boot) -> bool {
        self.0.is_some() && self == other
    }
}

/// The metadata of a file that identifies it and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Device and inode; zeros on Windows, where only an open file has them.
    file: (u64, u64),
    /// The time of birth, where it is known: an inode's number is soon given to another file.
    born: Option<Time>,
    pub(crate) size: u64,
    modified: Option<Time>,
    /// When anything about it was last changed, its times included (ctime): no program can set it back.
    changed: Option<Time>,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            file: number(metadata),
            born: metadata.created().ok().map(time),
            size: metadata.len(),
            modified: metadata.modified().ok().map(time),
            changed: changed(metadata),
        }
    }

    /// Return the device it is on.
    pub(crate) fn device(&self) -> u64 {
        self.file.0
    }

    /// Return the device and the inode.
    pub(crate) fn file(&self) -> (u64, u64) {
        self.file
    }

    /// Return whether it is the same file, whatever its content.
    pub(crate) fn is_same_file(&self, other: &Stamp) -> bool {
        self.file == other.file && self.born == other.born
    }

    /// Return whether a change after `now` would show in the stamp. Times are as coarse as the clock's ticks,
    /// so a change within the tick of the last one would not.
    pub(crate) fn is_conclusive(&self, now: Time) -> bool {
        /// Nanoseconds; longer than any system's tick.
        const TICK: u128 = 20_000_000;
        /// Nanoseconds; some file systems keep times in steps of one or two seconds.
        const COARSE: u128 = 2_000_000_000;
        let Some(last) = self.changed.or(self.modified) else { return false };
        let margin = if last.1 == 0 { COARSE } else { TICK };
        nanoseconds(now).zip(nanoseconds(last)).is_some_and(|(now, last)| now > last + margin)
    }

    /// Return whether what was written before the last change is on the disk, and not only in memory, if the
    /// file was unchanged and the system running at `now`. After a power cut a file may have its size and its
    /// times, and zeros in the place of what was in memory.
    ///
    /// Linux writes data back that is older than `dirty_expire_centisecs` (30 s), and looks for it every
    /// `dirty_writeback_centisecs` (5 s); its laptop mode makes that ten minutes. See
    /// Documentation/admin-guide/sysctl/vm.rst and laptops/laptop-mode.rst of the kernel. Others are sooner.
    pub(crate) fn is_on_disk(&self, now: Time) -> bool {
        let last = self.changed.max(self.modified);
        last.is_some_and(|last| now.0.saturating_sub(last.0) > WRITTEN_BACK_AFTER)
    }
}

/// Seconds; the ten minutes of Linux's laptop mode, and half as much again for a disk that is busy.
const WRITTEN_BACK_AFTER: i64 = 900;

fn nanoseconds((seconds, rest): Time) -> Option<u128> {
    Some(u128::from(u64::try_from(seconds).ok()?) * 1_000_000_000 + u128::from(rest))
}

/// Return the present time.
pub(crate) fn now() -> Time {
    time(SystemTime::now())
}

fn time(of: SystemTime) -> Time {
    match of.duration_since(UNIX_EPOCH) {
        Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
        // A time before 1970.
        Err(before) => (-(before.duration().as_secs() as i64), before.duration().subsec_nanos()),
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> Option<Time> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.ctime(), metadata.ctime_nsec() as u32))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<Time> {
    None
}

/// Return whether the times of files on the file system at `path` are reliable: it is a local one of a kind
/// that is known to keep the ctime. On others a file's fingerprint is compared as well.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn keeps_times(path: &std::path::Path) -> bool {
    const EXT: u64 = 0xef53;
    const XFS: u64 = 0x5846_5342;
    const BTRFS: u64 = 0x9123_683e;
    const F2FS: u64 = 0xf2f5_2010;
    const ZFS: u64 = 0x2fc1_2fc1;
    const TMPFS: u64 = 0x0102_1994;
    const OVERLAY: u64 = 0x794c_7630;
    let kind = rustix::fs::statfs(path).map(|about| about.f_type as u64 & 0xffff_ffff);
    kind.is_ok_and(|kind| [EXT, XFS, BTRFS, F2FS, ZFS, TMPFS, OVERLAY].contains(&kind))
}

/// Return true: the file systems of these systems all keep the ctime.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn keeps_times(_: &std::path::Path) -> bool {
    true
}

/// Return false: these systems have no ctime.
#[cfg(not(unix))]
pub(crate) fn keeps_times(_: &std::path::Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_conclusive_after_a_tick() {
        let at = |changed| Stamp { file: (1, 2), born: None, size: 3, modified: None, changed };
        let second = 1_800_000_000;
        let fine = at(Some((second, 5)));
        assert!(!fine.is_conclusive((second, 20_000_005)));
        assert!(fine.is_conclusive((second, 20_000_006)));
        let coarse = at(Some((second, 0)));
        assert!(!coarse.is_conclusive((second + 1, 999_999_999)));
        assert!(coarse.is_conclusive((second + 2, 1)));
        assert!(!at(Some((second + 60, 7))).is_conclusive((second, 0)));
        assert!(!at(None).is_conclusive((second, 0)));
        assert!(!at(Some((-1, 3))).is_conclusive((second, 0)));
    }

    #[test]
    fn what_was_written_is_on_the_disk_a_quarter_of_an_hour_after_the_later_change() {
        let at = |modified, changed| Stamp { file: (1, 2), born: None, size: 3, modified, changed };
        let second = 1_800_000_000;
        let (old, new) = (Some((second - 10_000, 0)), Some((second, 999_999_999)));
        for stamp in [at(old, new), at(new, old), at(new, None), at(None, new)] {
            assert!(!stamp.is_on_disk((second, 0)));
            assert!(!stamp.is_on_disk((second + 900, 999_999_999)));
            assert!(stamp.is_on_disk((second + 901, 0)));
            // The clock was set back meanwhile.
            assert!(!stamp.is_on_disk((second - 5_000, 0)));
            assert!(!stamp.is_on_disk((-1, 0)));
        }
        assert!(!at(None, None).is_on_disk((second, 0)));
        assert!(!at(Some((i64::MIN, 0)), new).is_on_disk((second, 0)));
    }

    #[test]
    fn a_boot_is_itself_and_an_unknown_one_is_none() {
        assert!(Boot::named("a").is(Boot::named("a")));
        assert!(!Boot::named("a").is(Boot::named("b")));
        assert!(!Boot::named("").is(Boot::named("")));
    }
}
