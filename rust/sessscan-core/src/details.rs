//! Collects what later stages ask of a transcript beyond its summary: every title and directory with its
//! line, when something happened, and which records it shares with another file.
//!
//! Everything kept is bounded, whatever the file holds.

use crate::cancel::CancelToken;
use crate::event::{self, RecordType, TitleSource};
use crate::grammar::Strictness;
use crate::record::{Key, Record};
use crate::scan::scan_into;
use crate::scanner::{Scanner, Sink};
use crate::source::Source;
use crate::structure::Isa;
use crate::text;
use crate::threads;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// At most this many titles, and this many directories, are kept.
const MOST_ENTRIES: usize = 10_000;

/// At most this many spans of activity are kept.
const MOST_SPANS: usize = 4_096;

/// Times closer together than this many milliseconds are one span, as long as the spans are not too many.
const SPAN_GAP: u64 = 60_000;

/// At most this many pairs of a uuid and a session are kept.
const MOST_UUIDS: usize = 65_536;

/// Session ids beyond this many are not told apart.
const MOST_SESSIONS: usize = 255;

/// What one transcript says, in detail.
#[derive(Debug, Default)]
pub struct Details {
    /// The titles, in file order: an entry whenever the value differs from the one before of the same source.
    /// The last 10,000.
    pub titles: Vec<TitleEntry>,
    /// The working directories with their lines: an entry whenever the value differs from the one before. The
    /// first 10,000.
    pub cwds: Vec<(u64, String)>,
    /// First and last time, in epoch milliseconds, of each span in which no two neighbouring times are 60,000
    /// ms apart; sorted. That gap is doubled as soon as there are more than 4,096 spans.
    pub activity: Vec<(i64, i64)>,
    uuids: UuidSketch,
}

/// A title, as long as it stood.
#[derive(Debug, PartialEq, Eq)]
pub struct TitleEntry {
    /// The line that gave it.
    pub line: u64,
    /// The last line that gave it again, with no other title of this source between them.
    pub last_line: u64,
    /// Who gave it.
    pub source: TitleSource,
    /// The title.
    pub value: String,
    /// The last timestamp in a record before it, in file order; epoch milliseconds.
    pub after: Option<i64>,
    /// The largest timestamp in the file up to the first one that follows it, if that comes before another
    /// title of this source: from then on the title is known to have stood.
    stands_from: Option<i64>,
}

impl Details {
    /// Returns the last line that gives this title.
    pub fn title_line(&self, source: TitleSource, value: &str) -> Option<u64> {
        let same = |title: &&TitleEntry| title.source == source && title.value == value;
        self.titles.iter().filter(same).map(|title| title.last_line).max()
    }

    /// Returns the title of this source that stood before the first record later than `time`.
    ///
    /// Titles have no timestamps of their own. One after which no record of that time follows may have been
    /// given later.
    pub fn title_at(&self, source: TitleSource, time: f64) -> Option<&str> {
        let stood = |title: &&TitleEntry| {
            title.source == source && title.stands_from.is_some_and(|from| from as f64 <= time)
        };
        self.titles.iter().rev().find(stood).map(|title| &*title.value)
    }

    /// Returns how many different uuids its records have.
    pub fn uuid_count(&self) -> u64 {
        self.uuids.count()
    }

    /// Returns how many of its different uuids `other` has too.
    pub fn count_shared(&self, other: &Details) -> u64 {
        self.uuids.count_shared(&other.uuids)
    }

    /// Returns how many of its records have a uuid that `other` has too, and this session id (whatever the
    /// case of its letters), if one is given.
    pub fn count_shared_under(&self, other: &Details, session_id: Option<&str>) -> u64 {
        self.uuids.count_shared_under(&other.uuids, session_id)
    }
}

