//! Many files again: what is unchanged is not read, and of what grew only what is new.
//!
//! Where the shards are kept is the caller's affair. Whatever they hold, even if it is lost or damaged, the answers are
//! those of a full scan.

mod fingerprint;
mod resume;
mod shard;
mod stamp;

use crate::builder::TranscriptBuilder;
use crate::cancel::CancelToken;
use crate::grammar::Strictness;
use crate::parallel::{SPLIT_FROM, ranges};
use crate::scan::session_id_of;
use crate::scanner::Scanner;
use crate::structure::Isa;
use crate::threads;
use crate::transcript::Transcript;
use resume::{At, Known, Lines, Scanned};
use shard::{Entry, Kept, SHARDS, State, shard_of};
use stamp::Stamp;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// After so many days it is noted that a file was asked for.
const NOTED: u32 = 7;

/// One scan of many files, of which some may be known.
///
/// It is told what the shards hold that it asks for, then scans, then says what is to be kept.
pub struct Rescan {
    strictness: Strictness,
    files: Vec<File>,
    /// By shard, which files may be in it.
    by_shard: Vec<Vec<u32>>,
    /// By shard, what is new.
    kept: Vec<Vec<Kept>>,
    /// Keys that are to be noted as asked for.
    used: HashSet<u128>,
    today: u32,
}

struct File {
    path: PathBuf,
    key: u128,
    /// None: it is to be scanned whole, and fails or not.
    stamp: Option<Stamp>,
    found: Found,
}

enum Found {
    Nothing,
    Answer(Box<Transcript>),
    /// It is the same file with the same times, which do not mean enough there.
    Unproven(Box<Entry>),
    /// It has grown.
    Grown,
    Known(Known),
}

impl Rescan {
    /// How many shards there are, from 0 on.
    pub const SHARDS: usize = SHARDS;

    /// Looks at the files. An error of kind `Interrupted` means that `token` was cancelled.
    pub fn new(paths: Vec<PathBuf>, strictness: Strictness, token: &CancelToken) -> io::Result<Rescan> {
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
        let today = (stamp::now().0 / 86_400) as u32;
        let kept = std::iter::repeat_with(Vec::new).take(SHARDS).collect();
        Ok(Rescan { strictness, files, by_shard, kept, used: HashSet::new(), today })
    }

    /// The shards whose entries it should know.
    pub fn shards(&self) -> Vec<usize> {
        (0..SHARDS).filter(|shard| !self.by_shard[*shard].is_empty()).collect()
    }

