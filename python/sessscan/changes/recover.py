"""Complete the journals of interrupted runs: find out which of the announced changes were made.

A change is one exchange of a whole file, and the backup exists before it. So the file is as it was before,
or as it was to become, or another program has written it since.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .. import _core
from ..errors import ConflictError
from ..model import Store
from .fingerprint import content_hash
from .journal import Entry, Journal, Run, read


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
        with contextlib.suppress(OSError):  # the next recovery tries again
            _close(entry, journal)
    if not run.ended:
        journal.end()
    recovered = read(run.journal) or run
    if all(entry.outcome == "failed" for entry in recovered.entries):
        journal.discard()
        return replace(recovered, entries=())
    return recovered


def _close(entry: Entry, journal: Journal) -> None:
    """Write the outcome of an open entry to the journal, if its file shows what the outcome was."""
    now = content_hash(entry.path)
    if now == entry.after.sha256:
        journal.done(entry.index)
    elif now == (entry.before.sha256 if entry.before else None):
        drop_backup(entry)
        journal.failed(entry.index, "interrupted before it was written")
    elif entry.backup is None or content_hash(entry.backup) is None:
        journal.failed(entry.index, "interrupted before it was written; another program has written it since")


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
    if entry.backup is not None and entry.before is not None:
        with contextlib.suppress(FileNotFoundError, ConflictError):
            _core.remove(entry.backup, expected=entry.before.sha256)
