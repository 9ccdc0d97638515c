//! Where the bytes of a scan come from: a file that is mapped, one that is read, or memory. The only mmap.

#[cfg(unix)]
use crate::bytes::Region;
#[cfg(unix)]
use crate::bytes::View;
use crate::open;
use crate::record::{Record, RecordBytes};
use crate::scanner::{End, Scanner, Sink};
#[cfg(unix)]
use crate::sigbus::Guard;
use crate::transcript::Defect;
use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io;
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::path::Path;
#[cfg(unix)]
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Called now and then with the bytes read since the last call; to break is to cancel the scan.
pub type Poll<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// Files from this size on are mapped: below it, setting up a map costs more than copying the bytes.
const MAP_FROM: u64 = 1024 * 1024;

/// How much is mapped at a time; a longer line gets a larger window.
#[cfg(unix)]
const WINDOW: usize = 8 * 1024 * 1024;

/// Windows are bounded by multiples of this, but for where a scan begins: what the system keeps of a file in
/// pieces of this size, it then maps as such.
#[cfg(unix)]
const HUGE_PAGE: u64 = 2 * 1024 * 1024;

/// How much larger the next window is where a line does not end in one: what was looked at is looked at
/// again. Where nothing is given back, a window takes as much memory as it is large.
#[cfg(unix)]
const GROWTH: usize = if cfg!(target_os = "linux") { 16 } else { 2 };

/// How many windows stay enlarged after one had to be.
#[cfg(unix)]
const PATIENCE: u32 = 8;

/// How much of memory is taken between two polls.
const MEMORY_PIECE: usize = 1024 * 1024;

/// The bytes of a scan, and how far it is.
pub(crate) enum Source<'a> {
    File(FileSource),
    Memory(&'a [u8]),
}

impl Source<'_> {
    pub(crate) fn open(path: &Path) -> io::Result<Source<'static>> {
        let opened = Opened::new(path)?;
        let whole = 0..opened.size;
        Ok(Source::range(&opened, whole))
    }

    /// The bytes of a range of a file.
    pub(crate) fn range(opened: &Opened, range: Range<u64>) -> Source<'static> {
        Source::File(FileSource {
            opened: opened.clone(),
            start: range.start,
            size: range.end,
            at: range.start,
            #[cfg(unix)]
            window: WINDOW,
            #[cfg(unix)]
            patience: 0,
            by_reading: !opened.is_for_mapping(),
            shrank: false,
        })
    }

    /// The offset of the first byte.
    pub(crate) fn start(&self) -> u64 {
        match self {
            Source::File(file) => file.start,
            Source::Memory(_) => 0,
        }
    }

    /// Back to the start, to read no further than the offset `size`: a live file may have grown meanwhile.
    pub(crate) fn rewind(&mut self, size: u64) {
        match self {
            Source::File(file) => (file.at, file.size) = (file.start, size),
            Source::Memory(_) => unreachable!("memory is read by making another one"),
        }
    }

    /// Whether the file was seen to become shorter while it was scanned: what was read is then of no one
    /// moment.
    pub(crate) fn shrank(&self) -> bool {
        matches!(self, Source::File(file) if file.shrank)
    }

    /// The offset behind the last byte, as far as the file is to be scanned.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Source::File(file) => file.size,
            Source::Memory(rest) => rest.len() as u64,
        }
    }

    /// Whether the file may have been written to since it was opened: grown, most likely, but who knows.
    pub(crate) fn changed(&self) -> bool {
        matches!(self, Source::File(file) if file.opened.changed())
    }

    /// Scans the next piece; false at the end. An error of kind `Interrupted` means that `poll` cancelled.
    pub(crate) fn advance(
        &mut self,
        scanner: &mut Scanner,
        sink: &mut impl Sink,
        poll: &mut Poll,
    ) -> io::Result<bool> {
        let asked = Asked::new(poll);
        let mut sink = Cancellable { sink, asked: &asked };
        let (count, more) = match self {
            Source::File(file) => (file.advance(scanner, &mut sink)?, file.at < file.size),
            Source::Memory(rest) => {
                let (piece, after) = rest.split_at(rest.len().min(MEMORY_PIECE));
                *rest = after;
                scanner.feed(piece, &mut sink);
                (piece.len(), !after.is_empty())
            }
        };
        if asked.is_cancelled(count as u64) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(more) }
    }
}

/// Reads what is left once `advance` came to the end: the last line, if it has no LF.
pub(crate) fn finish(scanner: &mut Scanner, sink: &mut impl Sink, poll: &mut Poll) -> io::Result<End> {
    let asked = Asked::new(poll);
    let end = scanner.finish(&mut Cancellable { sink, asked: &asked });
    if asked.is_cancelled(0) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(end) }
}

/// Who may cancel, and whether they did: it is said once.
struct Asked<'a, 'p>(RefCell<(&'a mut Poll<'p>, bool)>);

impl<'a, 'p> Asked<'a, 'p> {
    fn new(poll: &'a mut Poll<'p>) -> Asked<'a, 'p> {
        Asked(RefCell::new((poll, false)))
    }

