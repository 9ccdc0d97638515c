//! Scan many files of which some are known: unchanged files are not read, and of grown files only what is
//! new.
//!
//! The caller keeps the shards. Whatever they hold, the results are those of a full scan.

mod fingerprint;
mod resume;
mod shard;
mod stamp;
#[cfg(test)]
mod tests;

use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::parallel::{SPLIT_FROM, ranges};
use crate::scan::session_id_of;
use crate::scanner::Scanner;
use crate::structure::Isa;
use crate::threads;
use crate::transcript::Transcript;
use resume::{Known, OpenedFile, Scanned, ScannedLines};
use shard::{Entry, Kept, SHARDS, State, shard_of};
use stamp::{Boot, Stamp, Time};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// The day of a file's last scan is updated if it is more than this many days ago.
const NOTED: u32 = 7;

/// One scan of many files of which some may be known.
///
/// It asks for shards, scans, and then returns the shards that are to be written.
pub struct Rescan {
    strictness: Strictness,
    files: Vec<File>,
    /// By shard, the files that may be in it.
    by_shard: Vec<Vec<u32>>,
    /// By shard, what is new.
    kept: Vec<Vec<Kept>>,
    /// The keys whose day of the last scan is to be updated.
    used: HashSet<u128>,
    boot: Boot,
    /// When the scan began.
    now: Time,
}

struct File {
    path: PathBuf,
    key: u128,
    /// None: it is empty or no file, so it is scanned whole.
    stamp: Option<Stamp>,
    found: Found,
}

enum Found {
    Nothing,
    Answer(Box<Transcript>),
    /// It has the same stamp, but is on a file system whose times are not reliable.
    Unproven(Box<Entry>),
    /// It has grown.
    Grown,
    Known(Known),
}

impl Rescan {
    /// Options many shards there are, from 0 on.
    pub const SHARDS: usize = SHARDS;

    /// Stat the files. An error of kind `Interrupted` means that `token` was cancelled.
    ///
    /// `boot` names the run of the system since it was started, differently each time; empty: it is not known.
    /// What another boot may have kept in memory only is read again.
    pub fn new(
        paths: Vec<PathBuf>,
        strictness: Strictness,
        boot: &str,
        token: &CancelToken,
    ) -> io::Result<Rescan> {
        let now = stamp::now();
        let mut by_shard: Vec<Vec<u32>> = vec![Vec::new(); SHARDS];
        let mut files = Vec::with_capacity(paths.len());
        for (number, path) in paths.into_iter().enumerate() {
            if number % 64 == 0 && token.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let metadata = path.metadata().ok();
            let stamp = metadata.filter(|is| is.is_file() && is.len() > 0).map(|is| Stamp::of(&is));
            let key = stamp.map_or(0, |stamp| key(&path, &stamp, strictness));
            if stamp.is_some() {
                by_shard[shard_of(key)].push(number as u32);
            }
            files.push(File { path, key, stamp, found: Found::Nothing });
        }
        let kept = std::iter::repeat_with(Vec::new).take(SHARDS).collect();
        let boot = Boot::named(boot);
        Ok(Rescan { strictness, files, by_shard, kept, used: HashSet::new(), boot, now })
    }

    /// Return the shards whose entries are to be given to `know`.
    pub fn shards(&self) -> Vec<usize> {
        (0..SHARDS).filter(|shard| !self.by_shard[*shard].is_empty()).collect()
    }

    /// Take the entries of a shard.
    pub fn know(&mut self, shard: usize, entries: &[u8]) {
        let mut entries: HashMap<u128, Entry> =
            shard::decode(entries).into_iter().map(|entry: Entry| (entry.key, entry)).collect();
        // By device; there is usually one.
        let mut trusted = HashMap::new();
        let today = day(self.now);
        for number in &self.by_shard[shard] {
            let file = &mut self.files[*number as usize];
            let Some(stamp) = &file.stamp else { continue };
            let Some(entry) = entries.remove(&file.key) else { continue };
            if entry.cached_in.is_some_and(|boot| !boot.is(self.boot)) {
                continue;
            }
            let is_same = entry.stamp == *stamp && entry.conclusive;
            if is_same && entry.seen + NOTED < today {
                self.used.insert(file.key);
            }
            file.found = if is_same {
                let device = stamp.device();
                if *trusted.entry(device).or_insert_with(|| stamp::keeps_times(&file.path)) {
                    Found::Answer(Box::new(entry.transcript))
                } else {
                    Found::Unproven(Box::new(entry))
                }
            } else if entry.stamp.is_same_file(stamp) && entry.stamp.size < stamp.size {
                Found::Grown
            } else {
                Found::Nothing
            };
        }
    }

