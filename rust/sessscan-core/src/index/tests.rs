//! Test which files are read again after the system was started anew.

use super::*;
use std::fs::File as FsFile;
use std::io::Write;

type Shards = HashMap<usize, (Vec<u8>, Vec<u8>)>;

/// Scan a file in a boot, `later` seconds from now; return how many bytes of it are read.
fn unread(path: &Path, boot: &str, later: i64, shards: &mut Shards) -> u64 {
    let token = CancelToken::never();
    let mut rescan = Rescan::new(vec![path.to_owned()], Strictness::Structure, boot, &token).unwrap();
    rescan.now.0 += later;
    for shard in rescan.shards() {
        rescan.know(shard, &shards.entry(shard).or_default().0);
    }
    for shard in rescan.shards_of_states() {
        rescan.know_states(shard, &shards[&shard].1);
    }
    let unread = rescan.unread();
    for (_, result) in rescan.scan(1, &token) {
        result.unwrap();
    }
    for shard in rescan.changed() {
        let (entries, states) = shards[&shard].clone();
        shards.insert(shard, rescan.merge(shard, &entries, &states));
    }
    unread
}

const LINE: &[u8] = b"{\"type\":\"ai-title\",\"aiTitle\":\"A title\"}\n";

fn transcript(folder: &Path) -> (PathBuf, FsFile) {
    let path = folder.join("s.jsonl");
    let mut file = FsFile::create(&path).unwrap();
    file.write_all(&LINE.repeat(2_000)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50)); // so that a later change would show
    (path, file)
}

#[test]
fn a_file_that_was_scanned_soon_after_its_last_change_is_read_once_in_the_next_boot() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _file) = transcript(folder.path());
    let size = path.metadata().unwrap().len();
    let mut shards = Shards::new();
    for (boot, later, expected) in [
        ("first", 0, size),
        ("first", 800, 0), // within a boot it is trusted
        ("second", 800, size),
        ("second", 901, 0),
        ("third", 950, size), // the scan in the second was not late enough either
        ("third", 960, 0),
        ("fourth", 100_000, 0), // the one in the third was
        ("", 100_000, 0),
    ] {
        assert_eq!(unread(&path, boot, later, &mut shards), expected, "{boot} {later}");
    }
}

#[test]
fn a_boot_that_is_not_known_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _file) = transcript(folder.path());
    let mut shards = Shards::new();
    for later in [0, 10, 890, 950] {
        assert!(unread(&path, "", later, &mut shards) > 0);
    }
    assert_eq!(unread(&path, "", 960, &mut shards), 0);
}

#[test]
#[cfg_attr(windows, ignore = "wine gives a file a new time of birth with each write, so that it is another")]
fn a_file_that_has_grown_is_read_from_its_start_if_its_old_part_may_be_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut file) = transcript(folder.path());
    let mut shards = Shards::new();
    let mut size = unread(&path, "first", 0, &mut shards);
    for (boot, later, whole) in [("first", 0, false), ("second", 1000, true), ("third", 1000, false)] {
        file.write_all(LINE).unwrap();
        size += LINE.len() as u64;
        let expected = if whole { size } else { LINE.len() as u64 };
        assert_eq!(unread(&path, boot, later, &mut shards), expected, "{boot}");
    }
}
