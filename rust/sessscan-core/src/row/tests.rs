use super::*;
use std::fs;
#[cfg(unix)]
use std::time::Duration;

const ROW: &[u8] =
    br#"{"sessionId":"local_a","createdAt":1,"lastActivityAt":2.5e3,"title":"\ud83d \u00e9 \"x\\"}"#;

fn kind(data: &[u8]) -> (RowKind, u64, u64) {
    let state = classify_bytes(data, Some(b"local_a"));
    assert_eq!(state.size, data.len() as u64);
    (state.kind, state.offset, state.length)
}

#[test]
fn each_kind() {
    let size = ROW.len() as u64;
    assert_eq!(kind(ROW), (RowKind::Ok, 0, 0));
    assert_eq!(kind(&[ROW, b"\r\n "].concat()), (RowKind::Ok, 0, 0));
    assert_eq!(kind(b""), (RowKind::Empty, 0, 0));
    assert_eq!(kind(b"\0"), (RowKind::ZeroFilled, 0, 1));
    assert_eq!(kind(&[0; 1000]), (RowKind::ZeroFilled, 0, 1000));
    assert_eq!(kind(b"{"), (RowKind::Truncated, 1, 0));
    assert_eq!(kind(&[ROW, b"\0\0"].concat()), (RowKind::Truncated, size, 2));
    assert_eq!(kind(&[&ROW[..20], &[0; 300]].concat()), (RowKind::Truncated, 20, 300));
    assert_eq!(kind(b"{\"a\":1\0"), (RowKind::Truncated, 6, 1));
    assert_eq!(kind(b"\0{"), (RowKind::NotJson, 0, 2));
    assert_eq!(kind(b"{\"a\0b\":1}"), (RowKind::NotJson, 3, 6));
    assert_eq!(kind(&[ROW, ROW].concat()), (RowKind::NotJson, size, size));
    assert_eq!(kind(&[b"\xef\xbb\xbf", ROW].concat()), (RowKind::Bom, 0, 3));
    assert_eq!(kind(b"[]"), (RowKind::NotARow, 0, 2));
    assert_eq!(kind(b"{}"), (RowKind::NotARow, 0, 2));
    assert_eq!(
        kind(br#"{"sessionId":"local_b","createdAt":1,"lastActivityAt":2}"#),
        (RowKind::IdMismatch, 13, 9)
    );

    let mut large = vec![b' '; MAX_ROW as usize + 1];
    large[..ROW.len()].copy_from_slice(ROW);
    assert_eq!(kind(&large), (RowKind::Oversize, MAX_ROW, 1));
    large.truncate(MAX_ROW as usize);
    assert_eq!(kind(&large), (RowKind::Ok, 0, 0));
}

#[test]
fn required_fields_have_the_right_types() {
    for (row, expected) in [
        (r#"{"sessionId":7,"createdAt":1,"lastActivityAt":2}"#, (RowKind::NotARow, 13, 1)),
        (r#"{"sessionId":"local_a","createdAt":"1","lastActivityAt":2}"#, (RowKind::NotARow, 35, 3)),
        (r#"{"sessionId":"local_a","createdAt":1,"lastActivityAt":null}"#, (RowKind::NotARow, 54, 4)),
        (r#"{"sessionId":"local_a","createdAt":1}"#, (RowKind::NotARow, 0, 37)),
        (r#"{"x":{"sessionId":"local_a","createdAt":1,"lastActivityAt":2}}"#, (RowKind::NotARow, 0, 62)),
        // Of a key given twice the last one counts, and a key may contain escapes.
        (
            concat!(
                r#"{"createdAt":"","sessionId":"x","lastActivityAt":2,"#,
                r#""createdAt":-1,"session\u0049d":"local_\u0061"}"#
            ),
            (RowKind::Ok, 0, 0),
        ),
        (r#"{"sessionId":"","createdAt":1e400,"lastActivityAt":2}"#, (RowKind::IdMismatch, 13, 2)),
    ] {
        assert_eq!(kind(row.as_bytes()), expected, "{row}");
    }
    assert_eq!(
        classify_bytes(br#"{"sessionId":"x","createdAt":1,"lastActivityAt":2}"#, None).kind,
        RowKind::Ok
    );
}

#[test]
fn every_prefix_is_truncated_with_and_without_zeros() {
    for length in 1..ROW.len() {
        let prefix = &ROW[..length];
        assert_eq!(kind(prefix), (RowKind::Truncated, length as u64, 0), "{}", prefix.escape_ascii());
        assert_eq!(kind(&[prefix, &[0; 5]].concat()), (RowKind::Truncated, length as u64, 5));
    }
}

#[test]
fn the_complete_members_of_a_prefix_are_returned() {
    let texts = |data| {
        let text = |raw| String::from_utf8_lossy(raw).into_owned();
        prefix_members(data).into_iter().map(|(key, value)| (text(key), text(value))).collect::<Vec<_>>()
    };
    let expected = [("\"a\"", "[1,{\"b\":2}]"), ("\"c\"", "null")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(texts(b"{\"a\":[1,{\"b\":2}],\"c\":null,\"d\":\"cut"), expected);
    assert_eq!(texts(b"\xef\xbb\xbf{\"a\":[1,{\"b\":2}],\"c\":null}"), expected);
    assert_eq!(texts(b"{\"a\":[1,{\"b\":2}],\"c\":null,\"d\":12\0\0"), expected);
    assert_eq!(texts(b"[1"), []);
    assert_eq!(texts(b""), []);
}

#[test]
fn is_zero_finds_a_byte_at_any_position() {
    for length in 0..600 {
        let mut data = vec![0; length];
        assert!(is_zero(&data));
        for at in 0..length {
            data[at] = 0x80;
            assert!(!is_zero(&data), "{at} of {length}");
            data[at] = 0;
        }
    }
}

#[test]
fn files_are_classified_like_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local_a.json");
    assert_eq!(classify(&path, &CancelToken::never()).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(classify(folder.path(), &CancelToken::never()).unwrap().kind, RowKind::NotARow);
    for (content, expected) in [
        (ROW, RowKind::Ok),
        (b"", RowKind::Empty),
        (&[0; 4097], RowKind::ZeroFilled),
        (b"{\"", RowKind::Truncated),
        (&[&[0; BLOCK * 2][..], b"x"].concat(), RowKind::NotJson),
    ] {
        fs::write(&path, content).unwrap();
        let state = classify(&path, &CancelToken::never()).unwrap();
        assert_eq!(state.kind, expected);
        assert_eq!(state.size, content.len() as u64);
    }
}

#[cfg(unix)]
#[test]
fn a_hole_of_ten_gib_is_skipped_in_less_than_a_second() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local_a.json");
    let file = fs::File::create(&path).unwrap();
    file.set_len(10 << 30).unwrap();
    let begin = std::time::Instant::now();
    let state = classify(&path, &CancelToken::never()).unwrap();
    assert_eq!(
        (state.kind, state.size, state.offset, state.length),
        (RowKind::ZeroFilled, 10 << 30, 0, 10 << 30)
    );
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());

    file.write_all_at(b"x", (10 << 30) - 1).unwrap();
    assert_eq!(classify(&path, &CancelToken::never()).unwrap().kind, RowKind::Oversize);
    file.set_len(12 << 20).unwrap();
    file.write_all_at(&[0; 1 << 20], 0).unwrap();
    assert_eq!(classify(&path, &CancelToken::never()).unwrap().kind, RowKind::ZeroFilled);
    file.write_all_at(b"{", 0).unwrap();
    assert_eq!(classify(&path, &CancelToken::never()).unwrap().kind, RowKind::Oversize);
}

#[test]
fn classify_many_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..300).map(|number| folder.path().join(format!("local_{number}.json"))).collect();
    for (number, path) in paths.iter().enumerate().filter(|(number, _)| number % 7 != 0) {
        fs::write(path, vec![0; number]).unwrap();
    }
    let states = classify_many(&paths, &CancelToken::never());
    assert_eq!(states.len(), paths.len());
    for (number, state) in states.into_iter().enumerate() {
        match state {
            Err(error) => assert!(number % 7 == 0 && error.kind() == io::ErrorKind::NotFound),
            Ok(state) => assert_eq!((state.kind, state.size), (RowKind::ZeroFilled, number as u64)),
        }
    }
    assert!(classify_many::<&Path>(&[], &CancelToken::never()).is_empty());
}

#[cfg(unix)]
#[test]
fn links_and_fifos_are_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("row");
    fs::write(&target, ROW).unwrap();
    let path = folder.path().join("local_a.json");
    for target in [&target, &folder.path().join("missing"), &path] {
        std::os::unix::fs::symlink(target, &path).unwrap();
        assert_eq!(classify(&path, &CancelToken::never()).unwrap().kind, RowKind::Linked);
        assert!(open::regular(&path).unwrap().is_none());
        fs::remove_file(&path).unwrap();
    }
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    assert_eq!(classify(&path, &CancelToken::never()).unwrap().kind, RowKind::NotARow);
    assert!(open::regular(&path).unwrap().is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn reading_leaves_the_access_time_alone() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local_a.json");
    fs::write(&path, ROW).unwrap();
    // With an access time older than the last change, `relatime` would record the next read.
    let past = std::time::SystemTime::now() - Duration::from_secs(3 * 86_400);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_times(fs::FileTimes::new().set_accessed(past))
        .unwrap();
    let before = fs::metadata(&path).unwrap().atime();
    assert_eq!(classify(&path, &CancelToken::never()).unwrap().kind, RowKind::Ok);
    assert_eq!(fs::metadata(&path).unwrap().atime(), before);
}
