//! Change some bytes of a content while it passes by in pieces.

use std::borrow::Cow;
use std::io;

/// How many bytes of a run are compared or written at once.
const BLOCK: usize = 64 << 10;

/// A change of some bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    /// Where the old bytes begin.
    pub offset: u64,
    /// The bytes that must be there; none to insert.
    pub old: &'a [u8],
    /// The bytes that take their place; none to remove.
    pub new: &'a [u8],
    /// How often `old` stands there, and `new` will: 1 except in a run.
    pub times: u64,
}

impl Edit<'_> {
    fn end(&self) -> Option<u64> {
        self.offset.checked_add((self.old.len() as u64).checked_mul(self.times)?)
    }

    pub(super) fn keeps_length(&self) -> bool {
        self.old.len() == self.new.len()
    }
}

/// Check that edits are in order, do not overlap, and fit into a file of this size, if it is known; return
/// what is wrong with them.
pub(super) fn check(edits: &[Edit<'_>], size: Option<u64>) -> Result<(), &'static str> {
    let mut done = 0;
    let mut written = size.unwrap_or(0);
    for edit in edits {
        if edit.times == 0 {
            return Err("an edit has no bytes, as it stands there no times");
        }
        if edit.offset < done {
            return Err("the edits are not in order, or overlap");
        }
        let added = (edit.new.len() as u64).checked_mul(edit.times);
        let (Some(end), Some(all)) = (edit.end(), added.and_then(|added| written.checked_add(added))) else {
            return Err("an edit is larger than any file");
        };
        if size.is_some_and(|size| end > size) {
            return Err(BEYOND);
        }
        (done, written) = (end, all);
    }
    Ok(())
}

pub(super) const BEYOND: &str = "an edit lies beyond the end of the file";

/// Why a content cannot be edited.
#[derive(Debug)]
pub(super) enum EditError {
    Io(io::Error),
    /// The old bytes of an edit are not there.
    Differs,
    /// The content ends before an edit.
    Beyond,
}

impl From<io::Error> for EditError {
    fn from(error: io::Error) -> Self {
        EditError::Io(error)
    }
}

/// A content that is edited while it passes by.
pub(super) struct EditStream<'a> {
    /// Those whose new bytes are still to be written. They fit together, as `check` says.
    edits: &'a [Edit<'a>],
    /// The offset of the next byte.
    at: u64,
    /// The old bytes of the first edit, as a block of its run.
    block: Option<Cow<'a, [u8]>>,
}

impl<'a> EditStream<'a> {
    pub(super) fn new(edits: &'a [Edit<'a>]) -> Self {
        EditStream { edits, at: 0, block: None }
    }

    /// Take the next bytes; give `write` what becomes of them.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), EditError> {
        while !bytes.is_empty() {
            let Some(edit) = self.edits.first() else {
                self.at += bytes.len() as u64;
                return Ok(write(bytes)?);
            };
            let begun = self.at >= edit.offset;
            let next = if begun { edit.end().unwrap_or(u64::MAX) } else { edit.offset };
            let (taken, rest) = bytes.split_at((next - self.at).min(bytes.len() as u64) as usize);
            if !begun {
                write(taken)?;
            } else if !self.continues_with(edit, taken) {
                return Err(EditError::Differs);
            }
            self.at += taken.len() as u64;
            bytes = rest;
            if begun && self.at == next {
                self.finish_edit(edit, write)?;
            }
        }
        Ok(())
    }

    /// Say that there are no more bytes: insert what comes behind the last one.
    pub(super) fn finish(mut self, write: &mut impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), EditError> {
        while let Some(edit) = self.edits.first() {
            if edit.end().is_none_or(|end| self.at < end) {
                return Err(EditError::Beyond);
            }
            self.finish_edit(edit, write)?;
        }
        Ok(())
    }

    /// Return whether these are the next of the old bytes of an edit.
    fn continues_with(&mut self, edit: &Edit<'a>, mut bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        let block = self.block.get_or_insert_with(|| block(edit.old, edit.times));
        let mut begin = ((self.at - edit.offset) % block.len() as u64) as usize;
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(block.len() - begin));
            if now != &block[begin..begin + now.len()] {
                return false;
            }
            (bytes, begin) = (rest, 0);
        }
        true
    }

    fn finish_edit(
        &mut self,
        edit: &Edit<'_>,
        write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.edits = &self.edits[1..];
        self.block = None;
        if edit.new.is_empty() {
            return Ok(());
        }
        let block = block(edit.new, edit.times);
        let mut left = edit.new.len() as u64 * edit.times;
        while left > 0 {
            let length = left.min(block.len() as u64);
            write(&block[..length as usize])?;
            left -= length;
        }
        Ok(())
    }
}

