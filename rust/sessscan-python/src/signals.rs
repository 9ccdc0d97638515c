//! Looks up from a scan now and then: is there a Ctrl-C, does somebody want to know how far it is?

use pyo3::prelude::*;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How long a Ctrl-C may wait, and how often progress is told.
const INTERVAL: Duration = Duration::from_millis(40);

/// Made where the interpreter lock is held, polled where it is not, on the same thread.
pub struct Watch {
    progress: Option<Py<PyAny>>,
    done: u64,
    total: u64,
    looked_up: Instant,
    error: Option<PyErr>,
}

impl Watch {
    pub fn new(progress: Option<Py<PyAny>>, total: u64) -> Watch {
        Watch { progress, done: 0, total, looked_up: Instant::now(), error: None }
    }

    /// So many more bytes are done. Breaks if a signal handler or the progress callback raised.
    pub fn poll(&mut self, bytes: u64) -> ControlFlow<()> {
        self.done += bytes;
        if self.error.is_some() {
            return ControlFlow::Break(());
        }
        if self.looked_up.elapsed() < INTERVAL {
            return ControlFlow::Continue(());
        }
        match Python::attach(|py| self.look_up(py)) {
            Ok(()) => {
                self.looked_up = Instant::now();
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn look_up(&self, py: Python<'_>) -> PyResult<()> {
        py.check_signals()?;
        if let Some(progress) = &self.progress {
            progress.call1(py, (self.done, self.total))?;
        }
        Ok(())
    }

    /// Raises what was raised meanwhile, else tells the callback that all is done.
    pub fn finish(mut self) -> PyResult<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Python::attach(|py| self.look_up(py)),
        }
    }
}
