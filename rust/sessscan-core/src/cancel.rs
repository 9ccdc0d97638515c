//! Cancel scans, and report how far they are.

use std::cell::Cell;
use std::io;
use std::ops::ControlFlow;

/// Lets a scan report the bytes it has read, and tells it whether it was cancelled.
///
/// Each thread has its own token. A token that was cancelled stays so and does not call its function again.
pub struct CancelToken<'a> {
    parent: Parent<'a>,
    cancelled: Cell<bool>,
}

enum Parent<'a> {
    Function(&'a dyn Fn(u64) -> ControlFlow<()>),
    Token(&'a CancelToken<'a>),
}

impl<'a> CancelToken<'a> {
    /// Make a token of a function that takes the number of bytes read since its last call, and breaks to
    /// cancel.
    pub fn new(function: &'a dyn Fn(u64) -> ControlFlow<()>) -> CancelToken<'a> {
        CancelToken { parent: Parent::Function(function), cancelled: Cell::new(false) }
    }

    /// Make a token that is never cancelled.
    pub fn never() -> CancelToken<'static> {
        CancelToken::new(&|_| ControlFlow::Continue(()))
    }

    /// Make a token that is cancelled with this one but reports no bytes, for bytes that are read once more.
    pub(crate) fn without_reports(&self) -> CancelToken<'_> {
        CancelToken { parent: Parent::Token(self), cancelled: Cell::new(false) }
    }

    /// Return whether the scan was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.report(0).is_break()
    }

    /// Report that `bytes` more bytes were read, and break if the scan was cancelled.
    pub fn report(&self, bytes: u64) -> ControlFlow<()> {
        let cancelled = self.cancelled.get()
            || match self.parent {
                Parent::Function(function) => function(bytes).is_break(),
                Parent::Token(token) => token.is_cancelled(),
            };
        self.cancelled.set(cancelled);
        if cancelled { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Report that `bytes` more bytes were read; an error of kind `Interrupted` if the scan was cancelled.
    pub(crate) fn check(&self, bytes: u64) -> io::Result<()> {
        match self.report(bytes) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}
