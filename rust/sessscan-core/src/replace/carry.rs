//! Carry over what another program appends to a file in the moment in which it is exchanged.

use super::fs::{Fs, Kind, write_all};
use super::target::{Target, not_a_file};
use std::io;

/// How many bytes are held back at most to keep a line in one piece.
const LONGEST_HELD: usize = 1 << 20;

/// For how many milliseconds a program may be on its way to open a file.
const SETTLING: usize = 20;
/// How many milliseconds a program is waited for that has a file open for writing.
const PATIENCE: usize = 2_000;

impl<F: Fs> Target<'_, F> {
    /// Append to the target what another file holds from this offset on, and sync the target.
    ///
    /// Whoever writes appends whole lines at once, so lines are kept whole here, too. A target that was removed
    /// stays removed.
    pub(super) fn carry(&self, from: &mut F::File, offset: u64) -> io::Result<()> {
        let fs = self.fs;
        fs.seek(from, offset)?;
        let mut to = match fs.open_append(&self.dir, self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let kind = fs.stat(&to)?.kind;
        if kind != Kind::File {
            return Err(not_a_file(kind));
        }
        let mut held = Vec::new();
        self.read(from, |block| {
            held.extend_from_slice(block);
            let whole = memchr::memrchr(b'\n', &held).map_or(0, |newline| newline + 1);
            let ready = if whole == 0 && held.len() > LONGEST_HELD { held.len() } else { whole };
            write_all(fs, &mut to, &held[..ready])?;
            held.drain(..ready);
            Ok(())
        })?;
        write_all(fs, &mut to, &held)?;
        fs.sync(&to)
    }

    /// Wait until no program writes into a file that has lost its name; return false if one still may.
    ///
    /// A program that has found the file under its name may not have opened it yet: nothing shows that, so
    /// it is given time.
    pub(super) fn settle(&self, file: &F::File) -> bool {
        for _ in 0..SETTLING {
            self.fs.let_others_finish();
        }
        self.wait_for_writers(file, PATIENCE)
    }

    /// Wait until no program has a file open for writing, for about as many milliseconds as there are
    /// attempts; return false if one still has.
    pub(super) fn wait_for_writers(&self, file: &F::File, attempts: usize) -> bool {
        for _ in 0..attempts {
            if self.fs.has_writer(file) != Some(true) {
                return true;
            }
            self.fs.let_others_finish();
        }
        false
    }
}