    /// Return the shards whose states are to be given to `know_states`.
    pub fn shards_of_states(&self) -> Vec<usize> {
        let wants = |file: &&File| matches!(file.found, Found::Grown | Found::Unproven(_));
        let shards: BTreeSet<usize> =
            self.files.iter().filter(wants).map(|file| shard_of(file.key)).collect();
        shards.into_iter().collect()
    }

    /// Take the states of a shard.
    pub fn know_states(&mut self, shard: usize, states: &[u8]) {
        let mut states: HashMap<u128, State> =
            shard::decode(states).into_iter().map(|state: State| (state.key, state)).collect();
        for number in &self.by_shard[shard] {
            let file = &mut self.files[*number as usize];
            let found = std::mem::replace(&mut file.found, Found::Nothing);
            file.found = match found {
                Found::Grown => match states.remove(&file.key) {
                    Some(state) => Found::Known(Known::Less(Box::new(state))),
                    None => Found::Nothing,
                },
                Found::Unproven(entry) => match states.remove(&file.key) {
                    Some(state) if state.stamp == entry.stamp => {
                        Found::Known(Known::Same(entry, state.fingerprint))
                    }
                    _ => Found::Nothing,
                },
                other => other,
            };
        }
    }

    /// Return how many bytes are to be read, roughly.
    pub fn unread(&self) -> u64 {
        let unread = |file: &File| {
            let size = file.stamp.map_or(0, |stamp| stamp.size);
            match &file.found {
                Found::Answer(_) | Found::Known(Known::Same(..)) => 0,
                Found::Known(Known::Less(state)) => size.saturating_sub(state.offset),
                _ => size,
            }
        };
        self.files.iter().map(unread).sum()
    }

    /// Scan what is not known, as `scan_many` does. The results are in the order of the paths.
    ///
    /// Once `token` is cancelled, some results are errors, and nothing is to be kept.
    pub fn scan(&mut self, threads: usize, token: &CancelToken) -> Vec<(PathBuf, io::Result<Transcript>)> {
        let files = std::mem::take(&mut self.files);
        let mut pieces = Vec::new();
        for (number, file) in files.iter().enumerate() {
            file.cut(number, threads, &mut pieces, token);
        }
        // The largest first, so that no thread is left alone with a big one at the end.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.size));

        let (strictness, boot, now) = (self.strictness, self.boot, self.now);
        let options = Options { strictness, boot, now, random: RandomState::new() };
        let scanner = || Scanner::new(options.strictness, Isa::chosen());
        let scan = |piece: &Piece, scanner: &mut Scanner, token: &CancelToken| -> io::Result<Done> {
            let file = &files[piece.file];
            let Some((opened, range)) = &piece.range else {
                let known = if let Found::Known(known) = &file.found { known } else { &Known::Nothing };
                return resume::scan(&file.path, known, &options, scanner, token)
                    .map(|done| Done::Whole(Box::new(done)));
            };
            let builder = TranscriptBuilder::new(session_id_of(&file.path));
            ScannedLines::read(&opened.opened, range.clone(), 1, builder, scanner, token)
                .map(|done| Done::Part(Box::new(done)))
        };
        let mut done: HashMap<usize, Vec<(&Piece, io::Result<Done>)>> = HashMap::new();
        for (piece, result) in threads::run(&pieces, threads, scanner, scan, token) {
            done.entry(piece.file).or_default().push((piece, result));
        }
        let mut scanner = scanner();
        let mut results = Vec::with_capacity(files.len());
        for (number, file) in files.iter().enumerate() {
            let result = match (&file.found, done.remove(&number)) {
                (Found::Answer(_), _) => None,
                (_, None) => Some(Err(io::ErrorKind::Interrupted.into())),
                (_, Some(parts)) => Some(join(&file.path, parts, &options, &mut scanner, token)),
            };
            results.push(result.map(|result| {
                let Scanned { transcript, kept } = result?;
                if let Some(kept) = kept {
                    self.kept[shard_of(kept.entry.key)].push(kept);
                }
                Ok(transcript)
            }));
        }
        drop(pieces);
        let answer = |(file, result): (File, Option<io::Result<Transcript>>)| match (file.found, result) {
            (Found::Answer(transcript), _) => (file.path, Ok(*transcript)),
            (_, result) => (file.path, result.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))),
        };
        files.into_iter().zip(results).map(answer).collect()
    }

    /// Return the shards that are to be written once all is scanned.
    pub fn changed(&self) -> Vec<usize> {
        let new = (0..SHARDS).filter(|shard| !self.kept[*shard].is_empty());
        new.chain(self.used.iter().map(|key| shard_of(*key)))
            .collect::<BTreeSet<usize>>()
            .into_iter()
            .collect()
    }

    /// Return a shard's new entries and states, from those that it has now: another process may have written
    /// it meanwhile. To be called once for each shard.
    pub fn merge(&mut self, shard: usize, entries: &[u8], states: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let kept = std::mem::take(&mut self.kept[shard]);
        shard::merge(entries, states, kept, &self.used, day(self.now))
    }
}

