//! Where the bytes of a scan come from: a file that is mapped, one that is read, or memory. The only mmap.

use crate::open;
use crate::plain::Region;
use crate::record::View;
use crate::scanner::{Scanner, Sink};
#[cfg(unix)]
use crate::sigbus::Guard;
use std::fs::File;
use std::io;
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::ptr::NonNull;

/// Called now and then with the bytes read since the last call; to break is to cancel the scan.
pub type Poll<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// Files from this size on are mapped: below it, setting up a map costs more than copying the bytes.
#[cfg(unix)]
const MAP_FROM: u64 = 1024 * 1024;

/// How much is mapped at a time; a longer line gets a larger window.
#[cfg(unix)]
const WINDOW: usize = 4 * 1024 * 1024;

/// How many windows stay enlarged after one had to be.
#[cfg(unix)]
const PATIENCE: u32 = 8;

/// How much of memory is taken between two polls.
const MEMORY_PIECE: usize = 1024 * 1024;

/// The bytes of a scan, and how far it is.
pub(crate) enum Source<'a> {
    /// A file that is read, from an offset on.
    Read(io::Take<File>, u64),
    /// A file that is mapped, a window at a time.
    #[cfg(unix)]
    Mapped(Mapped),
    Memory(&'a [u8]),
}

impl Source<'_> {
    pub(crate) fn open(path: &Path) -> io::Result<Source<'static>> {
        Source::open_range(path, 0..u64::MAX)
    }

    /// The bytes of a range, or of what there is of it.
    pub(crate) fn open_range(path: &Path, range: Range<u64>) -> io::Result<Source<'static>> {
        let mut file = open::transcript(path)?;
        #[cfg(unix)]
        {
            let metadata = file.metadata()?;
            if metadata.is_file() && metadata.len() >= MAP_FROM {
                return Ok(Source::Mapped(Mapped::new(file, range, metadata.len())));
            }
        }
        if range.start > 0 {
            io::Seek::seek(&mut file, io::SeekFrom::Start(range.start))?;
        }
        Ok(Source::Read(file.take(range.end - range.start), range.start))
    }

    /// The offset of the first byte.
    pub(crate) fn start(&self) -> u64 {
        match self {
            Source::Read(_, start) => *start,
            #[cfg(unix)]
            Source::Mapped(mapped) => mapped.start,
            Source::Memory(_) => 0,
        }
    }

    /// Back to the start, to read no further than the offset `size`: a live file may have grown meanwhile.
    pub(crate) fn rewind(&mut self, size: u64) -> io::Result<()> {
        match self {
            Source::Read(file, start) => {
                io::Seek::seek(file.get_mut(), io::SeekFrom::Start(*start))?;
                file.set_limit(size - *start);
            }
            #[cfg(unix)]
            Source::Mapped(mapped) => (mapped.at, mapped.size) = (mapped.start, size),
            Source::Memory(_) => unreachable!("memory is read by making another one"),
        }
        Ok(())
    }

    /// Whether the file was seen to become shorter while it was scanned: what was read is then of no one moment.
    pub(crate) fn shrank(&self) -> bool {
        match self {
            #[cfg(unix)]
            Source::Mapped(mapped) => mapped.shrank,
            _ => false,
        }
    }

    /// Scans the next piece; false at the end. An error of kind `Interrupted` means that `poll` cancelled.
    pub(crate) fn advance(
        &mut self,
        scanner: &mut Scanner,
        sink: &mut impl Sink,
        poll: &mut Poll,
    ) -> io::Result<bool> {
        let (count, more) = match self {
            Source::Read(file, _) => {
                let count = scanner.feed_from(file, sink)?;
                (count, count > 0)
            }
            #[cfg(unix)]
            Source::Mapped(mapped) => (mapped.advance(scanner, sink)?, mapped.at < mapped.size),
            Source::Memory(rest) => {
                let (piece, after) = rest.split_at(rest.len().min(MEMORY_PIECE));
                *rest = after;
                scanner.feed(piece, sink);
                (piece.len(), !after.is_empty())
            }
        };
        match poll(count as u64) {
            ControlFlow::Continue(()) => Ok(more),
            ControlFlow::Break(()) => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

#[cfg(unix)]
pub(crate) struct Mapped {
    file: File,
    start: u64,
    /// Up to here the file is scanned: what there was when it was opened, or is left.
    size: u64,
    /// So much there was of the file when it was opened.
    whole: u64,
    /// Where the first line begins that was not scanned yet.
    at: u64,
    window: usize,
    /// For so many windows more it stays as large as it is: where there was a long line there will be others.
    patience: u32,
    /// The line at hand is fed to the scanner in pieces.
    by_reading: bool,
    shrank: bool,
}

#[cfg(unix)]
impl Mapped {
    fn new(file: File, range: Range<u64>, whole: u64) -> Mapped {
        let ends_early = range.end != u64::MAX && range.end > whole;
        let size = range.end.min(whole).max(range.start);
        Mapped {
            file,
            start: range.start,
            size,
            whole,
            at: range.start,
            window: WINDOW,
            patience: 0,
            by_reading: false,
            shrank: ends_early,
        }
    }

    /// Scans the whole lines of a window; how many bytes they are.
    fn advance(&mut self, scanner: &mut Scanner, sink: &mut impl Sink) -> io::Result<usize> {
        self.see_size()?;
        if self.at >= self.size {
            return Ok(0);
        }
        if self.by_reading {
            return self.read(scanner, sink);
        }
        let from = (self.at % Map::ALIGNMENT) as usize;
        let offset = self.at - from as u64;
        let len = usize::try_from(self.size - offset).unwrap_or(usize::MAX).min(self.window);
        // A page more, where the file has one, lets the last line be looked at as the others are.
        let mapped = usize::try_from(self.whole - offset).unwrap_or(usize::MAX).min(len + Map::PAGE);
        let Ok(map) = Map::new(&self.file, offset, mapped) else { return self.read(scanner, sink) };
        let region = map.region(len);
        let mut count = scanner.read_region(region, from, sink);
        self.see_size()?;
        if let Some(cut) = map.cut() {
            self.shrank = true;
            self.size = self.size.min(offset + cut as u64).max(self.at + count as u64);
        }
        if offset + len as u64 >= self.size {
            // What is left is the last line, without an LF: it is kept as what is fed is. What a cut took from it
            // reads as zeros, and is not kept.
            let end = (self.size - offset) as usize;
            let mut rest = Vec::new();
            scanner.feed(region.view().copy(from + count..end.max(from + count), &mut rest), sink);
            count += rest.len();
        } else if count > 0 {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.window = WINDOW;
            }
        } else if region.view().ends_with_zeros(Map::ALIGNMENT as usize) {
            // No line of such a length, but zeros: those take no room where they are read.
            return self.read(scanner, sink);
        } else {
            self.window *= 2;
            self.patience = PATIENCE;
        }
        self.at += count as u64;
        Ok(count)
    }

    /// The same by reading, a piece, where mapping is not to be had or is no good; until a line is whole.
    fn read(&mut self, scanner: &mut Scanner, sink: &mut impl Sink) -> io::Result<usize> {
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.at))?;
        let count = scanner.feed_from(&mut (&self.file).take(self.size - self.at), sink)?;
        self.by_reading = scanner.pending() > 0;
        self.at += count as u64;
        if count == 0 {
            self.shrank = true;
            self.size = self.at;
        }
        Ok(count)
    }

    /// Looks whether the file became shorter.
    fn see_size(&mut self) -> io::Result<()> {
        let now = self.file.metadata()?.len();
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
        // Not populated beforehand: the kernel maps sixteen pages around each fault, and to populate it walks them all
        // once more.
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

    /// The first `len` bytes, and what may be loaded behind them: a map is whole pages, and a page whole blocks.
    fn region(&self, len: usize) -> Region<'_> {
        // SAFETY: mapped while this lives, guarded against the file's becoming shorter; pages are aligned to more than
        // a block.
        unsafe {
            let view = View::of_raw(self.start.as_ptr(), len.min(self.len));
            Region::new(view, self.len.next_multiple_of(Map::PAGE))
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
