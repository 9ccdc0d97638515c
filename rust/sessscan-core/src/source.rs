//! Read the bytes of a scan from a file, by mapping or by reading, or from memory.

#[cfg(unix)]
use crate::bytes::Region;
#[cfg(unix)]
use crate::bytes::View;
use crate::cancel::CancelToken;
use crate::open;
use crate::scanner::{End, Scanner, Sink};
#[cfg(unix)]
use crate::sigbus::Guard;
use crate::utf16;
use std::fs::{File, Metadata};
use std::io;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
#[cfg(unix)]
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The size in bytes from which files are mapped. Below it, setting up a map costs more than copying the
/// bytes.
const MAP_FROM: u64 = 1024 * 1024;

/// How many bytes are mapped at a time. A longer line gets a larger window.
#[cfg(unix)]
const WINDOW: usize = 8 * 1024 * 1024;

/// Windows begin and end at multiples of this, except at the scan's start. The kernel caches files in pieces
/// of this size, and then maps a whole piece at once.
#[cfg(unix)]
const HUGE_PAGE: u64 = 2 * 1024 * 1024;

/// How many times larger the next window is if a line does not end in one. The bytes of the first are read
/// again. Where no memory is given back, a window takes as much memory as it is large.
#[cfg(unix)]
const GROWTH: usize = if cfg!(target_os = "linux") { 16 } else { 2 };

/// How many windows stay enlarged after a long line.
#[cfg(unix)]
const PATIENCE: u32 = 8;

/// How many bytes of memory are scanned before the token is checked.
const MEMORY_PIECE: usize = 1024 * 1024;

/// The bytes of a scan, and the position in them.
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

    /// Return a source of the bytes of a range of a file.
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
            #[cfg(unix)]
            last_line: None,
            shrank: false,
        })
    }

    /// Return the offset of the first byte.
    pub(crate) fn start(&self) -> u64 {
        match self {
            Source::File(file) => file.start,
            Source::Memory(_) => 0,
        }
    }

    /// Go back to the start, and read only up to the offset `size`, since a live file may have grown.
    pub(crate) fn rewind(&mut self, size: u64) {
        match self {
            Source::File(file) => {
                (file.at, file.size) = (file.start, size);
                file.by_reading = !file.opened.is_for_mapping();
                #[cfg(unix)]
                file.last_line.take();
            }
            Source::Memory(_) => unreachable!("memory is scanned again with a new source"),
        }
    }

    /// Return whether the file became shorter during the scan. What was read may then never have been the
    /// file's content.
    pub(crate) fn shrank(&self) -> bool {
        matches!(self, Source::File(file) if file.shrank)
    }

    /// Return the offset behind the last byte to be scanned.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Source::File(file) => file.size,
            Source::Memory(rest) => rest.len() as u64,
        }
    }

    /// Return whether the file may have been written to since it was opened.
    pub(crate) fn changed(&self) -> bool {
        matches!(self, Source::File(file) if file.opened.changed())
    }

    /// The file's mtime when it was opened, in epoch milliseconds.
    pub(crate) fn modified_at(&self) -> Option<i64> {
        match self {
            Source::File(file) => file.opened.modified_at(),
            Source::Memory(_) => None,
        }
    }

    /// Scan the next piece; return false at the end. An error of kind `Interrupted` means that
    /// `token` was cancelled.
    pub(crate) fn advance(
        &mut self,
        scanner: &mut Scanner,
        sink: &mut impl Sink,
        token: &CancelToken,
    ) -> io::Result<bool> {
        let (count, more) = match self {
            Source::File(file) => (file.advance(scanner, sink, token)?, file.at < file.size),
            Source::Memory(rest) => {
                let (piece, after) = rest.split_at(rest.len().min(MEMORY_PIECE));
                *rest = after;
                scanner.feed(piece, sink, token);
                (piece.len(), !after.is_empty())
            }
        };
        token.check(count as u64)?;
        Ok(more)
    }

    /// Read the last line, if it has no LF, after `advance` came to the end.
    pub(crate) fn finish(
        &mut self,
        scanner: &mut Scanner,
        sink: &mut impl Sink,
        token: &CancelToken,
    ) -> io::Result<End> {
        #[cfg(unix)]
        let end = match self {
            Source::File(file) => match file.last_line.take() {
                Some(line) => file.read_last_line(line, scanner, sink, token)?,
                None => scanner.finish(sink, token),
            },
            Source::Memory(_) => scanner.finish(sink, token),
        };
        #[cfg(not(unix))]
        let end = scanner.finish(sink, token);
        token.check(0)?;
        Ok(end)
    }
}

