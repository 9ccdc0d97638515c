//! Move the temporary file to the target's name: steps 5 and 6 of the writer.

use super::backup::Backup;
use super::error::ReplaceError;
use super::expected::Version;
use super::fs::{Fs, Rename};
use super::target::Found;
use super::temporary::Temporary;
use std::io;

/// How many of the last bytes tell whether a file was appended to or written anew.
const END: u64 = 64 << 10;

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

    /// Steps 5 and 6, and remove the backup if they fail and the old file is certainly still in place.
    pub(super) fn exchange_or_keep(
        &mut self,
        before: &Version,
        old: Option<F::File>,
        backup: Option<Backup<'_, F>>,
    ) -> Result<(), ReplaceError> {
        self.exchange(before, old).inspect_err(|error| {
            let old_in_place =
                matches!(error, ReplaceError::Conflict { .. }) || self.is_at_target() == Some(false);
            if let Some(backup) = backup.filter(|_| old_in_place) {
                backup.remove();
            }
        })
    }

    /// Steps 5 and 6: exchange our file with the target, and exchange them back if what comes out is not of
    /// the version `before`.
    ///
    /// `old`: the file that is replaced, if it was not read and may be appended to.
    fn exchange(&mut self, before: &Version, old: Option<F::File>) -> Result<(), ReplaceError> {
        if !F::EXCHANGES {
            return self.compare_and_rename(before, old);
        }
        let target = self.target;
        let mut end = None;
        if let Version::Stamp(_) = before {
            // A look costs nothing here, and spares the owner two exchanges.
            if !target.is_version(target.name, before).map_err(|error| target.io(error))? {
                return Err(target.conflict("was changed meanwhile"));
            }
            end = self.end().map_err(|error| target.io(error))?;
        }
        self.mark_for_exchange(before).map_err(|error| target.io(error))?;
        // Until it is known which file our name stands for, nothing may remove that file.
        self.remove_on_drop = false;
        let exchanged = target.fs.rename(&target.dir, &self.name, target.name, Rename::Exchange);
        if let Err(error) = self.verify_failure(exchanged) {
            return match error.kind() {
                io::ErrorKind::Unsupported => self.compare_and_rename(before, old),
                io::ErrorKind::NotFound => Err(target.conflict("does not exist any more")),
                _ => Err(target.io(error)),
            };
        }
        let as_expected = self.holds_still(before, old.as_ref());
        if !matches!(as_expected, Ok(true)) {
            self.exchange_back(end).map_err(|source| ReplaceError::Io { path: self.path(), source })?;
        }
        self.remove_on_drop = true;
        match as_expected {
            Ok(true) => Ok(()),
            Ok(false) => Err(target.conflict("was changed meanwhile")),
            Err(error) => Err(target.io(error)),
        }
    }

    /// Return whether what came out of the exchange is of the version `before`, now and a moment later.
    ///
    /// An owner who writes in place may have found the old file before the exchange and write into it only now.
    fn holds_still(&self, before: &Version, old: Option<&F::File>) -> io::Result<bool> {
        let target = self.target;
        if !target.is_version(&self.name, before)? {
            return Ok(false);
        }
        match old {
            None => target.fs.let_others_finish(),
            Some(old) if !target.settle(old) => return Ok(false),
            Some(_) => {}
        }
        target.is_version(&self.name, before)
    }

    /// Replace the target where files cannot be exchanged. An update between the comparison and the rename is
    /// lost, unless it was appended to `old`: then it is carried over.
    fn compare_and_rename(&mut self, before: &Version, old: Option<F::File>) -> Result<(), ReplaceError> {
        let target = self.target;
        if !target.is_version(target.name, before).map_err(|error| target.io(error))? {
            return Err(target.conflict("was changed meanwhile"));
        }
        self.rename_over()?;
        let (Some(mut old), Version::Stamp(before)) = (old, before) else { return Ok(()) };
        let mut carry = || {
            target.settle(&old);
            let grown = target.fs.stat(&old)?.stamp.size > before.size;
            if grown { target.carry(&mut old, before.size) } else { Ok(()) }
        };
        carry().map_err(|source| ReplaceError::Unconfirmed { path: target.path.to_owned(), source })
    }

    /// Step 6: give the target its own file back.
    ///
    /// The owner may write again before we are done. Then the file that comes out is not the one that we put
    /// in: it is a newer version and must be put back in its turn. Stamps decide that, not contents: reading
    /// takes so long that an owner who writes all the time would keep us here without end.
    ///
    /// An owner who appends does not make a newer version: if the file that comes out is ours and still has our
    /// `end` where we wrote it, what it gains behind that is carried over. It may have gained nothing yet: the
    /// time of a write is set before the size.
    fn exchange_back(&self, mut end: Option<Vec<u8>>) -> io::Result<()> {
        let target = self.target;
        let mut put = self.stamp;
        for _ in 0..1000 {
            let theirs = target.fs.stat_at(&target.dir, &self.name)?.stamp;
            match target.fs.rename(&target.dir, &self.name, target.name, Rename::Exchange) {
                // The owner removed the file, and removed it stays.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                exchanged => {
                    exchanged?;
                    let out = target.fs.stat_at(&target.dir, &self.name)?.stamp;
                    let appended_to = out.same_file(&put) && out.size >= put.size;
                    if out != put && !(appended_to && end.is_some() && self.end()? == end) {
                        (put, end) = (theirs, None);
                        continue;
                    }
                    if end.is_some() {
                        self.carry_back()?;
                    }
                }
            }
            // Nothing was promised about this change, so a failure is not reported.
            let _ = target.fs.sync_dir(&target.dir);
            return Ok(());
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Return the last bytes that we have written, as they are in the file under our name; None if that is no
    /// file.
    fn end(&self) -> io::Result<Option<Vec<u8>>> {
        let target = self.target;
        let Found::File(mut file, _) = target.find(&self.name)? else { return Ok(None) };
        let mut end = vec![0; self.stamp.size.min(END) as usize];
        target.fs.seek(&mut file, self.stamp.size - end.len() as u64)?;
        let mut filled = 0;
        while filled < end.len() {
            match target.fs.read(&mut file, &mut end[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(Some(end))
    }

    /// Carry over to the target what our own file, which is under our name again, has gained.
    ///
    /// A file that a program still has open for writing stays under our name, and is an error of kind
    /// `ResourceBusy`: what it writes later must not be lost.
    fn carry_back(&self) -> io::Result<()> {
        let target = self.target;
        let Found::File(mut file, _) = target.find(&self.name)? else { return Ok(()) };
        let settled = target.settle(&file);
        if target.fs.stat(&file)?.stamp.size > self.stamp.size {
            target.carry(&mut file, self.stamp.size)?;
        }
        if settled { Ok(()) } else { Err(io::ErrorKind::ResourceBusy.into()) }
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
