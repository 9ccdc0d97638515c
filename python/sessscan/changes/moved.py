"""Move a transcript, or what lies beside it, to another project folder, and take that back.

A transcript gets its new line first, where it is, and then its new folder. So a move has three states, which
the metadata tell apart: the old file in the old place; the new one in the old place; the new one in the new
place. From the middle one it can be moved on by another run, or taken back. No step replaces a file.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from .. import _core
from ..errors import ConflictError, SessscanError, UnconfirmedError, describe
from ..model import Action, Fingerprint
from ..stores.opening import open_stream
from .image import Image, Stamp
from .journal import Entry, Journal

_LONGEST_LINE = 1 << 20
"""Bytes; a path has kilobytes at most."""


def image_of(fingerprint: Fingerprint) -> Image:
    """Return what a file or folder is, for the journal. Of a folder only the inode is known."""
    if not fingerprint.mtime_ns and not fingerprint.size:
        return Image(None, 0, None, fingerprint.inode if fingerprint.inode < 2**63 else 0)
    return Image.of_stamp((fingerprint.size, fingerprint.mtime_ns, fingerprint.inode))


def carry_out(action: Action, journal: Journal) -> tuple[int, str | None]:
    """Move what an action names. Return the number of its entry in the journal, and why the change may not
    survive a power cut.

    Raises `ConflictError`, `OSError` and other errors if nothing was moved; the journal says so then, if it
    can.
    """
    target = action.target
    if target is None:
        raise ConflictError(f"{action.path}: the plan does not say where it is moved to")
    before = image_of(action.rests_on[0])
    announced: list[tuple[int, Image]] = []

    def announce(after: Image) -> None:
        entry = journal.intent(
            kind=action.kind,
            path=action.path,
            session_id=action.session_id,
            title=action.title,
            before=before,
            after=after,
            backup=None,
            target=target,
        )
        announced.append((entry, after))

    doubt = None
    try:
        if target != action.path:
            if os.path.lexists(target):
                raise ConflictError(f"{target} is there already")
            _make_folder(Path(target).parent)
        if action.edits:
            edits = [(edit.offset, edit.old, edit.new, edit.times) for edit in action.edits]
            try:
                _core.edit(
                    action.path,
                    edits,
                    seen=before.stamp,
                    announce=lambda new: announce(Image.of_stamp(new)),
                )
            except (OSError, SessscanError) as error:
                if not announced or not is_at(announced[0][1], action.path):
                    raise
                doubt = describe(error)  # it has the line, but the disk did not confirm it
        else:
            announce(before)
        doubt = _relocate(action.path, target, announced[0][1]) or doubt
    except (OSError, ValueError, SessscanError) as error:
        if announced:
            with contextlib.suppress(OSError, SessscanError):  # the entry stays open, for `recover`
                _give_up(announced[0], action.path, target, before, journal, describe(error))
        raise
    return announced[0][0], doubt


def _give_up(
    announced: tuple[int, Image], path: str, target: str, before: Image, journal: Journal, why: str
) -> None:
    """Take back the line of a transcript that could not be moved, and record that nothing was done."""
    number, after = announced
    if is_at(before, path):
        journal.failed(number, why)
    elif path != target and is_at(after, path):
        _remove_line(path, before, after, lambda new: journal.restoring(number, Image.of_stamp(new)))
        journal.failed(number, why)


def _relocate(path: str, target: str, image: Image) -> str | None:
    """Give a file or folder its new name. Return why that may not survive a power cut."""
    if path == target:
        return None
    try:
        _core.relocate(path, target, inode=image.inode)
    except UnconfirmedError as error:
        return describe(error)
    except OSError as error:
        # A call may fail and have its effect all the same, on a network's file system.
        if not is_at(image, target):
            # Either folder may be the one that refuses.
            raise OSError(error.errno, f"{error.strerror} (moving it to {target})", path) from error
        return describe(error)
    return None


def is_at(image: Image, path: str) -> bool:
    """Tell whether a path holds a file or folder as the journal has it. Raises OSError."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISDIR(status.st_mode):
        return image.mtime_ns is None and image.inode in (0, status.st_ino)
    return image.mtime_ns is not None and stat.S_ISREG(status.st_mode) and image.is_at(path)