/// A file, with its size and modification time when it was opened. Scans of its ranges share it, because
/// opening it by name again might find another file.
#[derive(Clone)]
pub(crate) struct Opened {
    file: Arc<File>,
    pub(crate) size: u64,
    modified: Option<SystemTime>,
    /// It was written to so shortly before that a later write might not change its time.
    fresh: bool,
}

/// File systems give a write the time of the last clock tick. Ticks are at most 10 ms apart, and two writes
/// between two ticks have the same time.
const TICK: Duration = Duration::from_millis(20);

impl Opened {
    pub(crate) fn new(path: &Path) -> io::Result<Opened> {
        let file = open::transcript(path)?;
        let metadata = file.metadata()?;
        let modified = metadata.modified().ok();
        // The file system's clock may be ahead of this machine's or behind it.
        let age = |modified: SystemTime| modified.elapsed().unwrap_or_else(|ahead| ahead.duration());
        let fresh = modified.is_some_and(|modified| age(modified) < TICK);
        let opened = Opened { file: Arc::new(file), size: metadata.len(), modified, fresh };
        if opened.size == 0 {
            // Some files of the system have no size and cannot be read. This reports the error.
            opened.read_at(&mut [0], 0)?;
        }
        Ok(opened)
    }

    /// The mtime when it was opened, in epoch milliseconds, rounded down.
    pub(crate) fn modified_at(&self) -> Option<i64> {
        const NANOSECONDS: u128 = 1_000_000;
        let millis = match self.modified?.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()),
            Err(before) => {
                i64::try_from(before.duration().as_nanos().div_ceil(NANOSECONDS)).map(|millis| -millis)
            }
        };
        millis.ok()
    }

    /// Return whether the file is in UTF-16.
    pub(crate) fn is_utf16(&self) -> io::Result<bool> {
        let mut begin = Vec::new();
        ReadFrom(self, 0).take(utf16::PREFIX as u64).read_to_end(&mut begin)?;
        Ok(utf16::order_of(&begin, true).flatten().is_some())
    }

    /// Return the file's present metadata.
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

    /// Read from an offset on.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&*self.file, buffer, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, offset);
    }
}

/// A reader of a file from an offset on, which does not depend on the file's own position.
struct ReadFrom<'a>(&'a Opened, u64);

impl Read for ReadFrom<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read_at(buffer, self.1)?;
        self.1 += count as u64;
        Ok(count)
    }
}

/// A file, or a range of it, and the position in it.
pub(crate) struct FileSource {
    opened: Opened,
    start: u64,
    /// The offset up to which the file is scanned: its size when it was opened, or less if it was cut.
    size: u64,
    /// The start of the first line that is not scanned yet, or of the bytes not fed yet.
    at: u64,
    #[cfg(unix)]
    window: usize,
    /// How many more windows stay enlarged, since other long lines may follow.
    #[cfg(unix)]
    patience: u32,
    /// The file is small, or the current line is fed to the scanner in pieces.
    by_reading: bool,
    /// The last line, if it has no LF and was not fed.
    #[cfg(unix)]
    last_line: Option<Range<u64>>,
    shrank: bool,
}

