//! Survive the SIGBUS that reading a mapped file raises after the file was cut short.
//!
//! The handler maps zeros over the rest of the map in one call (page by page takes 9 µs each and ends at the
//! system's limit of mappings), records where the zeros begin, and lets the reader go on. A SIGBUS at any
//! other address goes to the handler that was installed before.
//!
//! A signal handler may call few functions. This one uses atomics, `pthread_self`, `signal` and `raise`,
//! which POSIX allows there, and `mmap`, which Linux and macOS allow.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};

/// The number of maps that can be guarded at a time; each scanning thread needs one. Without a free slot the
/// file is read instead of mapped.
const SLOTS: usize = 256;

/// A place in the table of guarded maps.
struct Slot {
    /// The map's address; 0: the slot is free; 1: the slot is being filled.
    start: AtomicUsize,
    /// The address of the end of the map's last page.
    end: AtomicUsize,
    /// The offset in the map of the first byte that the handler replaced; `usize::MAX`: none.
    cut: AtomicUsize,
}

static GUARDED: [Slot; SLOTS] = [const {
    Slot { start: AtomicUsize::new(0), end: AtomicUsize::new(0), cut: AtomicUsize::new(usize::MAX) }
}; SLOTS];

/// The handler that was installed before. It is leaked, because a running handler may be reading it.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// The page size in bytes.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// A guard for one map: while it lives, the map's file may be cut short.
pub(crate) struct Guard(&'static Slot);

impl Guard {
    /// Guard the `len` mapped bytes at `start` and the rest of their last page.
    ///
    /// Return an error if all slots are taken, or if the handler cannot be installed now.
    pub(crate) fn new(start: *const u8, len: usize) -> io::Result<Guard> {
        install()?;
        let free =
            |slot: &&Slot| slot.start.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        let slot = GUARDED.iter().find(free).ok_or(io::ErrorKind::ResourceBusy)?;
        // The whole last page, because vector loads may reach beyond the last byte.
        let end = (start.addr() + len).next_multiple_of(PAGE.load(Ordering::Relaxed));
        slot.end.store(end, Ordering::Relaxed);
        slot.cut.store(usize::MAX, Ordering::Relaxed);
        slot.start.store(start.addr(), Ordering::Release);
        Ok(Guard(slot))
    }

    /// Return the offset from which on the bytes are zeros instead of the file's, if it was cut short.
    pub(crate) fn cut(&self) -> Option<usize> {
        Some(self.0.cut.load(Ordering::Acquire)).filter(|cut| *cut != usize::MAX)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.start.store(0, Ordering::Release);
    }
}

/// Install the handler unless it is the current one: other code, such as `faulthandler`, may have installed
/// its own since.
fn install() -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());

    let current = current_action()?;
    if current.sa_sigaction == handler_address() {
        return Ok(());
    }
    // Not `lock`: in a child that was forked while another thread held the mutex, it stays locked for good.
    let _installing = match INSTALLING.try_lock() {
        Ok(held) => held,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
    };
    // SAFETY: `sysconf` only reads. `ours` is zeroed, which is valid for `sigaction`, and then filled.
    // `handle` has the signature that SA_SIGINFO asks for and makes only the calls that the module's comment
    // lists. The leaked previous action is stored before the handler is installed that reads it.
    unsafe {
        PAGE.store(libc::sysconf(libc::_SC_PAGESIZE) as usize, Ordering::Relaxed);
        let current = current_action()?;
        if current.sa_sigaction != handler_address() {
            PREVIOUS.store(Box::into_raw(Box::new(current)), Ordering::Release);
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

/// Return the current action for SIGBUS.
fn current_action() -> io::Result<libc::sigaction> {
    let mut current = MaybeUninit::uninit();
    // SAFETY: with a null new action, `sigaction` changes nothing and, where it returns 0, has filled
    // `current`.
    unsafe {
        if libc::sigaction(libc::SIGBUS, ptr::null(), current.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(current.assume_init())
    }
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: SA_SIGINFO is set in `install`, so the kernel passes a valid `siginfo_t`.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    if code != libc::BUS_ADRERR || !map_zeros(address) {
        pass_on(signal, info, context);
    }
}

/// Map zeros from the page of this address to the end of its guarded map; return false if it is in none.
fn map_zeros(address: usize) -> bool {
    let holds = |slot: &&Slot| {
        let start = slot.start.load(Ordering::Acquire);
        start > 1 && (start..slot.end.load(Ordering::Relaxed)).contains(&address)
    };
    let Some(slot) = GUARDED.iter().find(holds) else { return false };
    let page = address & !(PAGE.load(Ordering::Relaxed) - 1);
    let len = slot.end.load(Ordering::Relaxed) - page;
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: `page..end` is a part of the map in `slot`, whose `Guard` lives while the map is read, and the
    // map is read through raw pointers only (`Guard::new`), so no reference into the replaced pages exists.
    unsafe {
        let errno = std::io::Error::last_os_error().raw_os_error();
        let start = ptr::without_provenance_mut(page);
        let mapped = libc::mmap(start, len, libc::PROT_READ, flags, -1, 0) != libc::MAP_FAILED;
        set_errno(errno.unwrap_or(0));
        if mapped {
            slot.cut.fetch_min(page - slot.start.load(Ordering::Relaxed), Ordering::Release);
        }
        mapped
    }
}

unsafe fn set_errno(errno: c_int) {
    // SAFETY: both functions return a valid pointer to the calling thread's errno.
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

/// How many times in a row a fault at the same address is passed to the previous handler before it ends the
/// process. A handler that repairs the fault needs far fewer, and for one that does nothing the end comes
/// soon enough.
const MAX_REPEATS: usize = 1_000;

/// Pass a signal that is not about a guarded map to the previous handler.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    /// The thread that is passing a signal on. A previous handler passes it back here if this handler was
    /// installed both before and after it.
    static PASSING: AtomicUsize = AtomicUsize::new(0);
    /// The address of the last fault.
    static LAST: AtomicUsize = AtomicUsize::new(0);
    /// How many times in a row it was passed on.
    static REPEATS: AtomicUsize = AtomicUsize::new(0);

    // SAFETY: the kernel passes a valid `info`. `PREVIOUS` is null or was leaked by `install`. `action` is
    // neither SIG_DFL nor SIG_IGN where it is called (the branch that returns before), so it is a function,
    // with the signature that its SA_SIGINFO flag tells.
    unsafe {
        // The signal comes from `kill` or `raise`, not from an access to memory.
        let sent = (*info).si_code <= 0;
        let previous = PREVIOUS.load(Ordering::Acquire);
        let action = if previous.is_null() { libc::SIG_DFL } else { (*previous).sa_sigaction };
        if sent && action == libc::SIG_IGN {
            return;
        }
        let thread = libc::pthread_self() as usize;
        let hopeless = if sent {
            PASSING.load(Ordering::Acquire) == thread
        } else if LAST.swap((*info).si_addr().addr(), Ordering::AcqRel) == (*info).si_addr().addr() {
            // A previous handler that returns without a repair, as `faulthandler` does once it is disabled,
            // would be called without end.
            REPEATS.fetch_add(1, Ordering::AcqRel) >= MAX_REPEATS
        } else {
            REPEATS.store(0, Ordering::Release);
            false
        };
        if hopeless || action == libc::SIG_DFL || action == libc::SIG_IGN {
            // The faulting instruction runs again, or the signal is raised again, and ends the process.
            libc::signal(signal, libc::SIG_DFL);
            if sent {
                libc::raise(signal);
            }
            return;
        }
        PASSING.store(thread, Ordering::Release);
        if (*previous).sa_flags & libc::SA_SIGINFO != 0 {
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
