"""Complete the journals of interrupted runs: find out which of the announced changes were made.

A change is one exchange of a whole file, and the backup exists before it. So the file is as it was before,
or as it was to become, or another program has written it since.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .. import _core
from ..errors import ConflictError, SessscanError
from ..model import Store
from ..stores.opening import open_stream
from . import moved
from .image import stamp_of
from .journal import Entry, Journal, Run, read

_MOST_CARRIED = 32 << 20
"""Bytes; what is appended in a moment is one line, or a few."""


def recover(run: Run) -> Run:
    """Complete the journal of an interrupted run by comparing its files with it; return the run as recovered.

    A run that turns out to have changed nothing loses its journal and is returned without entries. An entry
    stays open if another program has written its file since and sessscan may have written it before, or if
    the file cannot be read now. The caller holds the lock.
    """
    open_entries = [entry for entry in run.entries if entry.outcome is None]
    if run.ended and not open_entries:
        return run
    journal = Journal.reopen(run)
    for entry in open_entries:
        with contextlib.suppress(OSError, SessscanError):  # the next recovery tries again
            _close(entry, journal)
    if not run.ended:
        journal.end()
    recovered = read(run.journal) or run
    if all(entry.outcome == "failed" for entry in recovered.entries):
        journal.discard()
        return replace(recovered, entries=())
    return recovered


def close_put_back(run: Run) -> None:
    """Record in the journal of a run which transcripts an interrupted undo has put back already.

    Later it could not be told any more, since a transcript is not read to compare it. The caller holds the
    lock.
    """
    back = [entry for entry in run.in_effect if entry.restored is not None and is_as_before(entry)]
    if back:
        journal = Journal.reopen(run)
        for entry in back:
            drop_backup(entry)
            journal.undone(entry.index)


def is_as_before(entry: Entry) -> bool:
    """Tell whether an entry's file is what, and where, it was before the run. Raises OSError."""
    return moved.is_as_before(entry) if entry.target is not None else entry.is_as_before()


def _close(entry: Entry, journal: Journal) -> None:
    """Write the outcome of an open entry to the journal, if its file shows what the outcome was."""
    if entry.target is not None:
        moved.close(entry, journal)
    elif entry.after.is_at(entry.path) or (entry.is_transcript and entry.after.has_grown_at(entry.path)):
        _carry_over(entry)
        journal.done(entry.index)
    elif entry.is_as_before():
        drop_backup(entry)
        journal.failed(entry.index, "interrupted before it was written")
    elif entry.backup is None or not os.path.lexists(entry.backup):
        journal.failed(entry.index, "interrupted before it was written; another program has written it since")


def _carry_over(entry: Entry) -> None:
    """Append to a transcript what its owner has appended to the old file, which is the backup now.

    The writer does that itself, unless it is killed in the moment after the exchange.
    """
    backup = stamp_of(entry.backup) if entry.is_transcript and entry.backup is not None else None
    if backup is None or entry.backup is None or entry.before is None:
        return
    gained = backup[0] - entry.before.size
    now = stamp_of(entry.path)
    if now is None or backup[2] != entry.before.inode or not 0 < gained <= _MOST_CARRIED:
        return
    with open_stream(entry.backup) as file:
        file.seek(entry.before.size)
        _core.edit(entry.path, [(now[0], b"", file.read(gained), 1)], seen=now)


def sweep_beside(paths: Iterable[str]) -> None:
    """Remove the temporary files that interrupted runs left in the folders of `paths`."""
    _sweep({str(Path(path).parent) for path in paths})


def sweep_folders(stores: Iterable[Store]) -> None:
    """Remove the temporary files that interrupted runs left in the folders of stores."""
    _sweep({store.path for store in stores})


def _sweep(folders: Iterable[str]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # if it matters, writing there fails with the same error
            _core.sweep(folder)


def drop_backup(entry: Entry) -> None:
    """Remove the backup of a file that is as it was before, if the backup holds the same."""
    if entry.backup is None or entry.before is None:
        return
    expected = entry.before.sha256 or entry.before.stamp
    if os.name == "nt" and entry.before.sha256 is None:
        # There a backup is a copy, of the file's size and time, with an inode of its own.
        own = stamp_of(entry.backup)
        if own is None or own[:2] != entry.before.stamp[:2]:
            return
        expected = own
    with contextlib.suppress(FileNotFoundError, ConflictError):
        _core.remove(entry.backup, expected=expected)
