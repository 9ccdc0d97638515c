//! A scan of bytes as they come, which can be put away and taken up again.

use crate::grammar::Strictness;
use crate::scanner::Scanner;
use crate::structure::Isa;
use crate::transcript::{Transcript, TranscriptBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Takes in a transcript in pieces that may be cut anywhere.
///
/// Memory does not grow with what was fed, but by the longest line, and by 16 bytes for each record with a uuid: an
/// old `summary` may name any of them.
pub struct Stream {
    scanner: Scanner,
    builder: TranscriptBuilder,
}

/// What is put away.
#[derive(Serialize, Deserialize)]
struct State<F, B> {
    strictness: Strictness,
    offset: u64,
    line: u64,
    partial: B,
    gaps: Vec<(usize, u64)>,
    builder: F,
}

/// Why a state cannot be taken up again.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateError {
    /// It is none.
    #[error("this is no saved state of a scanner")]
    Foreign,
    /// It is of a version that this one does not know.
    #[error("this saved state is of version {0}, which this sessscan does not know: scan anew")]
    Version(u8),
    /// It was changed or cut.
    #[error("this saved state is damaged: scan anew")]
    Damaged,
}

/// What a state begins with; a byte with its version and a digest of the rest follow.
const MAGIC: &[u8] = b"sessscan-state";
const VERSION: u8 = 2;

/// What is put away of something: what it is, its version, a digest of the rest, the rest.
pub(crate) fn seal(magic: &[u8], version: u8, body: &[u8]) -> Vec<u8> {
    [magic, &[version], &Sha256::digest(body)[..], body].concat()
}

/// The rest, if it is that, of this version, and whole.
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
    /// A scan of a session's transcript from its first byte on.
    pub fn new(session_id: Option<String>, strictness: Strictness) -> Stream {
        Stream {
            scanner: Scanner::new(strictness, Isa::chosen()),
            builder: TranscriptBuilder::once(session_id),
        }
    }

    /// Takes in more bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes, &mut self.builder);
    }

    /// How many bytes were taken in.
    pub fn size(&self) -> u64 {
        self.scanner.position().0 + self.scanner.pending()
    }

    /// What all of it says.
    pub fn finish(mut self) -> Transcript {
        let end = self.scanner.finish(&mut self.builder);
        self.builder.finish(end.offset)
    }

    /// All that must be known to go on later.
    pub fn state(&self) -> Vec<u8> {
        let (offset, line, partial, gaps) = self.scanner.position();
        let strictness = self.scanner.strictness();
        let state = State { strictness, offset, line, partial, gaps: gaps.to_vec(), builder: &self.builder };
        seal(MAGIC, VERSION, &postcard::to_stdvec(&state).expect("nothing in it that cannot be written"))
    }

    /// Goes on from a state that was put away.
    pub fn restore(state: &[u8]) -> Result<Stream, StateError> {
        let body = unseal(MAGIC, VERSION, state)?;
        let state: State<TranscriptBuilder, Vec<u8>> =
            postcard::from_bytes(body).map_err(|_| StateError::Damaged)?;
        let mut scanner = Scanner::new(state.strictness, Isa::chosen());
        scanner.restart(state.offset, state.line);
        scanner.refill(&state.partial, state.gaps);
        Ok(Stream { scanner, builder: state.builder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: &[&str] = &[
        "\u{feff}{\"type\":\"summary\",\"summary\":\"S\",\"leafUuid\":\"late\"}\n",
        "{\"parentUuid\":null,\"uuid\":\"late\",\"cwd\":\"/\u{e9}\",\"timestamp\":\"2026-01-01T00:00:00Z\"}\r\n",
        "{\"type\":\"summary\",\"summary\":\"T\",\"leafUuid\":\"01234567-89ab-cdef-0123-456789abcdef\"}\n",
        "{\"parentUuid\":null,\"uuid\":\"01234567-89ab-cdef-0123-456789abcdef\",\"type\":\"x\\\"\\\\\"}\n",
        "\0\0\0\n\n",
        "{\"type\":\"user\",\"message\":{\"content\":\"hello\"}}{\"type\":\"custom-title\",\"customTitle\":\"C\"}\n",
        "{\"type\":\"assistant\",\"message\":{\"model\":\"m\"},\"sessionId\":\"s\",\"timestamp\":\"2026-01-02T00:00:00.5Z\"}\n",
        "{\"type\":\"ai-ti{\"type\":\"ai-title\",\"aiTitle\":\"A\"}\n",
        "{\"type\":\"torn",
    ];

    proptest! {
        #[test]
        fn fed_in_pieces_and_put_away_between(
            picks in prop::collection::vec(0..LINES.len(), 0..12),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
            full in any::<bool>(),
        ) {
            let strictness = if full { Strictness::Full } else { Strictness::Structure };
            let data = picks.into_iter().map(|line| LINES[line]).collect::<String>().into_bytes();
            let mut cuts: Vec<(usize, bool)> = cuts.into_iter().map(|(at, away)| (at.index(data.len() + 1), away)).collect();
            cuts.sort_unstable();
            let mut stream = Stream::new(Some("s".into()), strictness);
            let mut from = 0;
            for (at, away) in cuts {
                stream.feed(&data[from..at]);
                prop_assert_eq!(stream.size(), at as u64);
                from = at;
                if away {
                    stream = Stream::restore(&stream.state()).unwrap();
                }
            }
            stream.feed(&data[from..]);
            prop_assert_eq!(stream.finish(), crate::scan_bytes(&data, Some("s".into()), strictness));
        }

        #[test]
        fn what_is_no_state_is_refused(state in prop::collection::vec(any::<u8>(), 0..80), at in any::<prop::sample::Index>()) {
            prop_assert_eq!(Stream::restore(&state).err(), Some(StateError::Foreign));
            let mut ours = Stream::new(None, Strictness::Structure).state();
            let at = at.index(ours.len());
            ours[at] ^= 1;
            prop_assert!(Stream::restore(&ours).is_err());
            prop_assert!(Stream::restore(&ours[..at]).is_err());
        }
    }
}
