//! Scan bytes as they come, and save the scan's state to go on later.

use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::scanner::{Encoding, Scanner};
use crate::structure::Isa;
use crate::transcript::Transcript;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A scan of a transcript that comes in pieces, which may be cut anywhere.
///
/// Its memory grows with the longest line and by 16 bytes for each record with a uuid, since an old `summary`
/// may name any of them, but not with the bytes fed.
pub struct Stream {
    scanner: Scanner,
    builder: TranscriptBuilder,
}

/// The state that is saved.
#[derive(Serialize, Deserialize)]
struct State<F, B> {
    strictness: Strictness,
    encoding: Encoding,
    offset: u64,
    line: u64,
    partial: B,
    gaps: Vec<(usize, u64)>,
    builder: F,
}

/// The reason why a saved state cannot be restored.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateError {
    /// The bytes are no saved state.
    #[error("this is no saved state of a scanner")]
    Foreign,
    /// The state has a version that this sessscan does not know.
    #[error("this saved state has version {0}, which this sessscan does not know: scan anew")]
    Version(u8),
    /// The state was changed or cut.
    #[error("this saved state is damaged: scan anew")]
    Damaged,
}

/// The first bytes of a saved state. A byte with the version and a digest of the rest follow.
const MAGIC: &[u8] = b"sessscan-state";
const VERSION: u8 = 4;

/// Return saved bytes: a magic number, a version, a digest of the body, and the body.
pub(crate) fn seal(magic: &[u8], version: u8, body: &[u8]) -> Vec<u8> {
    [magic, &[version], &Sha256::digest(body)[..], body].concat()
}

/// Return the body of saved bytes, if they have this magic number and version and the digest is right.
pub(crate) fn unseal<'a>(magic: &[u8], version: u8, sealed: &'a [u8]) -> Result<&'a [u8], StateError> {
    let rest = sealed.strip_prefix(magic).ok_or(StateError::Foreign)?;
    let (found, rest) = rest.split_first().ok_or(StateError::Damaged)?;
    if *found != version {
        return Err(StateError::Version(*found));
    }
    let (digest, body) = rest.split_at_checked(32).ok_or(StateError::Damaged)?;
    if digest != &Sha256::digest(body)[..] {
        return Err(StateError::Damaged);
    }
    Ok(body)
}

impl Stream {
    /// Begin a scan at a transcript's first byte.
    pub fn new(session_id: Option<String>, strictness: Strictness) -> Stream {
        Stream {
            scanner: Scanner::new(strictness, Isa::chosen()),
            builder: TranscriptBuilder::for_one_pass(session_id),
        }
    }

    /// Scan more bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes, &mut self.builder, &CancelToken::never());
    }

    /// Return how many bytes were fed.
    pub fn size(&self) -> u64 {
        self.scanner.size()
    }

    /// Return what the transcript says, once all bytes were fed.
    pub fn finish(mut self) -> Transcript {
        let end = self.scanner.finish(&mut self.builder, &CancelToken::never());
        self.builder.finish(end.offset)
    }

    /// Return the state from which the scan can go on later.
    pub fn state(&self) -> Vec<u8> {
        let (offset, line, partial, gaps) = self.scanner.position();
        let state = State {
            strictness: self.scanner.strictness(),
            encoding: self.scanner.encoding().clone(),
            offset,
            line,
            partial,
            gaps: gaps.to_vec(),
            builder: &self.builder,
        };
        seal(MAGIC, VERSION, &postcard::to_stdvec(&state).expect("all parts of a state can be serialized"))
    }

    /// Go on from a saved state.
    pub fn restore(state: &[u8]) -> Result<Stream, StateError> {
        let body = unseal(MAGIC, VERSION, state)?;
        let state: State<TranscriptBuilder, Vec<u8>> =
            postcard::from_bytes(body).map_err(|_| StateError::Damaged)?;
        let mut scanner = Scanner::new(state.strictness, Isa::chosen());
        scanner.restart(state.offset, state.line);
        scanner.refill(state.encoding, &state.partial, state.gaps);
        Ok(Stream { scanner, builder: state.builder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: &[&str] = &[
        "\u{feff}{\"type\":\"summary\",\"summary\":\"S\",\"leafUuid\":\"late\"}\n",
        concat!(
            "{\"parentUuid\":null,\"uuid\":\"late\",\"cwd\":\"/\u{e9}\",",
            "\"timestamp\":\"2026-01-01T00:00:00Z\"}\r\n"
        ),
        "{\"type\":\"summary\",\"summary\":\"T\",\"leafUuid\":\"01234567-89ab-cdef-0123-456789abcdef\"}\n",
        "{\"parentUuid\":null,\"uuid\":\"01234567-89ab-cdef-0123-456789abcdef\",\"type\":\"x\\\"\\\\\"}\n",
        "\0\0\0\n\n",
        concat!(
            "{\"type\":\"user\",\"message\":{\"content\":\"hello\"}}",
            "{\"type\":\"custom-title\",\"customTitle\":\"C\"}\n"
        ),
        concat!(
            "{\"type\":\"assistant\",\"message\":{\"model\":\"m\"},\"sessionId\":\"s\",",
            "\"timestamp\":\"2026-01-02T00:00:00.5Z\"}\n"
        ),
        "{\"type\":\"ai-ti{\"type\":\"ai-title\",\"aiTitle\":\"A\"}\n",
        "{\"type\":\"torn",
    ];

    proptest! {
        #[test]
        fn feeding_in_pieces_with_saved_states_between_equals_one_scan(
            picks in prop::collection::vec(0..LINES.len(), 0..12),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
            full in any::<bool>(),
            utf16 in prop::sample::select(vec!["", "", "little", "big", "marked"]),
        ) {
            let strictness = if full { Strictness::Full } else { Strictness::Structure };
            let text: String = picks.into_iter().map(|line| LINES[line]).collect();
            let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
            let data: Vec<u8> = match utf16 {
                "little" => units(u16::to_le_bytes),
                "big" => units(u16::to_be_bytes),
                "marked" => [b"\xff\xfe".to_vec(), units(u16::to_le_bytes)].concat(),
                _ => text.into_bytes(),
            };
            let mut cuts: Vec<(usize, bool)> =
                cuts.into_iter().map(|(at, saved)| (at.index(data.len() + 1), saved)).collect();
            cuts.sort_unstable();
            let mut stream = Stream::new(Some("s".into()), strictness);
            let mut from = 0;
            for (at, saved) in cuts {
                stream.feed(&data[from..at]);
                prop_assert_eq!(stream.size(), at as u64);
                from = at;
                if saved {
                    stream = Stream::restore(&stream.state()).unwrap();
                }
            }
            stream.feed(&data[from..]);
            prop_assert_eq!(stream.finish(), crate::scan_bytes(&data, Some("s".into()), strictness));
        }

        #[test]
        fn bytes_that_are_no_whole_state_are_refused(
            state in prop::collection::vec(any::<u8>(), 0..80),
            at in any::<prop::sample::Index>(),
        ) {
            prop_assert_eq!(Stream::restore(&state).err(), Some(StateError::Foreign));
            let mut ours = Stream::new(None, Strictness::Structure).state();
            let at = at.index(ours.len());
            ours[at] ^= 1;
            prop_assert!(Stream::restore(&ours).is_err());
            prop_assert!(Stream::restore(&ours[..at]).is_err());
        }
    }
}