    fn is_cancelled(&self, bytes: u64) -> bool {
        let (poll, cancelled) = &mut *self.0.borrow_mut();
        *cancelled = *cancelled || poll(bytes).is_break();
        *cancelled
    }
}

/// A sink of a scan that can be cancelled within a line.
struct Cancellable<'a, 'b, 'p, S> {
    sink: &'a mut S,
    asked: &'a Asked<'b, 'p>,
}

impl<S: Sink> Sink for Cancellable<'_, '_, '_, S> {
    fn line(&mut self) {
        self.sink.line();
    }

    fn record(&mut self, record: &Record, line: u64, offset: u64) {
        self.sink.record(record, line, offset);
    }

    fn defect(&mut self, defect: Defect) {
        self.sink.defect(defect);
    }

    fn flush(&mut self, bytes: RecordBytes) {
        self.sink.flush(bytes);
    }

    fn is_cancelled(&mut self) -> bool {
        self.asked.is_cancelled(0)
    }
}

/// A file, and what it was when it was opened. Those who scan ranges of it share it: by its name each might
/// find another.
#[derive(Clone)]
pub(crate) struct Opened {
    file: Arc<File>,
    pub(crate) size: u64,
    modified: Option<SystemTime>,
    /// It had just been written to, so that another write would not show.
    fresh: bool,
}

/// File systems stamp a write with the time of the last clock tick, which come every 10 ms at least; what is
/// written twice in one has the same time.
const TICK: Duration = Duration::from_millis(20);

impl Opened {
    pub(crate) fn new(path: &Path) -> io::Result<Opened> {
        let file = open::transcript(path)?;
        let metadata = file.metadata()?;
        let modified = metadata.modified().ok();
        // The clocks of a file system and of this machine may differ, either way.
        let age = |modified: SystemTime| modified.elapsed().unwrap_or_else(|ahead| ahead.duration());
        let fresh = modified.is_some_and(|modified| age(modified) < TICK);
        let opened = Opened { file: Arc::new(file), size: metadata.len(), modified, fresh };
        if opened.size == 0 {
            // What has no size may be no file to be read at all, as some of the system's are.
            opened.read_at(&mut [0], 0)?;
        }
        Ok(opened)
    }

    /// What the file is now.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    fn is_for_mapping(&self) -> bool {
        cfg!(unix) && self.size >= MAP_FROM
    }

    fn changed(&self) -> bool {
        let Ok(now) = self.file.metadata() else { return true };
        self.fresh || now.len() != self.size || now.modified().ok() != self.modified
    }

    /// Reads from an offset on.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&*self.file, buffer, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, offset);
    }
}

/// Reads a file from an offset on, no matter who else does.
struct ReadFrom<'a>(&'a Opened, u64);

impl Read for ReadFrom<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read_at(buffer, self.1)?;
        self.1 += count as u64;
        Ok(count)
    }
}

pub(crate) struct FileSource {
    opened: Opened,
    start: u64,
    /// Up to here the file is scanned: what there was when it was opened, or is left.
    size: u64,
    /// Where the first line begins that was not scanned yet, or the first byte that was not fed.
    at: u64,
    #[cfg(unix)]
    window: usize,
    /// For so many windows more it stays as large as it is: where there was a long line there will be others.
    #[cfg(unix)]
    patience: u32,
    /// It is small, or the line at hand is fed to the scanner in pieces.
    by_reading: bool,
    shrank: bool,
}

impl FileSource {
    fn advance<S: Sink>(&mut self, scanner: &mut Scanner, sink: &mut Cancellable<S>) -> io::Result<usize> {
        if self.by_reading || cfg!(not(unix)) {
            return self.read(scanner, sink);
        }
        #[cfg(unix)]
        return self.map(scanner, sink);
        #[cfg(not(unix))]
        unreachable!("only there is anything mapped")
    }

