use super::*;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::ops::Range;
use std::sync::Barrier;

const PAGES: usize = 16;

fn page() -> usize {
    // SAFETY: only asks.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// A map of a file of so many pages, filled with a byte each.
struct Mapped {
    file: File,
    start: *mut c_void,
}

// SAFETY: it is only read.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new() -> Mapped {
        let mut file = tempfile::tempfile().unwrap();
        let data: Vec<u8> = (0..PAGES).flat_map(|number| vec![number as u8 + 1; page()]).collect();
        std::io::Write::write_all(&mut file, &data).unwrap();
        // SAFETY: a new mapping.
        let start = unsafe {
            mmap(ptr::null_mut(), data.len(), ProtFlags::READ, MapFlags::SHARED, &file, 0).unwrap()
        };
        Mapped { file, start }
    }

    fn guard(&self) -> Guard {
        Guard::new(self.start.cast(), PAGES * page()).unwrap()
    }

    fn cut(&self, size: usize) {
        self.file.set_len(size as u64).unwrap();
    }

    fn byte(&self, at: usize) -> u8 {
        assert!(at < PAGES * page());
        // SAFETY: within the map. Volatile: it is to be read each time.
        unsafe { self.start.cast::<u8>().add(at).read_volatile() }
    }

    /// Whether all of it reads as the file's bytes before `cut`, and as zeros after.
    fn reads_as_if_cut_at(&self, cut: usize, places: Range<usize>) -> bool {
        places.step_by(97).all(|at| self.byte(at) == if at < cut { (at / page()) as u8 + 1 } else { 0 })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nothing points into it.
        unsafe { munmap(self.start, PAGES * page()).unwrap() };
    }
}

#[test]
fn what_is_gone_reads_as_zeros_and_is_told() {
    for (size, cut) in [
        (0, Some(0)),
        (page(), Some(1)),
        (5 * page(), Some(5)),
        (5 * page() + 1, Some(6)),
        (16 * page() - 1, None),
    ] {
        let map = Mapped::new();
        let guard = map.guard();
        assert!(map.reads_as_if_cut_at(usize::MAX, 0..PAGES * page()));
        assert_eq!(guard.cut(), None);
        map.cut(size);
        assert_eq!(guard.cut(), None, "nobody looked yet");
        assert!(map.reads_as_if_cut_at(size, 0..PAGES * page()));
        assert_eq!(guard.cut(), cut.map(|pages| pages * page()), "cut at {size}");
    }
}

#[test]
fn what_is_loaded_behind_the_last_byte_is_guarded_too() {
    let map = Mapped::new();
    let guard = Guard::new(map.start.cast(), PAGES * page() - 100).unwrap();
    map.cut(0);
    assert_eq!(map.byte(PAGES * page() - 1), 0);
    assert_eq!(guard.cut(), Some((PAGES - 1) * page()));
}

#[test]
fn the_cut_is_where_it_was_first_looked_at_and_moves_down() {
    let map = Mapped::new();
    let guard = map.guard();
    map.cut(3 * page());
    assert_eq!(map.byte(9 * page()), 0);
    assert_eq!(guard.cut(), Some(9 * page()));
    assert_eq!(map.byte(4 * page() + 7), 0);
    assert_eq!(guard.cut(), Some(4 * page()));
    // The rest was replaced: the file's growing again does not bring it back.
    map.cut(PAGES * page());
    assert_eq!(map.byte(9 * page()), 0);
    assert_eq!(map.byte(2 * page()), 3);
    assert_eq!(guard.cut(), Some(4 * page()));
}

#[test]
fn maps_are_told_apart_and_places_given_back() {
    for _ in 0..PLACES + 3 {
        let (one, other) = (Mapped::new(), Mapped::new());
        let (first, second) = (one.guard(), other.guard());
        other.cut(page());
        assert!(one.reads_as_if_cut_at(usize::MAX, 0..PAGES * page()));
        assert!(other.reads_as_if_cut_at(page(), 0..3 * page()));
        assert_eq!((first.cut(), second.cut()), (None, Some(page())));
    }
}

#[test]
fn threads_that_lose_their_files_at_once() {
    let together = Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let together = &together;
            scope.spawn(move || {
                for round in 0..50 {
                    let map = Mapped::new();
                    let guard = map.guard();
                    let size = (number * 7 + round) % PAGES * page();
                    together.wait();
                    map.cut(size);
                    assert!(map.reads_as_if_cut_at(size, 0..PAGES * page()));
                    assert_eq!(guard.cut(), Some(size));
                }
            });
        }
    });
}

#[test]
fn one_map_that_several_threads_read() {
    let map = Mapped::new();
    let guard = map.guard();
    map.cut(page());
    let together = Barrier::new(4);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (together, map) = (&together, &map);
            scope.spawn(move || {
                together.wait();
                assert!(map.reads_as_if_cut_at(page(), number * 3 * page()..(number * 3 + 3) * page()));
            });
        }
    });
    assert_eq!(guard.cut(), Some(page()));
}