    /// These are the entries of a shard.
    pub fn know(&mut self, shard: usize, entries: &[u8]) {
        let mut entries: HashMap<u128, Entry> =
            shard::decode(entries).into_iter().map(|entry: Entry| (entry.key, entry)).collect();
        // Of the devices that its files are on, usually one.
        let mut trusted = HashMap::new();
        for number in &self.by_shard[shard] {
            let file = &mut self.files[*number as usize];
            let Some(stamp) = &file.stamp else { continue };
            let Some(entry) = entries.remove(&file.key) else { continue };
            let is_same = entry.stamp == *stamp && entry.settled;
            if is_same && entry.seen + NOTED < self.today {
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

    /// The shards whose states it should know.
    pub fn shards_of_states(&self) -> Vec<usize> {
        let wants = |file: &&File| matches!(file.found, Found::Grown | Found::Unproven(_));
        let shards: BTreeSet<usize> =
            self.files.iter().filter(wants).map(|file| shard_of(file.key)).collect();
        shards.into_iter().collect()
    }

    /// These are the states of a shard.
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

    /// How many bytes are to be read, about.
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

    /// Scans what is not known, as `scan_many` does. The results are in the order of the paths.
    ///
    /// Once `token` is cancelled, results are errors, and nothing is to be kept.
    pub fn scan(&mut self, threads: usize, token: &CancelToken) -> Vec<(PathBuf, io::Result<Transcript>)> {
        let files = std::mem::take(&mut self.files);
        let mut pieces = Vec::new();
        for (number, file) in files.iter().enumerate() {
            file.cut(number, threads, &mut pieces);
        }
        // The largest first, so that no thread is left alone with a big one at the end.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.size));

        let how = How { strictness: self.strictness, today: self.today, random: RandomState::new() };
        let scanner = || Scanner::new(how.strictness, Isa::chosen());
        let scan = |piece: &Piece, scanner: &mut Scanner, token: &CancelToken| -> io::Result<Done> {
            let file = &files[piece.file];
            let Some((at, range)) = &piece.range else {
                let known = if let Found::Known(known) = &file.found { known } else { &Known::Nothing };
                return resume::scan(&file.path, known, &how, scanner, token)
                    .map(|done| Done::Whole(Box::new(done)));
            };
            let builder = TranscriptBuilder::new(session_id_of(&file.path));
            Lines::read(&at.opened, range.clone(), 1, builder, scanner, token)
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
                (_, Some(parts)) => Some(join(&file.path, parts, &how, &mut scanner, token)),
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

    /// The shards that are to be written, once all is scanned.
    pub fn changed(&self) -> Vec<usize> {
        let new = (0..SHARDS).filter(|shard| !self.kept[*shard].is_empty());
        new.chain(self.used.iter().map(|key| shard_of(*key)))
            .collect::<BTreeSet<usize>>()
            .into_iter()
            .collect()
    }

    /// A shard as it should be, the entries and the states, where it is that by now: another process may have
    /// written to it. What is new is handed out once.
    pub fn merge(&mut self, shard: usize, entries: &[u8], states: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let kept = std::mem::take(&mut self.kept[shard]);
        shard::merge(entries, states, kept, &self.used, self.today)
    }
}

impl File {
    /// The pieces in which it is scanned.
    fn cut(&self, number: usize, threads: usize, pieces: &mut Vec<Piece>) {
        let size = self.stamp.map_or(0, |stamp| stamp.size);
        let whole = Piece { file: number, size, range: None };
        match &self.found {
            Found::Answer(_) => {}
            Found::Known(Known::Less(state)) => {
                pieces.push(Piece { size: size.saturating_sub(state.offset), ..whole })
            }
            Found::Known(Known::Same(..)) => pieces.push(Piece { size: 0, ..whole }),
            _ if threads > 1 && size >= SPLIT_FROM => {
                // What cannot be opened now is told when it is scanned whole.
                match At::open(&self.path).and_then(|at| Ok((ranges(&at.opened)?, at))) {
                    Ok((ranges, at)) if !ranges.is_empty() => {
                        pieces.extend(ranges.into_iter().map(|range| Piece {
                            file: number,
                            size: range.end - range.start,
                            range: Some((at.clone(), range)),
                        }))
                    }
                    _ => pieces.push(whole),
                }
            }
            _ => pieces.push(whole),
        }
    }
}

/// What one thread scans at a time.
struct Piece {
    file: usize,
    size: u64,
    /// None: all of the file that is not known.
    range: Option<(At, Range<u64>)>,
}

enum Done {
    Whole(Box<Scanned>),
    Part(Box<Lines>),
}

/// Joins what was found in the parts of a file, by where they begin.
fn join(
    path: &Path,
    mut parts: Vec<(&Piece, io::Result<Done>)>,
    how: &How,
    scanner: &mut Scanner,
    token: &CancelToken,
) -> io::Result<Scanned> {
    parts.sort_by_key(|(piece, _)| piece.range.as_ref().map_or(0, |(_, range)| range.start));
    let at = parts.first().and_then(|(piece, _)| piece.range.as_ref()).map(|(at, _)| at.clone());
    let mut joined: Option<Lines> = None;
    for (_, part) in parts {
        match part? {
            Done::Whole(scanned) => return Ok(*scanned),
            Done::Part(more) => match &mut joined {
                None => joined = Some(*more),
                Some(lines) => lines.append(*more),
            },
        }
    }
    if let (Some(at), Some(lines)) = (at, joined)
        && at.stands()
        && let Some(scanned) = lines.finish(path, &at, how, scanner, token)?
        && at.stands()
    {
        return Ok(scanned);
    }
    resume::scan(path, &Known::Nothing, how, scanner, token)
}

/// What all files of one scan have in common.
struct How {
    strictness: Strictness,
    today: u32,
    random: RandomState,
}

impl How {
    fn key(&self, path: &Path, stamp: &Stamp) -> u128 {
        key(path, stamp, self.strictness)
    }

    /// A number that nobody can foresee.
    fn seed(&self) -> u64 {
        self.random.hash_one(stamp::now())
    }
}

/// What a file is known by, whatever its folder is called: itself, how it is read, and its stem, which names the
/// session. Where files have no numbers, its path.
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