impl FileSource {
    fn advance(
        &mut self,
        scanner: &mut Scanner,
        sink: &mut impl Sink,
        token: &CancelToken,
    ) -> io::Result<usize> {
        if self.by_reading || cfg!(not(unix)) {
            return self.read(scanner, sink, token);
        }
        #[cfg(unix)]
        return self.map(scanner, sink, token);
        #[cfg(not(unix))]
        unreachable!("files are mapped on unix only")
    }

    /// Scan the whole lines of a window and return how many bytes they are.
    #[cfg(unix)]
    fn map(&mut self, scanner: &mut Scanner, sink: &mut impl Sink, token: &CancelToken) -> io::Result<usize> {
        self.check_size()?;
        if self.at >= self.size {
            return Ok(0);
        }
        if self.at == 0 && self.opened.is_utf16()? {
            return self.read(scanner, sink, token);
        }
        let down = |at: u64, to: u64| at - at % to;
        let offset = down(self.at, HUGE_PAGE).max(down(self.start, Map::ALIGNMENT));
        let from = (self.at - offset) as usize;
        let end = down(offset.saturating_add(self.window as u64), HUGE_PAGE).min(self.size);
        let len = usize::try_from(end - offset).unwrap_or(usize::MAX);
        // A further page, if the file has one, lets the fast reader load blocks behind the last line.
        let mapped = usize::try_from(self.opened.size - offset).unwrap_or(usize::MAX).min(len + Map::PAGE);
        let Ok(map) = Map::new(&self.opened.file, offset, mapped) else {
            return self.read(scanner, sink, token);
        };
        let region = map.region(len);
        let mut count = scanner.read_region(region, from, sink, token);
        if token.is_cancelled() {
            return Ok(count);
        }
        self.check_size()?;
        if let Some(cut) = map.cut() {
            self.shrank = true;
            self.size = self.size.min(offset + cut as u64).max(self.at + count as u64);
        }
        if offset + len as u64 >= self.size {
            // The rest is the last line, which has no LF. `finish` reads it.
            self.last_line = Some(self.at + count as u64..self.size);
            count = (self.size - self.at) as usize;
        } else if count > 0 {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.window = WINDOW;
            }
        } else if !cfg!(target_os = "linux") && region.view().ends_with_zeros(Map::ALIGNMENT as usize) {
            // These are zeros, not a long line. When read instead of mapped, they take no memory where none
            // of a map can be given back.
            return self.read(scanner, sink, token);
        } else {
            self.window = self.window.saturating_mul(GROWTH);
            self.patience = PATIENCE;
        }
        self.at += count as u64;
        Ok(count)
    }

    /// Read the last line where it is mapped, or feed it if it cannot be mapped.
    #[cfg(unix)]
    fn read_last_line(
        &mut self,
        line: Range<u64>,
        scanner: &mut Scanner,
        sink: &mut impl Sink,
        token: &CancelToken,
    ) -> io::Result<End> {
        let offset = line.start - line.start % Map::ALIGNMENT;
        // A file that was cut meanwhile ends before the line begins.
        let map = if line.is_empty() {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            usize::try_from(line.end - offset)
                .map_err(|_| io::ErrorKind::OutOfMemory.into())
                .and_then(|len| Map::new(&self.opened.file, offset, len))
        };
        let Ok(map) = map else {
            self.at = line.start;
            while self.at < self.size && self.read(scanner, sink, token)? > 0 {
                token.check(0)?;
            }
            return Ok(scanner.finish(sink, token));
        };
        let region = map.region((line.end - offset) as usize).cancelled_by(token);
        let range = (line.start - offset) as usize..(line.end - offset) as usize;
        let end = scanner.finish_with(region.line(range), sink);
        self.check_size()?;
        self.shrank |= map.cut().is_some();
        Ok(end)
    }

    /// Scan the next piece by reading it, where the file cannot or should not be mapped, until a line is
    /// whole.
    fn read(
        &mut self,
        scanner: &mut Scanner,
        sink: &mut impl Sink,
        token: &CancelToken,
    ) -> io::Result<usize> {
        let count =
            scanner.feed_from(&mut ReadFrom(&self.opened, self.at).take(self.size - self.at), sink, token)?;
        self.by_reading = !self.opened.is_for_mapping() || scanner.is_inside_a_line() || scanner.is_utf16();
        self.at += count as u64;
        if count == 0 && self.at < self.size {
            self.shrank = true;
            self.size = self.at;
        }
        Ok(count)
    }

    /// Check whether the file became shorter.
    #[cfg(unix)]
    fn check_size(&mut self) -> io::Result<()> {
        let now = self.opened.file.metadata()?.len();
        if now < self.size {
            self.shrank = true;
            self.size = now.max(self.at);
        }
        Ok(())
    }
}