    /// Scans the whole lines of a window; how many bytes they are.
    #[cfg(unix)]
    fn map<S: Sink>(&mut self, scanner: &mut Scanner, sink: &mut Cancellable<S>) -> io::Result<usize> {
        self.see_size()?;
        if self.at >= self.size {
            return Ok(0);
        }
        let down = |at: u64, to: u64| at - at % to;
        let offset = down(self.at, HUGE_PAGE).max(down(self.start, Map::ALIGNMENT));
        let from = (self.at - offset) as usize;
        let end = down(offset.saturating_add(self.window as u64), HUGE_PAGE).min(self.size);
        let len = usize::try_from(end - offset).unwrap_or(usize::MAX);
        // A page more, where the file has one, lets the last line be looked at as the others are.
        let mapped = usize::try_from(self.opened.size - offset).unwrap_or(usize::MAX).min(len + Map::PAGE);
        let Ok(map) = Map::new(&self.opened.file, offset, mapped) else { return self.read(scanner, sink) };
        let asked = sink.asked;
        let is_cancelled = || asked.is_cancelled(0);
        let region = map.region(len).cancelled_by(&is_cancelled);
        let mut count = scanner.read_region(region, from, sink);
        if is_cancelled() {
            return Ok(count);
        }
        self.see_size()?;
        if let Some(cut) = map.cut() {
            self.shrank = true;
            self.size = self.size.min(offset + cut as u64).max(self.at + count as u64);
        }
        if offset + len as u64 >= self.size {
            // What is left is the last line, without an LF: it is kept as what is fed is. What a cut took
            // from it reads as zeros, and is not kept.
            let end = ((self.size - offset) as usize).max(from + count);
            let rest = from + count..end;
            count = end - from;
            scanner.expect(rest.len());
            let mut piece = Vec::new();
            for start in rest.clone().step_by(MEMORY_PIECE) {
                if is_cancelled() {
                    break;
                }
                let part = start..rest.end.min(start + MEMORY_PIECE);
                scanner.feed(region.view().copy(part.clone(), &mut piece), sink);
                region.give_back(part);
            }
        } else if count > 0 {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.window = WINDOW;
            }
        } else if region.view().ends_with_zeros(Map::ALIGNMENT as usize) {
            // No line of such a length, but zeros: those take no room where they are read.
            return self.read(scanner, sink);
        } else {
            self.window = self.window.saturating_mul(GROWTH);
            self.patience = PATIENCE;
        }
        self.at += count as u64;
        Ok(count)
    }

    /// The same by reading, a piece, where mapping is no good or not to be had; until a line is whole.
    fn read(&mut self, scanner: &mut Scanner, sink: &mut impl Sink) -> io::Result<usize> {
        let count =
            scanner.feed_from(&mut ReadFrom(&self.opened, self.at).take(self.size - self.at), sink)?;
        self.by_reading = !self.opened.is_for_mapping() || scanner.pending() > 0;
        self.at += count as u64;
        if count == 0 && self.at < self.size {
            self.shrank = true;
            self.size = self.at;
        }
        Ok(count)
    }

    /// Looks whether the file became shorter.
    #[cfg(unix)]
    fn see_size(&mut self) -> io::Result<()> {
        let now = self.opened.file.metadata()?.len();
        if now < self.size {
            self.shrank = true;
            self.size = now.max(self.at);
        }
        Ok(())
    }
}

/// A window of a file, mapped.
#[cfg(unix)]
struct Map {
    /// Until the map goes away.
    guard: Option<Guard>,
    start: NonNull<u8>,
    len: usize,
}

#[cfg(unix)]
impl Map {
    /// Where a window may begin: at multiples of this, which no system's page size exceeds.
    const ALIGNMENT: u64 = 64 * 1024;

    /// No system's pages are smaller.
    const PAGE: usize = 4096;

    /// Maps `len` bytes of a file from `offset` on, which is a multiple of `ALIGNMENT`.
    fn new(file: &File, offset: u64, len: usize) -> io::Result<Map> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        // Not populated beforehand: the kernel maps sixteen pages around each fault, and to populate it walks
        // them all once more.
        // SAFETY: a new mapping, which overlays nothing.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, file, offset)? };
        match Guard::new(start.cast(), len) {
            Ok(guard) => Ok(Map {
                guard: Some(guard),
                start: NonNull::new(start.cast()).expect("no map is at null"),
                len,
            }),
            Err(error) => {
                // SAFETY: just mapped, and nobody has seen it.
                let _ = unsafe { rustix::mm::munmap(start, len) };
                Err(error)
            }
        }
    }

    /// From where on the bytes are not the file's, if it was cut.
    fn cut(&self) -> Option<usize> {
        self.guard.as_ref().and_then(Guard::cut)
    }

    /// The first `len` bytes, and what may be loaded behind them: a map is whole pages, and a page whole
    /// blocks.
    fn region(&self, len: usize) -> Region<'_> {
        // SAFETY: mapped while this lives, guarded against the file's becoming shorter; pages are aligned to
        // more than a block.
        unsafe {
            let view = View::of_raw(self.start.as_ptr(), len.min(self.len));
            let region = Region::new(view, self.len.next_multiple_of(Map::PAGE));
            #[cfg(target_os = "linux")]
            let region = region.released_by(Map::release);
            region
        }
    }

    /// Takes the whole pages of a part of a map out of it; where they are looked at again they come back.
    /// What is on both sides of a system's larger pages stays.
    #[cfg(target_os = "linux")]
    fn release(part: View) {
        use rustix::mm::{Advice, madvise};
        let start = part.start().addr().next_multiple_of(Map::ALIGNMENT as usize);
        let end = (part.start().addr() + part.len()) / Map::ALIGNMENT as usize * Map::ALIGNMENT as usize;
        if start < end {
            // SAFETY: pages of a file's map, which can be had again; nobody writes to them here.
            let _ = unsafe {
                madvise(part.start().with_addr(start).cast_mut().cast(), end - start, Advice::LinuxDontNeed)
            };
        }
    }
}

#[cfg(unix)]
impl Drop for Map {
    fn drop(&mut self) {
        // First: what is mapped next may come to the same place, and is not ours to guard.
        self.guard = None;
        // SAFETY: mapped by `new`, and no region outlives this.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
