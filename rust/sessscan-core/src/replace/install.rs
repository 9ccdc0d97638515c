//! Move the temporary file to the target's name: steps 5 and 6 of the writer.

use super::error::ReplaceError;
use super::expected::Digest;
use super::fs::{Fs, Rename};
use super::target::Found;
use super::temporary::Temporary;
use std::io;

impl<F: Fs> Temporary<'_, F> {
    /// Step 5 where any file at the target may be replaced.
    pub(super) fn rename_over(&mut self) -> Result<(), ReplaceError> {
        let target = self.target;
        let renamed = target.fs.rename(&target.dir, &self.name, target.name, Rename::Over);
        self.verify_failure(renamed).map_err(|error| target.io(error))?;
        self.remove_on_drop = false;
        Ok(())
    }

    /// Step 5 where there is no target, and a file that appears meanwhile must not be replaced.
    pub(super) fn rename_to_free_name(&mut self) -> Result<(), ReplaceError> {
        let target = self.target;
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => target.conflict("already exists"),
            _ => target.io(error),
        };
        let renamed = target.fs.rename(&target.dir, &self.name, target.name, Rename::New);
        match self.verify_failure(renamed) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => {
                done.map_err(failed)?;
                self.remove_on_drop = false;
                return Ok(());
            }
        }
        // A hard link does not replace a file either. Dropping `self` then removes the file's first name.
        let linked = target.fs.link(&target.dir, &self.name, target.name);
        match self.verify_failure(linked) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => return done.map_err(failed),
        }
        match target.find(target.name).map_err(|error| target.io(error))? {
            Found::Nothing => self.rename_over(),
            _ => Err(target.conflict("already exists")),
        }
    }

    /// Steps 5 and 6: exchange our file with the target, and exchange them back if what comes out does not
    /// have the digest `before`.
    pub(super) fn exchange(&mut self, before: &Digest) -> Result<(), ReplaceError> {
        if !F::EXCHANGES {
            return self.compare_and_rename(before);
        }
        let target = self.target;
        self.mark_for_exchange(before).map_err(|error| target.io(error))?;
        // Until it is known which file our name stands for, nothing may remove that file.
        self.remove_on_drop = false;
        let exchanged = target.fs.rename(&target.dir, &self.name, target.name, Rename::Exchange);
        if let Err(error) = self.verify_failure(exchanged) {
            return match error.kind() {
                io::ErrorKind::Unsupported => self.compare_and_rename(before),
                io::ErrorKind::NotFound => Err(target.conflict("does not exist any more")),
                _ => Err(target.io(error)),
            };
        }
        let as_expected = self.holds_still(before);
        if !matches!(as_expected, Ok(true)) {
            self.exchange_back().map_err(|source| ReplaceError::Io { path: self.path(), source })?;
        }
        self.remove_on_drop = true;
        match as_expected {
            Ok(true) => Ok(()),
            Ok(false) => Err(target.conflict("was changed meanwhile")),
            Err(error) => Err(target.io(error)),
        }
    }

    /// Return whether what came out of the exchange has the digest `before`, now and a moment later.
    ///
    /// An owner who writes in place may have found the old file before the exchange and write into it only now.
    fn holds_still(&self, before: &Digest) -> io::Result<bool> {
        let target = self.target;
        if !target.has_digest(&self.name, before)? {
            return Ok(false);
        }
        target.fs.let_others_finish();
        target.has_digest(&self.name, before)
    }

    /// Replace the target where files cannot be exchanged. An update between the comparison and the rename is
    /// lost.
    fn compare_and_rename(&mut self, before: &Digest) -> Result<(), ReplaceError> {
        let target = self.target;
        if !target.has_digest(target.name, before).map_err(|error| target.io(error))? {
            return Err(target.conflict("was changed meanwhile"));
        }
        self.rename_over()
    }

    /// Step 6: give the target its own file back.
    ///
    /// The owner may write again before we are done. Then the file that comes out is not the one that we put
    /// in: it is a newer version and must be put back in its turn. Stamps decide that, not contents: reading
    /// takes so long that an owner who writes all the time would keep us here without end.
    fn exchange_back(&self) -> io::Result<()> {
        let target = self.target;
        let mut put = self.stamp;
        for _ in 0..1000 {
            let theirs = target.fs.stat_at(&target.dir, &self.name)?.stamp;
            let done = match target.fs.rename(&target.dir, &self.name, target.name, Rename::Exchange) {
                // The owner removed the file, and removed it stays.
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                exchanged => {
                    exchanged?;
                    target.fs.stat_at(&target.dir, &self.name)?.stamp == put
                }
            };
            if done {
                // Nothing was promised about this change, so a failure is not reported.
                let _ = target.fs.sync_dir(&target.dir);
                return Ok(());
            }
            put = theirs;
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Return Ok if a rename that was reported as failed has in fact happened.
    ///
    /// A network file system that tried twice reports such a failure. If our file is certainly not at the
    /// target, our name still stands for it, and dropping `self` removes it.
    fn verify_failure(&mut self, renamed: io::Result<()>) -> io::Result<()> {
        let Err(error) = renamed else { return Ok(()) };
        let at_target =
            if error.kind() == io::ErrorKind::Unsupported { Some(false) } else { self.is_at_target() };
        if at_target == Some(true) {
            return Ok(());
        }
        if at_target == Some(false) {
            self.remove_on_drop = true;
        }
        Err(error)
    }
}