def _has_grown(image: Image, path: str) -> bool:
    return image.mtime_ns is not None and Path(path).is_file() and image.has_grown_at(path)


def is_done(entry: Entry) -> bool:
    """Tell whether an entry's file is in its new place, perhaps with more at its end. Raises OSError."""
    place = entry.target or entry.path
    return is_at(entry.after, place) or _has_grown(entry.after, place)


def is_as_before(entry: Entry) -> bool:
    """Tell whether an entry's file is in its old place as it was before. Raises OSError."""
    if is_done(entry):
        return False  # what is in the old place is another one, of the same size and time
    if entry.restored is not None and (
        is_at(entry.restored, entry.path) or _has_grown(entry.restored, entry.path)
    ):
        return True
    return entry.before is not None and is_at(entry.before, entry.path)


def is_half_done(entry: Entry) -> bool:
    """Tell whether a transcript has its new line and is in its old place. Raises OSError."""
    return entry.target != entry.path and entry.after != entry.before and is_at(entry.after, entry.path)


def close(entry: Entry, journal: Journal) -> None:
    """Write the outcome of a move that was interrupted to the journal.

    A transcript that has its line and is in its old place stays so: another plan moves it, and undoing the
    run takes the line back.
    """
    if is_done(entry) or is_half_done(entry):
        journal.done(entry.index)
    elif is_as_before(entry):
        journal.failed(entry.index, "interrupted before it was moved")
    else:
        journal.failed(entry.index, "interrupted; another program has written or moved it since")


def why_not_back(entry: Entry) -> str | None:
    """Return why a move cannot be taken back; None if it can. Raises OSError."""
    target = entry.target or entry.path
    if is_half_done(entry):
        return None
    if not is_at(entry.after, target):
        if not os.path.lexists(target):
            return f"{target} is gone"
        if _has_grown(entry.after, target):
            return (
                f"{target} has grown since the run: the session was continued in the new folder. To take it "
                f"back with what was added, move it back: `sessscan move` with both folders exchanged"
            )
        return f"{target} has changed since"
    if target != entry.path and os.path.lexists(entry.path):
        return f"{entry.path} is there again"
    return None


def put_back(entry: Entry, journal: Journal) -> None:
    """Move a file or folder back, without the line that it got. Do nothing if that is done already.

    A transcript's mtime is new then: with an old one the CLI might remove it at its next start.
    """
    if entry.before is None or is_as_before(entry):
        return
    target = entry.target or entry.path
    doubt = None
    if target != entry.path and not is_half_done(entry):
        _make_folder(Path(entry.path).parent)
        doubt = _relocate(target, entry.path, entry.after)
    if entry.after != entry.before:
        _remove_line(
            entry.path,
            entry.before,
            entry.after,
            lambda new: journal.restoring(entry.index, Image.of_stamp(new)),
        )
    if doubt is not None:
        raise UnconfirmedError(doubt)


def _remove_line(path: str, before: Image, after: Image, announce: Callable[[Stamp], object]) -> None:
    length = after.size - before.size
    if not 0 < length <= _LONGEST_LINE:
        raise ConflictError(f"{path} is not what the journal says")
    with open_stream(path) as file:
        file.seek(before.size)
        line = file.read(length)
    _core.edit(path, [(before.size, line, b"", 1)], seen=after.stamp, announce=announce)


def _make_folder(folder: Path) -> None:
    """Make a project folder, with mode 0700 and fsynced; nothing unless the folder around it exists."""
    if folder.is_dir() or not folder.parent.is_dir():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.name == "posix":
        descriptor = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
