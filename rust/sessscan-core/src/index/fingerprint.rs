//! Check by a few pages whether the bytes of a file that were read before are still the same.

use crate::source::Opened;
use serde::{Deserialize, Serialize};
use std::io;
use xxhash_rust::xxh3::Xxh3;

const PAGE: u64 = 4096;

/// Up to this size in bytes all of a file is compared.
const WHOLE: u64 = 8 * PAGE;

/// How many pages are compared between the first one and the last bytes.
const SAMPLES: u64 = 6;

/// A digest of the first `size` bytes of a file: of the first page, the last bytes, and randomly chosen
/// pages.
///
/// A file that was rewritten in place and has grown, and that differs only in other pages, is taken for
/// unchanged. Only reading all of it would tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    size: u64,
    seed: u64,
    digest: u128,
}

impl Fingerprint {
    /// Take the fingerprint of a file's first `size` bytes. `seed` chooses the pages.
    pub(crate) fn take(opened: &Opened, size: u64, seed: u64) -> io::Result<Fingerprint> {
        let mut digest = Xxh3::with_seed(seed);
        digest.update(&size.to_le_bytes());
        let mut buffer = vec![0; if size <= WHOLE { size as usize } else { PAGE as usize }];
        if size <= WHOLE {
            fill(opened, &mut buffer, 0)?;
            digest.update(&buffer);
        } else {
            for at in page_offsets(size, seed) {
                fill(opened, &mut buffer, at)?;
                digest.update(&buffer);
            }
        }
        Ok(Fingerprint { size, seed, digest: digest.digest128() })
    }

    /// Return whether the file still begins with the same bytes.
    pub(crate) fn matches(&self, opened: &Opened) -> io::Result<bool> {
        Ok(Fingerprint::take(opened, self.size, self.seed)? == *self)
    }
}

/// Return the offsets of the pages, in file order.
fn page_offsets(size: u64, seed: u64) -> Vec<u64> {
    let pages = size / PAGE;
    let mut state = seed;
    let mut places: Vec<u64> = (0..SAMPLES)
        .map(|_| {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ mixed >> 31) % pages * PAGE
        })
        .chain([0, size - PAGE])
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn fill(opened: &Opened, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match opened.read_at(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn taken(data: &[u8], size: u64, seed: u64) -> io::Result<Fingerprint> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(data).unwrap();
        Fingerprint::take(&Opened::new(file.path()).unwrap(), size, seed)
    }

    #[test]
    fn every_byte_of_a_small_file_counts() {
        let data = vec![7; WHOLE as usize];
        let before = taken(&data, WHOLE, 1).unwrap();
        for at in (0..data.len()).step_by(997) {
            let mut other = data.clone();
            other[at] ^= 1;
            assert_ne!(taken(&other, WHOLE, 1).unwrap(), before);
        }
        assert_eq!(taken(&[&data[..], b"more"].concat(), WHOLE, 1).unwrap(), before);
        assert!(taken(&data, WHOLE + 1, 1).is_err());
    }

    #[test]
    fn the_ends_of_a_large_file_and_some_pages_between_count() {
        let size = 100 * PAGE + 17;
        let data: Vec<u8> = (0..size).map(|at| (at / 3) as u8).collect();
        let before = taken(&data, size, 5).unwrap();
        let mut seen = 0;
        for page in 0..=100 {
            let mut other = data.clone();
            let at = (page * PAGE + 16) as usize;
            other[at] ^= 1;
            let differs = taken(&other, size, 5).unwrap() != before;
            assert!(differs || (page != 0 && page < 100), "page {page}");
            seen += u64::from(differs);
        }
        assert!((3..=SAMPLES + 3).contains(&seen));
        assert_ne!(page_offsets(size, 5), page_offsets(size, 6));
    }
}
