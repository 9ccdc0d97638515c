//! A file cut short under its map becomes a cut in what is read, not the end of the process.
//!
//! To touch a mapped page that its file no longer has raises SIGBUS. The handler here maps zeros over the rest
//! of the map, in one call (page by page takes 9 µs each, and ends at the system's limit of mappings), notes
//! where it began, and lets the reader go on. A SIGBUS that is none of ours goes to whoever handled it before.
//!
//! What the handler may do is little: it looks at atomics and calls `mmap`, both of which POSIX or the
//! kernel allow there.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};

/// So many maps can be guarded at a time; who finds no place reads instead. One per scanning thread is needed.
const PLACES: usize = 256;

/// A guarded map.
struct Place {
    /// 0: free. 1: being taken.
    start: AtomicUsize,
    end: AtomicUsize,
    /// The first byte that the handler replaced, from the start.
    cut: AtomicUsize,
}

static GUARDED: [Place; PLACES] = [const {
    Place { start: AtomicUsize::new(0), end: AtomicUsize::new(0), cut: AtomicUsize::new(usize::MAX) }
}; PLACES];

/// Who handled the signal before. Never freed: the handler may be reading it.
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

static PAGE: AtomicUsize = AtomicUsize::new(0);

/// While this lives, a map may lose its file.
pub(crate) struct Guard(&'static Place);

impl Guard {
    /// Guards `len` bytes from `start` on, which are mapped, and the rest of their last page. An error if that cannot be
    /// done now.
    pub(crate) fn new(start: *const u8, len: usize) -> io::Result<Guard> {
        install()?;
        let free =
            |place: &&Place| place.start.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        let place = GUARDED.iter().find(free).ok_or(io::ErrorKind::ResourceBusy)?;
        // The last page as a whole: what is behind the bytes may be loaded with them.
        let end = (start.addr() + len).next_multiple_of(PAGE.load(Ordering::Relaxed));
        place.end.store(end, Ordering::Relaxed);
        place.cut.store(usize::MAX, Ordering::Relaxed);
        place.start.store(start.addr(), Ordering::Release);
        Ok(Guard(place))
    }

    /// From where on the bytes are not the file's, if it was cut.
    pub(crate) fn cut(&self) -> Option<usize> {
        Some(self.0.cut.load(Ordering::Acquire)).filter(|cut| *cut != usize::MAX)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.start.store(0, Ordering::Release);
    }
}

/// Sees to it that the handler is in place: others may have put theirs there since, as `faulthandler` does.
fn install() -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());

    // SAFETY: only asks.
    let current = unsafe { ask() }?;
    if current.sa_sigaction == handler_address() {
        return Ok(());
    }
    // Never to wait: in a child that was forked while another thread held it, it is held for ever.
    let _installing = match INSTALLING.try_lock() {
        Ok(held) => held,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
    };
    // SAFETY: `sysconf` reads; the rest installs a handler that keeps to what a handler may do, on the stack that the
    // process has set aside for handlers, if it has.
    unsafe {
        PAGE.store(libc::sysconf(libc::_SC_PAGESIZE) as usize, Ordering::Relaxed);
        let current = ask()?;
        if current.sa_sigaction != handler_address() {
            BEFORE.store(Box::into_raw(Box::new(current)), Ordering::Release);
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = handler_address();
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            if libc::sigaction(libc::SIGBUS, &ours, ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

fn handler_address() -> usize {
    (handle as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)) as usize
}

unsafe fn ask() -> io::Result<libc::sigaction> {
    let mut current = MaybeUninit::uninit();
    // SAFETY: with no new action, the call only writes the current one.
    unsafe {
        if libc::sigaction(libc::SIGBUS, ptr::null(), current.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(current.assume_init())
    }
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands in a valid `siginfo_t`.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    if code != libc::BUS_ADRERR || !cover(address) {
        pass_on(signal, info, context);
    }
}

/// Maps zeros from the page of this address to the end of the guarded map that it is in; false if it is in none.
fn cover(address: usize) -> bool {
    let holds = |place: &&Place| {
        let start = place.start.load(Ordering::Acquire);
        start > 1 && (start..place.end.load(Ordering::Relaxed)).contains(&address)
    };
    let Some(place) = GUARDED.iter().find(holds) else { return false };
    let page = address & !(PAGE.load(Ordering::Relaxed) - 1);
    let len = place.end.load(Ordering::Relaxed) - page;
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: what is replaced is the rest of a map of our own, which is only read, through raw pointers.
    unsafe {
        let errno = std::io::Error::last_os_error().raw_os_error();
        let start = ptr::without_provenance_mut(page);
        let covered = libc::mmap(start, len, libc::PROT_READ, flags, -1, 0) != libc::MAP_FAILED;
        set_errno(errno.unwrap_or(0));
        if covered {
            place.cut.fetch_min(page - place.start.load(Ordering::Relaxed), Ordering::Release);
        }
        covered
    }
}

unsafe fn set_errno(errno: c_int) {
    // SAFETY: the calling thread's own errno.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "emscripten"))]
        libc::__errno_location().write(errno);
        #[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
        libc::__error().write(errno);
        #[cfg(not(any(
            target_os = "linux",
            target_os = "emscripten",
            target_os = "macos",
            target_os = "ios",
            target_os = "freebsd"
        )))]
        let _ = errno;
    }
}

/// So often the same access is passed on to who was there before: after that, nothing is going to come of it. Much more
/// than anybody needs who does something about it, and over in no time for who does not.
const PATIENCE: usize = 1_000;

/// Not ours: to whoever was there before.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    /// The thread that passes one on. Those before may in turn pass it back to us, if we were put in place before them
    /// and again after.
    static PASSING: AtomicUsize = AtomicUsize::new(0);
    static LAST: AtomicUsize = AtomicUsize::new(0);
    static TIMES: AtomicUsize = AtomicUsize::new(0);

    // SAFETY: the pointer is null or was leaked by `install`; a handler is called as its flags say it wants to be.
    unsafe {
        // Somebody's `kill` or `raise`, not an access to memory.
        let sent = (*info).si_code <= 0;
        let before = BEFORE.load(Ordering::Acquire);
        let action = if before.is_null() { libc::SIG_DFL } else { (*before).sa_sigaction };
        if sent && action == libc::SIG_IGN {
            return;
        }
        let thread = libc::pthread_self() as usize;
        let hopeless = if sent {
            PASSING.load(Ordering::Acquire) == thread
        } else if LAST.swap((*info).si_addr().addr(), Ordering::AcqRel) == (*info).si_addr().addr() {
            // Who was there before may do nothing and return, as `faulthandler` once it is disabled: for ever.
            TIMES.fetch_add(1, Ordering::AcqRel) >= PATIENCE
        } else {
            TIMES.store(0, Ordering::Release);
            false
        };
        if hopeless || action == libc::SIG_DFL || action == libc::SIG_IGN {
            // The faulting instruction runs again, or the signal is raised anew, and ends the process.
            libc::signal(signal, libc::SIG_DFL);
            if sent {
                libc::raise(signal);
            }
            return;
        }
        PASSING.store(thread, Ordering::Release);
        if (*before).sa_flags & libc::SA_SIGINFO != 0 {
            let call: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = std::mem::transmute(action);
            call(signal, info, context);
        } else {
            let call: extern "C" fn(c_int) = std::mem::transmute(action);
            call(signal);
        }
    }
    PASSING.store(0, Ordering::Release);
}

#[cfg(test)]
mod tests;
