//! Cut files into pieces by their content, so that what two versions of a file share is kept once.
//!
//! A cut depends on the bytes before it and on nothing else ("FastCDC": Xia et al., USENIX ATC 2016). So after an edit in
//! the middle of a file the old cuts are found again behind it, and what is appended changes the last piece only.

use crate::cancel::CancelToken;
use crate::open;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use zstd::bulk::Compressor;

/// Bytes of the smallest piece, but for the last of a file.
const SMALLEST: usize = 64 << 10;
/// Bytes of a piece on average. Larger ones compress no better; smaller ones cost more to look up.
const AVERAGE: usize = 256 << 10;
/// Bytes of the largest piece.
pub const LARGEST: usize = 1 << 20;
/// The level of zstd. Measured on transcripts, in one run: level 1 374 MB/s, to 1/4.41; level 2 328, 1/4.54; level 3 228, 1/4.75.
const LEVEL: i32 = 1;

/// A piece of a file, compressed.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub size: u64,
    /// The digest of its bytes.
    pub sha256: [u8; 32],
    /// Its bytes, compressed with zstd.
    pub data: Vec<u8>,
}

/// Cut the bytes from `begin` to `end` of a file into pieces: those that begin in the first `amount` of them.
///
/// The next call begins where the last piece ends. A file that is shorter by now gives the pieces that it has.
///
/// # Errors
/// The file cannot be read, or the work was cancelled.
pub fn cut(path: &Path, begin: u64, end: u64, amount: u64, cancel: &CancelToken) -> io::Result<Vec<Piece>> {
    let mut file = open::transcript(path)?;
    let stop = end.min(begin.saturating_add(amount));
    // What the last piece may need to find its end.
    let data = read(&mut file, begin, end.min(stop.saturating_add(LARGEST as u64)))?;
    let mut pieces = Vec::new();
    for chunk in fastcdc::v2020::FastCDC::new(&data, SMALLEST, AVERAGE, LARGEST) {
        if begin + chunk.offset as u64 >= stop {
            break;
        }
        let bytes = &data[chunk.offset..chunk.offset + chunk.length];
        pieces.push(piece(begin + chunk.offset as u64, bytes)?);
        cancel.check(bytes.len() as u64)?;
    }
    Ok(pieces)
}

/// Return the digest of the bytes from `begin` to `end` of a file; None if it has fewer.
///
/// # Errors
/// The file cannot be read.
pub fn digest(path: &Path, begin: u64, end: u64) -> io::Result<Option<[u8; 32]>> {
    let data = read(&mut open::transcript(path)?, begin, end)?;
    Ok((Some(data.len() as u64) == end.checked_sub(begin)).then(|| Sha256::digest(&data).into()))
}

/// Return the bytes of a piece that has `size` of them. `sha256` is their digest.
///
/// # Errors
/// The piece is damaged.
pub fn unpack(data: &[u8], size: usize, sha256: &[u8]) -> io::Result<Vec<u8>> {
    let bytes = zstd::bulk::decompress(data, size.min(LARGEST))?;
    if bytes.len() != size || Sha256::digest(&bytes)[..] != *sha256 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece is damaged"));
    }
    Ok(bytes)
}

fn piece(offset: u64, bytes: &[u8]) -> io::Result<Piece> {
    Ok(Piece {
        offset,
        size: bytes.len() as u64,
        sha256: Sha256::digest(bytes).into(),
        data: compress(bytes)?,
    })
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        /// Kept, because making one costs as much as compressing a small transcript.
        static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|compressor| match compressor {
        Some(compressor) => compressor.compress(bytes),
        None => compressor.insert(Compressor::new(LEVEL)?).compress(bytes),
    })
}

fn read(file: &mut File, begin: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = end.min(file.metadata()?.len()).saturating_sub(begin);
    let mut data = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.seek(SeekFrom::Start(begin))?;
    file.take(length).read_to_end(&mut data)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(path: &Path, amount: u64) -> Vec<Piece> {
        let end = path.metadata().unwrap().len();
        let mut pieces = Vec::new();
        let mut begin = 0;
        while begin < end {
            pieces.extend(cut(path, begin, end, amount, &CancelToken::never()).unwrap());
            begin = pieces.last().map_or(end, |last: &Piece| last.offset + last.size);
        }
        pieces
    }

    fn bytes_of(pieces: &[Piece]) -> Vec<u8> {
        let unpacked = pieces.iter().map(|one| unpack(&one.data, one.size as usize, &one.sha256).unwrap());
        unpacked.collect::<Vec<_>>().concat()
    }

    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let mut step = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[0]
        };
        (0..length).map(|_| step()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn pieces_join_to_the_file(length in 0_usize..3_000_000, seed in 1_u64.., amount in 1_u64..4_000_000) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.jsonl");
            let data = noise(length, seed);
            std::fs::write(&path, &data).unwrap();
            let pieces = all(&path, amount);
            prop_assert_eq!(bytes_of(&pieces), data);
            prop_assert_eq!(&pieces, &all(&path, u64::MAX));
        }

        #[test]
        fn an_edit_changes_the_pieces_around_it_only(at in 500_000_usize..1_500_000, seed in 1_u64.., more in 1_usize..99) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.jsonl");
            let mut data = noise(6_000_000, seed);
            std::fs::write(&path, &data).unwrap();
            let old: std::collections::HashSet<_> = all(&path, u64::MAX).iter().map(|one| one.sha256).collect();
            data.splice(at..at, vec![b'x'; more]);
            std::fs::write(&path, &data).unwrap();
            let new = all(&path, u64::MAX);
            let shared: u64 = new.iter().filter(|one| old.contains(&one.sha256)).map(|one| one.size).sum();
            prop_assert!(shared >= 2_000_000, "{} of {} bytes shared", shared, data.len());
        }
    }

    #[test]
    fn a_damaged_piece_is_told() {
        let whole = piece(0, b"what was said").unwrap();
        assert_eq!(unpack(&whole.data, 13, &whole.sha256).unwrap(), b"what was said");
        assert!(unpack(&whole.data, 12, &whole.sha256).is_err());
        assert!(unpack(&whole.data, 13, &[0; 32]).is_err());
        assert!(unpack(&whole.data[1..], 13, &whole.sha256).is_err());
        assert!(unpack(b"", 13, &whole.sha256).is_err());
    }

    #[test]
    fn a_file_that_is_shorter_by_now_gives_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        std::fs::write(&path, b"short").unwrap();
        let pieces = cut(&path, 0, 1 << 40, u64::MAX >> 1, &CancelToken::never());
        assert!(pieces.is_err() || bytes_of(&pieces.unwrap()) == b"short");
        assert_eq!(digest(&path, 0, 6).unwrap(), None);
        assert_eq!(digest(&path, 0, 5).unwrap(), Some(Sha256::digest(b"short").into()));
    }
}
