use super::*;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::ops::Range;
use std::sync::Barrier;

const PAGES: usize = 16;

fn page() -> usize {
    // SAFETY: `sysconf` takes no pointer and only reads.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// A map of a file of `PAGES` pages, each filled with its own byte.
struct Mapped {
    file: File,
    start: *mut c_void,
}

// SAFETY: after `new`, all methods take `&self` and only read the map or set the file's length.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new() -> Mapped {
        let mut file = tempfile::tempfile().unwrap();
        let data: Vec<u8> = (0..PAGES).flat_map(|number| vec![number as u8 + 1; page()]).collect();
        std::io::Write::write_all(&mut file, &data).unwrap();
        // SAFETY: the kernel chooses the address (null hint, no MAP_FIXED), so no existing memory is
        // replaced.
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
        // SAFETY: the assertion above keeps `at` within the map, which lives as long as `self`. The read is
        // volatile so that the compiler does not reuse an earlier value.
        unsafe { self.start.cast::<u8>().add(at).read_volatile() }
    }

    /// Return whether the bytes read as the file's before `cut` and as zeros after it.
    fn reads_as_if_cut_at(&self, cut: usize, offsets: Range<usize>) -> bool {
        offsets.step_by(97).all(|at| self.byte(at) == if at < cut { (at / page()) as u8 + 1 } else { 0 })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: `new` mapped these pages, and `drop` has the only access left (`&mut self`).
        unsafe { munmap(self.start, PAGES * page()).unwrap() };
    }
}

#[test]
fn bytes_after_the_cut_read_as_zeros_and_the_cut_is_reported() {
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
        assert_eq!(guard.cut(), None, "nothing was read yet");
        assert!(map.reads_as_if_cut_at(size, 0..PAGES * page()));
        assert_eq!(guard.cut(), cut.map(|pages| pages * page()), "cut at {size}");
    }
}

#[test]
fn the_rest_of_the_last_page_is_guarded() {
    let map = Mapped::new();
    let guard = Guard::new(map.start.cast(), PAGES * page() - 100).unwrap();
    map.cut(0);
    assert_eq!(map.byte(PAGES * page() - 1), 0);
    assert_eq!(guard.cut(), Some((PAGES - 1) * page()));
}

#[test]
fn the_cut_moves_down_to_the_first_page_that_was_read() {
    let map = Mapped::new();
    let guard = map.guard();
    map.cut(3 * page());
    assert_eq!(map.byte(9 * page()), 0);
    assert_eq!(guard.cut(), Some(9 * page()));
    assert_eq!(map.byte(4 * page() + 7), 0);
    assert_eq!(guard.cut(), Some(4 * page()));
    // The pages after the cut stay zeros when the file grows again.
    map.cut(PAGES * page());
    assert_eq!(map.byte(9 * page()), 0);
    assert_eq!(map.byte(2 * page()), 3);
    assert_eq!(guard.cut(), Some(4 * page()));
}

#[test]
fn maps_are_told_apart_and_slots_are_freed() {
    for _ in 0..SLOTS + 3 {
        let (one, other) = (Mapped::new(), Mapped::new());
        let (first, second) = (one.guard(), other.guard());
        other.cut(page());
        assert!(one.reads_as_if_cut_at(usize::MAX, 0..PAGES * page()));
        assert!(other.reads_as_if_cut_at(page(), 0..3 * page()));
        assert_eq!((first.cut(), second.cut()), (None, Some(page())));
    }
}

#[test]
fn threads_whose_files_are_cut_at_once() {
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
fn one_cut_map_that_several_threads_read() {
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
