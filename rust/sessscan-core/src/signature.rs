//! Tell by metadata which of many files may have changed since they were kept.

use crate::cancel::CancelToken;
use crate::threads;
use std::io;
use std::path::Path;

/// Files in a folder, and what is known of each.
///
/// That is what Python's `Signature` makes of a file: its size, its two times in nanoseconds since 1970, and its
/// inode, then the boot in which it was kept, where that counts; with colons between them.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The name of each file, and what is known of it.
    pub files: Vec<(&'a str, Option<&'a str>)>,
}

/// So many files a thread looks at in one go.
const FILES: usize = 256;

/// Return for each folder the numbers of those files that may have changed: all but those whose metadata are as is
/// known. All may have changed where the folder cannot be opened, or files have no such numbers.
///
/// # Errors
/// The work was cancelled.
pub fn changed(
    folders: &[Signed],
    boot: &str,
    threads: usize,
    cancel: &CancelToken,
) -> io::Result<Vec<Vec<usize>>> {
    let opened: Vec<_> = folders.iter().map(|signed| Folder::open(signed.folder)).collect();
    let mut parts = Vec::new();
    for (place, signed) in folders.iter().enumerate() {
        parts.extend((0..signed.files.len()).step_by(FILES).map(|first| (place, first)));
    }
    let look =
        |&(place, first): &(usize, usize), _: &mut (), token: &CancelToken| -> io::Result<Vec<usize>> {
            token.check(0)?;
            let files = folders[place].files.iter().enumerate().skip(first).take(FILES);
            let differs = |&(_, (name, known)): &(usize, &(&str, Option<&str>))| {
                let known =
                    known.and_then(Known::parse).filter(|known| known.boot.is_empty() || known.boot == boot);
                known.is_none_or(|known| opened[place].stamp(name) != Some(known.stamp))
            };
            Ok(files.filter(differs).map(|(number, _)| number).collect())
        };
    let mut found = vec![Vec::new(); folders.len()];
    let mut results = threads::run(&parts, threads, || (), look, cancel);
    if results.len() < parts.len() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    results.sort_unstable_by_key(|(part, _)| **part);
    for ((place, _), numbers) in results {
        found[*place].extend(numbers?);
    }
    Ok(found)
}

/// A file's size, its times of modification and change in nanoseconds, and its inode.
type Stamp = [i128; 4];

/// What is known of a file.
#[derive(Debug, PartialEq, Eq)]
struct Known<'a> {
    stamp: Stamp,
    boot: &'a str,
}

impl Known<'_> {
    fn parse(text: &str) -> Option<Known<'_>> {
        let mut parts = text.splitn(5, ':');
        let mut stamp = [0; 4];
        for number in &mut stamp {
            *number = parts.next()?.parse().ok()?;
        }
        Some(Known { stamp, boot: parts.next()? })
    }
}

/// A folder, opened so that its files are found without walking down its path again.
#[cfg(unix)]
struct Folder(Option<std::os::fd::OwnedFd>);

#[cfg(unix)]
impl Folder {
    fn open(path: &Path) -> Folder {
        use rustix::fs::{Mode, OFlags};

        Folder(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok())
    }

    fn stamp(&self, name: &str) -> Option<Stamp> {
        let now = rustix::fs::statat(self.0.as_ref()?, name, rustix::fs::AtFlags::empty()).ok()?;
        let modified = i128::from(now.st_mtime) * 1_000_000_000 + i128::from(now.st_mtime_nsec);
        let changed = i128::from(now.st_ctime) * 1_000_000_000 + i128::from(now.st_ctime_nsec);
        Some([i128::from(now.st_size), modified, changed, i128::from(now.st_ino)])
    }
}

#[cfg(not(unix))]
struct Folder;

#[cfg(not(unix))]
impl Folder {
    fn open(_: &Path) -> Folder {
        Folder
    }

    fn stamp(&self, _: &str) -> Option<Stamp> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_signature_is_not_known() {
        for text in ["", ":", "1:2:3:4", "1:2:3:x:", "1:2:3:4.0:", " 1:2:3:4:"] {
            assert_eq!(Known::parse(text), None, "{text}");
        }
        let known = Known::parse("1:-2:3:4:a:b").unwrap();
        assert_eq!(known, Known { stamp: [1, -2, 3, 4], boot: "a:b" });
    }

    #[cfg(unix)]
    #[test]
    fn the_files_that_changed_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        std::fs::write(&path, b"said").unwrap();
        let [size, modified, changed_at, inode] = Folder::open(folder.path()).stamp("t.jsonl").unwrap();
        assert_eq!(size, 4);
        let text = |size: i128, boot: &str| format!("{size}:{modified}:{changed_at}:{inode}:{boot}");
        let known = [text(4, ""), text(5, ""), text(4, "this"), text(4, "another"), text(4, "?")];
        let files = known.iter().map(|one| ("t.jsonl", Some(one.as_str())));
        let files: Vec<_> =
            files.chain([("t.jsonl", None), ("gone.jsonl", Some(known[0].as_str()))]).collect();
        let gone = folder.path().join("gone");
        let found = || {
            let signed = |folder| Signed { folder, files: files.clone() };
            changed(&[signed(folder.path()), signed(&gone)], "this", 2, &CancelToken::never()).unwrap()
        };
        let all: Vec<usize> = (0..7).collect();
        assert_eq!(found(), [vec![1, 3, 4, 5, 6], all.clone()]);
        std::fs::write(&path, b"more was said").unwrap();
        assert_eq!(found(), [all.clone(), all]);
    }

    #[cfg(unix)]
    #[test]
    fn many_files_are_told_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.jsonl"), b"said").unwrap();
        let stamp = Folder::open(folder.path()).stamp("t.jsonl").unwrap();
        let known = stamp.map(|number| number.to_string()).join(":") + ":";
        let count = 5 * FILES + 7;
        let as_known = |number: usize| number.is_multiple_of(3).then_some(known.as_str());
        let files: Vec<_> = (0..count).map(|number| ("t.jsonl", as_known(number))).collect();
        let folders = [
            Signed { folder: folder.path(), files: files.clone() },
            Signed { folder: folder.path(), files: files[..2].to_vec() },
            Signed { folder: folder.path(), files: Vec::new() },
        ];
        let expected: Vec<usize> = (0..count).filter(|number| number % 3 > 0).collect();
        for threads in [1, 4] {
            let found = changed(&folders, "", threads, &CancelToken::never()).unwrap();
            assert_eq!(found, [expected.clone(), vec![1], vec![]]);
        }
    }
}
