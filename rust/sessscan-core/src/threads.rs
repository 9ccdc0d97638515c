//! Share work out among threads.
//!
//! Threads are started for each call and joined before it returns: no pool that a forked child would inherit
//! without its threads, and nothing to start at import.

use crate::cancel::CancelToken;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long the calling thread waits between two checks of its token once it has no work left: short enough
/// for Ctrl-C and progress, long enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(10);

/// How long it waits for a thread that has told that it has no work left, either.
const AT_THE_END: Duration = Duration::from_micros(20);

/// Return the number of threads that the machine can run at once.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}

/// Run all the work on `threads` threads, the calling one included, each with a tool of its own. The results
/// are in no order; once `token` is cancelled, some are missing.
///
/// `token` is used on the calling thread only. What the other threads report is added to its reports, and
/// they are cancelled with it.
pub(crate) fn run<'a, W: Sync, T, R: Send>(
    work: &'a [W],
    threads: usize,
    tool: impl Fn() -> T + Sync,
    run_one: impl Fn(&W, &mut T, &CancelToken) -> R + Sync,
    token: &CancelToken,
) -> Vec<(&'a W, R)> {
    let next = AtomicUsize::new(0);
    let bytes_elsewhere = AtomicU64::new(0);
    let cancelled = AtomicBool::new(false);
    let take = |token: &CancelToken| {
        let mut tool = tool();
        let mut done = Vec::new();
        while !cancelled.load(Ordering::Relaxed)
            && let Some(piece) = work.get(next.fetch_add(1, Ordering::Relaxed))
        {
            done.push((piece, run_one(piece, &mut tool, token)));
        }
        done
    };
    let report_elsewhere = |bytes: u64| {
        bytes_elsewhere.fetch_add(bytes, Ordering::Relaxed);
        if cancelled.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let report_here = |bytes: u64| {
        let flow = token.report(bytes + bytes_elsewhere.swap(0, Ordering::Relaxed));
        if flow.is_break() {
            cancelled.store(true, Ordering::Relaxed);
        }
        flow
    };

    let helpers = threads.min(work.len()).saturating_sub(1);
    let caller = std::thread::current();
    std::thread::scope(|scope| {
        let start = || {
            let done = take(&CancelToken::new(&report_elsewhere));
            // Most likely the calling thread waits for this one alone.
            caller.unpark();
            done
        };
        // If the system gives no more threads, fewer do the work.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, start).ok();
        let helpers: Vec<_> = (0..helpers).map_while(start).collect();
        let token = CancelToken::new(&report_here);
        let mut done = take(&token);
        for helper in helpers {
            let mut pause = PAUSE;
            while !helper.is_finished() {
                let begin = Instant::now();
                std::thread::park_timeout(pause);
                // One that woke this thread up is about to end.
                pause = if begin.elapsed() < pause { AT_THE_END } else { PAUSE };
                let _ = token.is_cancelled();
            }
            done.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        let _ = token.is_cancelled();
        done
    })
}