/// Return some bytes as often as they stand there, or as often as a block takes.
fn block(bytes: &[u8], times: u64) -> Cow<'_, [u8]> {
    let fitting = (BLOCK / bytes.len()).max(1) as u64;
    match times.min(fitting) {
        1 => Cow::Borrowed(bytes),
        times => Cow::Owned(bytes.repeat(times as usize)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Edit a content in memory: the slow twin.
    pub(crate) fn edited(content: &[u8], edits: &[Edit<'_>]) -> Option<Vec<u8>> {
        let mut result = content.to_vec();
        for edit in edits.iter().rev() {
            let (old, new) = (edit.old.repeat(edit.times as usize), edit.new.repeat(edit.times as usize));
            let begin = edit.offset as usize;
            if content.get(begin..begin + old.len())? != old {
                return None;
            }
            result.splice(begin..begin + old.len(), new);
        }
        Some(result)
    }

    /// An edit that owns its bytes, of a content of which `content` is known.
    #[derive(Clone, Debug)]
    pub(crate) struct OwnedEdit {
        pub(crate) offset: u64,
        pub(crate) old: Vec<u8>,
        pub(crate) new: Vec<u8>,
        pub(crate) times: u64,
    }

    impl OwnedEdit {
        pub(crate) fn borrowed(&self) -> Edit<'_> {
            Edit { offset: self.offset, old: &self.old, new: &self.new, times: self.times }
        }
    }

    prop_compose! {
        /// A content and edits that fit it: with runs, insertions, removals, and some that keep the length.
        pub(crate) fn content_and_edits(longest: usize)(
            parts in prop::collection::vec(
                (
                    prop::collection::vec(any::<u8>(), 0..longest),
                    prop::collection::vec(any::<u8>(), 0..6),
                    prop::collection::vec(any::<u8>(), 0..6),
                    prop_oneof![Just(1_u64), 1..40_u64],
                    any::<bool>(),
                ),
                0..6,
            ),
            rest in prop::collection::vec(any::<u8>(), 0..longest),
        ) -> (Vec<u8>, Vec<OwnedEdit>) {
            let mut content = Vec::new();
            let mut edits = Vec::new();
            for (before, old, mut new, times, keep) in parts {
                content.extend(before);
                if keep {
                    new.resize(old.len(), b' ');
                }
                edits.push(OwnedEdit { offset: content.len() as u64, old: old.clone(), new, times });
                content.extend(old.repeat(times as usize));
            }
            content.extend(rest);
            (content, edits)
        }
    }

    fn streamed(content: &[u8], edits: &[Edit<'_>], piece: usize) -> Result<Vec<u8>, EditError> {
        let mut result = Vec::new();
        let mut write = |bytes: &[u8]| {
            result.extend_from_slice(bytes);
            Ok(())
        };
        let mut stream = EditStream::new(edits);
        content.chunks(piece).try_for_each(|bytes| stream.push(bytes, &mut write))?;
        stream.finish(&mut write)?;
        Ok(result)
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            (content, edits) in content_and_edits(50),
            piece in 1..40_usize,
        ) {
            let edits: Vec<_> = edits.iter().map(OwnedEdit::borrowed).collect();
            prop_assert_eq!(check(&edits, Some(content.len() as u64)), Ok(()));
            prop_assert_eq!(streamed(&content, &edits, piece).unwrap(), edited(&content, &edits).unwrap());
        }

        #[test]
        fn a_content_that_is_another_is_not_edited(
            (mut content, edits) in content_and_edits(50),
            piece in 1..40_usize,
            at in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            prop_assume!(!content.is_empty());
            let edits: Vec<_> = edits.iter().map(OwnedEdit::borrowed).collect();
            let at = at.index(content.len());
            if cut {
                content.truncate(at);
            } else {
                content[at] ^= 1;
            }
            let expected = edited(&content, &edits);
            prop_assert_eq!(streamed(&content, &edits, piece).ok(), expected);
        }
    }

    #[test]
    fn a_run_longer_than_a_block_is_changed() {
        let mut content = vec![0; 3 * BLOCK + 7];
        content.extend(b"end");
        let length = 3 * BLOCK as u64 + 7;
        let edit = Edit { offset: 0, old: b"\0", new: b" ", times: length };
        assert_eq!(streamed(&content, &[edit], 1000).unwrap(), edited(&content, &[edit]).unwrap());
        content[3 * BLOCK] = 1;
        assert!(matches!(streamed(&content, &[edit], 1000), Err(EditError::Differs)));
    }

    #[test]
    fn edits_that_do_not_fit_are_refused() {
        let edit = |offset, old: &'static [u8], new: &'static [u8], times| Edit { offset, old, new, times };
        for (edits, reason) in [
            (vec![edit(3, b"a", b"b", 1), edit(2, b"a", b"b", 1)], "order"),
            (vec![edit(3, b"ab", b"b", 1), edit(4, b"a", b"b", 1)], "overlap"),
            (vec![edit(9, b"ab", b"", 1)], "beyond the end"),
            (vec![edit(11, b"", b"x", 1)], "beyond the end"),
            (vec![edit(0, b"a", b"b", 0)], "no times"),
            (vec![edit(u64::MAX, b"a", b"b", 1)], "larger than any file"),
            (vec![edit(0, b"ab", b"b", u64::MAX)], "larger than any file"),
            (vec![edit(0, b"", b"ab", u64::MAX)], "larger than any file"),
        ] {
            let refused = check(&edits, Some(10)).unwrap_err();
            assert!(refused.contains(reason), "{edits:?}: {refused}");
        }
        assert_eq!(check(&[edit(10, b"", b"x", 1), edit(10, b"", b"y", 1)], Some(10)), Ok(()));
    }
}
