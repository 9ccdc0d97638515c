//! Check for signals and report progress while a scan runs without the interpreter lock.

use pyo3::prelude::*;
use sessscan_core::CancelToken;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How long a Ctrl-C may wait, and how often progress is reported.
const INTERVAL: Duration = Duration::from_millis(40);

/// Run without the interpreter lock, with a token that is cancelled as soon as a signal handler raises: an
/// error is then that exception.
pub fn interruptible<R: Send>(py: Python<'_>, run: impl FnOnce(&CancelToken) -> R + Send) -> PyResult<R> {
    with_progress(py, None, 0, run)
}

/// Run likewise, and report to `progress` now and then how many bytes of `total` were read. What `progress`
/// raises cancels, too.
pub fn with_progress<R: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    total: u64,
    run: impl FnOnce(&CancelToken) -> R + Send,
) -> PyResult<R> {
    py.detach(|| watch(progress, total, run))
}

/// Run likewise, on a thread that does not have the interpreter lock.
pub fn watch<R>(progress: Option<Py<PyAny>>, total: u64, run: impl FnOnce(&CancelToken) -> R) -> PyResult<R> {
    let watch = RefCell::new(Watch { progress, done: 0, total, checked: Instant::now(), error: None });
    let result = run(&CancelToken::new(&|bytes| watch.borrow_mut().report(bytes)));
    watch.into_inner().finish().map(|()| result)
}

struct Watch {
    progress: Option<Py<PyAny>>,
    done: u64,
    total: u64,
    checked: Instant,
    error: Option<PyErr>,
}

impl Watch {
    fn report(&mut self, bytes: u64) -> ControlFlow<()> {
        self.done += bytes;
        if self.checked.elapsed() < INTERVAL {
            return ControlFlow::Continue(());
        }
        match Python::attach(|py| self.check(py)) {
            Ok(()) => {
                self.checked = Instant::now();
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn check(&self, py: Python<'_>) -> PyResult<()> {
        py.check_signals()?;
        if let Some(progress) = &self.progress {
            progress.call1(py, (self.done, self.total))?;
        }
        Ok(())
    }

    /// Raise what was raised meanwhile, or report that all is done.
    fn finish(self) -> PyResult<()> {
        match self.error {
            Some(error) => Err(error),
            None => Python::attach(|py| self.check(py)),
        }
    }
}
