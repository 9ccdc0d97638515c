//! The steps by which the new file comes to the target's name.

use super::error::ReplaceError;
use super::expected::Digest;
use super::fs::{Fs, Rename};
use super::target::{Found, Target};
use super::temporary::Temporary;
use std::io;

impl<F: Fs> Target<'_, F> {
    /// Step 5 where whatever is there may go.
    pub(super) fn rename_over(&self, new: &mut Temporary<'_, F>) -> Result<(), ReplaceError> {
        let renamed = self.fs.rename(&self.dir, &new.name, self.name, Rename::Over);
        self.settle(renamed, new).map_err(|error| self.io(error))?;
        new.disarm();
        Ok(())
    }

    /// Step 5 where nothing is there, and nothing that comes meanwhile may be lost.
    pub(super) fn appear(&self, new: &mut Temporary<'_, F>) -> Result<(), ReplaceError> {
        let exists = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.conflict("exists already"),
            _ => self.io(error),
        };
        let renamed = self.fs.rename(&self.dir, &new.name, self.name, Rename::New);
        match self.settle(renamed, new) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => {
                done.map_err(exists)?;
                new.disarm();
                return Ok(());
            }
        }
        // A link never replaces either; our first name goes as any temporary one does.
        let linked = self.fs.link(&self.dir, &new.name, self.name);
        match self.settle(linked, new) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => return done.map_err(exists),
        }
        match self.find(self.name).map_err(|error| self.io(error))? {
            Found::Nothing => self.rename_over(new),
            _ => Err(self.conflict("exists already")),
        }
    }

    /// Steps 5 and 6.
    pub(super) fn exchange(&self, new: &mut Temporary<'_, F>, before: &Digest) -> Result<(), ReplaceError> {
        if !F::EXCHANGES {
            return self.compare_and_rename(new, before);
        }
        new.mark(before).map_err(|error| self.io(error))?;
        // Until it is known what stands under our name, nothing may remove it.
        new.disarm();
        let exchanged = self.fs.rename(&self.dir, &new.name, self.name, Rename::Exchange);
        if let Err(error) = self.settle(exchanged, new) {
            return match error.kind() {
                io::ErrorKind::Unsupported => self.compare_and_rename(new, before),
                io::ErrorKind::NotFound => Err(self.conflict("is not there any more")),
                _ => Err(self.io(error)),
            };
        }
        let looked = self.holds(&new.name, before);
        if !matches!(looked, Ok(true)) {
            self.swap_back(new).map_err(|source| ReplaceError::Io { path: new.path(), source })?;
        }
        new.arm();
        match looked {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.conflict("was changed meanwhile")),
            Err(error) => Err(self.io(error)),
        }
    }

    fn compare_and_rename(&self, new: &mut Temporary<'_, F>, before: &Digest) -> Result<(), ReplaceError> {
        if !self.holds(self.name, before).map_err(|error| self.io(error))? {
            return Err(self.conflict("was changed meanwhile"));
        }
        self.rename_over(new)
    }

    /// Step 6. The owner may write again before we are done: then what comes out is not what we put in, and
    /// is in its turn the version that must stay. Decided by the files' stamps: reading takes so long that an
    /// owner who writes all the time would never let us end.
    fn swap_back(&self, new: &Temporary<'_, F>) -> io::Result<()> {
        let mut put = new.stamp;
        for _ in 0..1000 {
            let theirs = self.fs.stat_at(&self.dir, &new.name)?.stamp;
            let settled = match self.fs.rename(&self.dir, &new.name, self.name, Rename::Exchange) {
                // The owner removed the file: so it shall be.
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                done => {
                    done?;
                    self.fs.stat_at(&self.dir, &new.name)?.stamp == put
                }
            };
            if settled {
                // Nobody is told that this is durable; but the sooner it is, the better.
                let _ = self.fs.sync_dir(&self.dir);
                return Ok(());
            }
            put = theirs;
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Whether our file is the target now; None if that cannot be told.
    pub(super) fn is_there(&self, new: &Temporary<'_, F>) -> Option<bool> {
        match self.fs.stat_at(&self.dir, self.name) {
            Ok(stat) => Some(stat.stamp.same_file(&new.stamp)),
            Err(error) => (error.kind() == io::ErrorKind::NotFound).then_some(false),
        }
    }

    /// A rename may be reported as failed and have happened (a network file system that tried twice). Only where
    /// our file certainly is not the target is it known that our name holds it.
    fn settle(&self, renamed: io::Result<()>, new: &mut Temporary<'_, F>) -> io::Result<()> {
        let Err(error) = renamed else { return Ok(()) };
        let there = if error.kind() == io::ErrorKind::Unsupported { Some(false) } else { self.is_there(new) };
        if there == Some(true) {
            return Ok(());
        }
        if there == Some(false) {
            new.arm();
        }
        Err(error)
    }
}