impl File {
    /// Append the pieces in which the file is scanned.
    fn cut(&self, number: usize, threads: usize, pieces: &mut Vec<Piece>, token: &CancelToken) {
        let size = self.stamp.map_or(0, |stamp| stamp.size);
        let whole = Piece { file: number, size, range: None };
        match &self.found {
            Found::Answer(_) => {}
            Found::Known(Known::Less(state)) => {
                pieces.push(Piece { size: size.saturating_sub(state.offset), ..whole })
            }
            Found::Known(Known::Same(..)) => pieces.push(Piece { size: 0, ..whole }),
            _ if threads > 1 && size >= SPLIT_FROM => {
                // A file that cannot be opened now is scanned whole, which gives the error.
                match OpenedFile::open(&self.path)
                    .and_then(|opened| Ok((ranges(&opened.opened, token)?, opened)))
                {
                    Ok((ranges, opened)) if !ranges.is_empty() => {
                        pieces.extend(ranges.into_iter().map(|range| Piece {
                            file: number,
                            size: range.end - range.start,
                            range: Some((opened.clone(), range)),
                        }))
                    }
                    _ => pieces.push(whole),
                }
            }
            _ => pieces.push(whole),
        }
    }
}

/// What a thread scans at a time.
struct Piece {
    file: usize,
    size: u64,
    /// The opened file and the range in it; None: all of the file that is not known.
    range: Option<(OpenedFile, Range<u64>)>,
}

enum Done {
    Whole(Box<Scanned>),
    Part(Box<ScannedLines>),
}

/// Join what was found in the parts of a file, in file order.
fn join(
    path: &Path,
    mut parts: Vec<(&Piece, io::Result<Done>)>,
    options: &Options,
    scanner: &mut Scanner,
    token: &CancelToken,
) -> io::Result<Scanned> {
    parts.sort_by_key(|(piece, _)| piece.range.as_ref().map_or(0, |(_, range)| range.start));
    let opened = parts.first().and_then(|(piece, _)| piece.range.as_ref()).map(|(opened, _)| opened.clone());
    let mut joined: Option<ScannedLines> = None;
    for (_, part) in parts {
        match part? {
            Done::Whole(scanned) => return Ok(*scanned),
            Done::Part(more) => match &mut joined {
                None => joined = Some(*more),
                Some(lines) => lines.append(*more),
            },
        }
    }
    if let (Some(opened), Some(lines)) = (opened, joined)
        && opened.is_unchanged()
        && let Some(scanned) = lines.finish(path, &opened, options, scanner, token)?
        && opened.is_unchanged()
    {
        return Ok(scanned);
    }
    resume::scan(path, &Known::Nothing, options, scanner, token)
}

/// What all files of one scan have in common.
struct Options {
    strictness: Strictness,
    boot: Boot,
    now: Time,
    random: RandomState,
}

impl Options {
    fn key(&self, path: &Path, stamp: &Stamp) -> u128 {
        key(path, stamp, self.strictness)
    }

    fn today(&self) -> u32 {
        day(self.now)
    }

    /// Return a random number.
    fn seed(&self) -> u64 {
        self.random.hash_one(stamp::now())
    }
}

fn day(time: Time) -> u32 {
    (time.0 / 86_400) as u32
}

/// Return the key of a file: its device and inode, how it is read, and its stem, which is the session's id.
/// So it is known even if its folder is renamed. Where files have no numbers the path takes their place.
fn key(path: &Path, stamp: &Stamp, strictness: Strictness) -> u128 {
    let mut digest = Xxh3::new();
    let (device, inode) = stamp.file();
    digest.update(&device.to_le_bytes());
    digest.update(&inode.to_le_bytes());
    digest.update(&[strictness as u8]);
    if (device, inode) == (0, 0) {
        let absolute = std::path::absolute(path);
        digest.update(absolute.as_deref().unwrap_or(path).as_os_str().as_encoded_bytes());
    } else {
        digest.update(path.file_stem().unwrap_or_default().as_encoded_bytes());
    }
    digest.digest128()
}