/// Scan files for their details on `threads` threads, the calling one included. The results are in the order
/// of `paths`.
///
/// Once `token` is cancelled, results are missing.
pub fn details<P: AsRef<Path> + Sync>(
    paths: &[P],
    threads: usize,
    token: &CancelToken,
) -> Vec<io::Result<Details>> {
    let mut order: Vec<usize> = (0..paths.len()).collect();
    if threads > 1 {
        // The largest first, so that no thread is left alone with a big one at the end.
        let size = |at: &usize| paths[*at].as_ref().metadata().map_or(0, |metadata| metadata.len());
        order.sort_by_cached_key(|at| Reverse(size(at)));
    }
    let scan = |at: &usize, scanner: &mut Scanner, token: &CancelToken| {
        let mut collector = Collector::default();
        scan_into(&mut Source::open(paths[*at].as_ref())?, scanner, &mut collector, token)?;
        Ok(collector.finish())
    };
    let scanner = || Scanner::new(Strictness::Structure, Isa::chosen());
    let mut done = threads::run(&order, threads, scanner, scan, token);
    done.sort_unstable_by_key(|(at, _)| **at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Takes in the records of one file.
#[derive(Default)]
struct Collector {
    titles: VecDeque<TitleEntry>,
    cwds: Vec<(u64, String)>,
    cwd: String,
    spans: Spans,
    uuids: UuidSketch,
    last_time: Option<i64>,
    largest_time: Option<i64>,
    /// The title of each source that no timestamp has followed yet, by its number among all titles.
    waiting: [Option<u64>; 2],
    titles_dropped: u64,
    scratch: Vec<u8>,
}

impl Sink for Collector {
    fn record(&mut self, record: &Record, line: u64, _offset: u64) {
        let scratch = &mut self.scratch;
        let of = RecordType::of(record, scratch);
        if let Some((value, source)) = event::title_of(record, of, scratch) {
            self.title(line, source, value);
        }
        let scratch = &mut self.scratch;
        if let Some(range) = record.string_range(Key::Cwd)
            && let Some(cwd) = text::decode(record.view().copy(range, scratch))
            && !cwd.is_empty()
            && cwd != self.cwd
        {
            self.cwd = cwd.into_owned();
            if self.cwds.len() < MOST_ENTRIES {
                self.cwds.push((line, self.cwd.clone()));
            }
        }
        if let Some(time) = event::time_of(record, scratch) {
            self.spans.add(time);
            self.last_time = Some(time);
            self.largest_time = self.largest_time.max(Some(time));
            for waiting in &mut self.waiting {
                if let Some(number) = waiting.take() {
                    self.titles[(number - self.titles_dropped) as usize].stands_from = self.largest_time;
                }
            }
        }
        self.uuids.record(record, scratch);
    }
}

impl Collector {
    fn title(&mut self, line: u64, source: TitleSource, value: String) {
        if let Some(last) = self.titles.iter_mut().rev().find(|title| title.source == source)
            && last.value == value
        {
            last.last_line = line;
            return;
        }
        if self.titles.len() == MOST_ENTRIES {
            self.titles.pop_front();
            for waiting in &mut self.waiting {
                waiting.take_if(|number| *number == self.titles_dropped);
            }
            self.titles_dropped += 1;
        }
        self.waiting[source as usize] = Some(self.titles_dropped + self.titles.len() as u64);
        let after = self.last_time;
        self.titles.push_back(TitleEntry { line, last_line: line, source, value, after, stands_from: None });
    }

    fn finish(mut self) -> Details {
        self.uuids.compact();
        self.uuids.pairs.shrink_to_fit();
        Details { titles: self.titles.into(), cwds: self.cwds, activity: self.spans.spans, uuids: self.uuids }
    }
}

/// Times, those near each other taken together.
struct Spans<const MOST: usize = MOST_SPANS> {
    /// Sorted, and at least `gap` apart.
    spans: Vec<(i64, i64)>,
    gap: u64,
}

impl<const MOST: usize> Default for Spans<MOST> {
    fn default() -> Self {
        Spans { spans: Vec::new(), gap: SPAN_GAP }
    }
}

impl<const MOST: usize> Spans<MOST> {
    fn add(&mut self, time: i64) {
        // Mostly a time is later than all before it.
        let at = match self.spans.last() {
            Some((start, _)) if *start <= time => self.spans.len(),
            _ => self.spans.partition_point(|(start, _)| *start <= time),
        };
        let (before, after) = self.spans.split_at_mut(at);
        let near = |one: i64, other: i64| one.abs_diff(other) < self.gap;
        match (before.last_mut(), after.first_mut()) {
            (Some((_, end)), _) if *end >= time => {}
            (Some((_, end)), Some((start, last))) if near(*end, time) && near(time, *start) => {
                *end = *last;
                self.spans.remove(at);
            }
            (Some((_, end)), _) if near(*end, time) => *end = time,
            (_, Some((start, _))) if near(time, *start) => *start = time,
            _ => self.spans.insert(at, (time, time)),
        }
        while self.spans.len() > MOST {
            self.gap *= 2;
            let gap = self.gap;
            self.spans.dedup_by(|later, earlier| {
                let near = earlier.1.abs_diff(later.0) < gap;
                if near {
                    earlier.1 = later.1;
                }
                near
            });
        }
    }
}

/// The uuids of a file's records as 64-bit hashes, each with the sessions whose records bear it.
///
/// Exact up to 65,536 pairs of uuid and session. Of more, only hashes whose upper `shift` bits are zero are
/// kept, as few bits as make them fit, and what is counted among them is multiplied by two to that power: the
/// error is then about one half of a per cent of the file's uuids. Two different uuids have the same hash
/// once in 2^64 pairs.
#[derive(Debug, Default)]
struct UuidSketch {
    /// Sorted and each there once, but for those that `compact` has not seen.
    pairs: Vec<Pair>,
    shift: u32,
    /// The session ids, in lower case.
    sessions: HashMap<String, u8>,
    /// The session id of the last record, as it is spelled there.
    last_session: (String, u8),
}

/// A uuid, a session, and how many records bear both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    hash: u64,
    session: u8,
    records: u32,
}

/// Stands for no session id, and for those that were too many.
const NO_SESSION: u8 = u8::MAX;

impl UuidSketch {
    fn record(&mut self, record: &Record, scratch: &mut Vec<u8>) {
        let Some(range) = record.string_range(Key::Uuid) else { return };
        let Some(uuid) = text::decode(record.view().copy(range, scratch)) else { return };
        if uuid.is_empty() {
            return;
        }
        let hash = xxh3_64(uuid.as_bytes());
        if !is_kept(hash, self.shift) {
            return;
        }
        let session = record
            .string_range(Key::SessionId)
            .and_then(|range| text::decode(record.view().copy(range, scratch)))
            .map_or(NO_SESSION, |session_id| self.session(&session_id));
        self.pairs.push(Pair { hash, session, records: 1 });
        if self.pairs.len() >= 2 * MOST_UUIDS {
            self.compact();
        }
    }

    fn session(&mut self, session_id: &str) -> u8 {
        if self.last_session.0 != session_id || self.sessions.is_empty() {
            let known = self.sessions.len();
            let name = session_id.to_lowercase();
            let number = if known < MOST_SESSIONS {
                *self.sessions.entry(name).or_insert(known as u8)
            } else {
                self.sessions.get(&name).copied().unwrap_or(NO_SESSION)
            };
            self.last_session = (session_id.to_owned(), number);
        }
        self.last_session.1
    }

    /// Sorts the pairs, joins those that are there twice, and drops some if they are too many.
    fn compact(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup_by(|later, earlier| {
            let same = (later.hash, later.session) == (earlier.hash, earlier.session);
            if same {
                earlier.records = earlier.records.saturating_add(later.records);
            }
            same
        });
        while self.pairs.len() > MOST_UUIDS {
            self.shift += 1;
            let shift = self.shift;
            self.pairs.truncate(self.pairs.partition_point(|pair| is_kept(pair.hash, shift)));
        }
    }

    fn count(&self) -> u64 {
        (self.pairs.chunk_by(|one, other| one.hash == other.hash).count() as u64) << self.shift
    }

    fn count_shared(&self, other: &UuidSketch) -> u64 {
        let (mut count, mut last) = (0, None);
        let shift = self.each_shared(other, |pair| {
            count += u64::from(last != Some(pair.hash));
            last = Some(pair.hash);
        });
        count << shift
    }

    fn count_shared_under(&self, other: &UuidSketch, session_id: Option<&str>) -> u64 {
        let session = match session_id.map(|session_id| self.sessions.get(&session_id.to_lowercase())) {
            Some(None) => return 0,
            Some(Some(session)) => Some(*session),
            None => None,
        };
        let mut count = 0;
        let shift = self.each_shared(other, |pair| {
            if session.is_none_or(|session| session == pair.session) {
                count += u64::from(pair.records);
            }
        });
        count << shift
    }

    /// Calls `found` with the pairs whose uuid `other` has too; returns by which power of two they stand for
    /// more.
    fn each_shared(&self, other: &UuidSketch, mut found: impl FnMut(&Pair)) -> u32 {
        let shift = self.shift.max(other.shift);
        let mut others = other.pairs.iter().peekable();
        for pair in self.pairs.iter().take_while(|pair| is_kept(pair.hash, shift)) {
            while others.next_if(|other| other.hash < pair.hash).is_some() {}
            if others.peek().is_some_and(|other| other.hash == pair.hash) {
                found(pair);
            }
        }
        shift
    }
}

/// Whether the upper `shift` bits are zero.
fn is_kept(hash: u64, shift: u32) -> bool {
    hash.leading_zeros() >= shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn collect(data: &str) -> Details {
        let mut collector = Collector::default();
        let mut scanner = Scanner::new(Strictness::Structure, Isa::chosen());
        scanner.feed(data.as_bytes(), &mut collector, &CancelToken::never());
        scanner.finish(&mut collector, &CancelToken::never());
        collector.finish()
    }

    proptest! {
        #[test]
        fn spans_join_neighbours_in_any_order(times in prop::collection::vec(-900_000..900_000_i64, 0..40)) {
            let mut spans: Spans<4096> = Spans::default();
            times.iter().for_each(|time| spans.add(*time));
            let mut expected: Vec<(i64, i64)> = Vec::new();
            for time in times.iter().copied().collect::<BTreeSet<_>>() {
                match expected.last_mut() {
                    Some((_, end)) if time - *end < 60_000 => *end = time,
                    _ => expected.push((time, time)),
                }
            }
            prop_assert_eq!(spans.spans, expected);
        }

        #[test]
        fn few_spans_cover_all_times(times in prop::collection::vec(any::<i64>(), 0..60)) {
            let mut spans: Spans<3> = Spans::default();
            times.iter().for_each(|time| spans.add(*time));
            prop_assert!(spans.spans.len() <= 3 && spans.spans.is_sorted());
            for time in &times {
                prop_assert!(spans.spans.iter().any(|(start, end)| (start..=end).contains(&time)));
            }
            for (start, end) in spans.spans {
                prop_assert!(times.contains(&start) && times.contains(&end));
            }
        }
    }

    #[test]
    fn many_uuids_are_estimated() {
        let file = |numbers: std::ops::Range<u32>| {
            let line = |number| {
                format!(
                    "{{\"uuid\":\"u{number}\",\"sessionId\":\"{}\"}}\n",
                    if number % 4 == 0 { "A" } else { "b" }
                )
            };
            collect(&numbers.map(line).collect::<String>())
        };
        let (small, large) = (file(0..60_000), file(30_000..430_000));
        assert_eq!(small.uuid_count(), 60_000);
        assert_eq!(small.count_shared(&small), 60_000);
        assert_eq!(small.count_shared_under(&small, Some("a")), 15_000);
        assert_eq!(small.count_shared_under(&small, None), 60_000);
        let near = |count: u64, expected: u64| {
            assert!(count.abs_diff(expected) < 400_000 / 50, "{count} instead of {expected}");
        };
        assert!(large.uuids.pairs.len() <= MOST_UUIDS);
        near(large.uuid_count(), 400_000);
        near(small.count_shared(&large), 30_000);
        near(large.count_shared(&small), 30_000);
        near(large.count_shared_under(&small, Some("B")), 22_500);
    }

    #[test]
    fn lists_are_bounded() {
        let line = |number| {
            format!(
                "{{\"type\":\"ai-title\",\"aiTitle\":\"t{number}\",\"cwd\":\"/{number}\",\"sessionId\":\"s{number}\",\"uuid\":\"u\"}}\n"
            )
        };
        let details = collect(&(1..=10_007).map(line).collect::<String>());
        assert_eq!((details.titles.len(), details.cwds.len()), (MOST_ENTRIES, MOST_ENTRIES));
        assert_eq!((details.titles[0].line, details.cwds[0].0), (8, 1));
        assert_eq!(details.uuids.pairs.len(), MOST_SESSIONS + 1);
        assert_eq!(details.uuid_count(), 1);
        assert_eq!(details.count_shared_under(&details, None), 10_007);
        assert_eq!(details.count_shared_under(&details, Some("S3")), 1);
        assert_eq!(details.title_line(TitleSource::Ai, "t10007"), Some(10_007));
        assert_eq!(details.title_at(TitleSource::Ai, 0.0), None);
    }

    #[test]
    fn many_files_in_the_order_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..20).map(|number| folder.path().join(format!("{number}.jsonl"))).collect();
        for (number, path) in paths.iter().enumerate().filter(|(number, _)| *number != 7) {
            std::fs::write(
                path,
                (0..number).map(|line| format!("{{\"uuid\":\"{line}\"}}\n")).collect::<String>(),
            )
            .unwrap();
        }
        for threads in [1, 3] {
            let found = details(&paths, threads, &CancelToken::never());
            for (number, found) in found.iter().enumerate() {
                match found {
                    Ok(details) => assert_eq!(details.uuid_count(), number as u64),
                    Err(error) => assert_eq!((number, error.kind()), (7, io::ErrorKind::NotFound)),
                }
            }
        }
    }
}