/// A mapped window of a file.
///
/// Invariant: `len` bytes from `start` are mapped as long as the map lives, and `guard` maps zeros where the
/// file no longer has bytes.
#[cfg(unix)]
struct Map {
    /// None only while the map is dropped.
    guard: Option<Guard>,
    start: NonNull<u8>,
    len: usize,
}

#[cfg(unix)]
impl Map {
    /// The alignment of a window's start. No system's page size exceeds it.
    const ALIGNMENT: u64 = 64 * 1024;

    /// The smallest page size of any system.
    const PAGE: usize = 4096;

    /// Map `len` bytes of a file from `offset` on, which is a multiple of `ALIGNMENT`.
    fn new(file: &File, offset: u64, len: usize) -> io::Result<Map> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        // Not populated: the kernel maps sixteen pages around each fault anyway, and populating would walk
        // them all once more.
        // SAFETY: without `FIXED` the kernel chooses an address where nothing is mapped.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, file, offset)? };
        match Guard::new(start.cast(), len) {
            Ok(guard) => Ok(Map {
                guard: Some(guard),
                start: NonNull::new(start.cast()).expect("no map is at null"),
                len,
            }),
            Err(error) => {
                // SAFETY: `mmap` above returned this range, and no reference to it was made.
                let _ = unsafe { rustix::mm::munmap(start, len) };
                Err(error)
            }
        }
    }

    /// Return where the file was cut; the bytes from there on are not the file's.
    fn cut(&self) -> Option<usize> {
        self.guard.as_ref().and_then(Guard::cut)
    }

    /// Return the first `len` bytes as a region. The whole pages of the map can be loaded, and pages are
    /// whole blocks.
    fn region(&self, len: usize) -> Region<'_> {
        // SAFETY: the window is mapped while `self` is borrowed, zeros take the place of what is cut off
        // (invariant of `Map`), and the kernel maps whole pages, which are aligned to `PAGE`, a multiple of
        // `BLOCK`.
        unsafe {
            let view = View::of_raw(self.start.as_ptr(), len.min(self.len));
            let region = Region::new(view, self.len.next_multiple_of(Map::PAGE));
            #[cfg(target_os = "linux")]
            let region = region.released_by(Map::release);
            region
        }
    }

    /// Give back the memory of a view's whole pages. They are mapped again when they are read again. Only
    /// whole multiples of `ALIGNMENT` are given back, so that larger pages stay whole.
    #[cfg(target_os = "linux")]
    fn release(part: View) {
        use rustix::mm::{Advice, madvise};
        let start = part.start().addr().next_multiple_of(Map::ALIGNMENT as usize);
        let end = (part.start().addr() + part.len()) / Map::ALIGNMENT as usize * Map::ALIGNMENT as usize;
        if start < end {
            // SAFETY: the pages lie within the view, which is a part of a shared map of a file and is only
            // read. The kernel reads them from the file again when they are accessed.
            let _ = unsafe {
                madvise(part.start().with_addr(start).cast_mut().cast(), end - start, Advice::LinuxDontNeed)
            };
        }
    }
}

#[cfg(unix)]
impl Drop for Map {
    fn drop(&mut self) {
        // The guard goes first. After `munmap`, another map may get the same address, which this guard must
        // not touch.
        self.guard = None;
        // SAFETY: `Map::new` mapped these bytes, and regions borrow the map, so none is left.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
