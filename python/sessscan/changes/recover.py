"""After an interruption: what became of the changes that were announced and never reported.

A change is one exchange of a whole file, and the backup is there before it. So the file is what it was, or
what it was to become, or somebody else has written it since.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .. import _core
from ..errors import ConflictError
from .fingerprint import content_hash
from .journal import Entry, Journal, Run, read


def settle(run: Run) -> Run:
    """Completes the journal of an interrupted run by looking at its files; returns the run as it is then,
    without entries if it turns out to have changed nothing: then it is no run, and its journal is gone.

    An entry whose file is neither what it was nor what it was to become stays open, if sessscan can have
    written it. The caller holds the lock.
    """
    open_entries = [entry for entry in run.entries if entry.outcome is None]
    if run.ended and not open_entries:
        return run
    journal = Journal.reopen(run)
    for entry in open_entries:
        with contextlib.suppress(OSError):  # a file that cannot be read now can be looked at another time
            _look(entry, journal)
    if not run.ended:
        journal.end()
    settled = read(run.journal) or run
    if all(entry.outcome == "failed" for entry in settled.entries):
        journal.discard()
        return replace(settled, entries=())
    return settled


def _look(entry: Entry, journal: Journal) -> None:
    now = content_hash(entry.path)
    if now == entry.after.sha256:
        journal.done(entry.index)
    elif now == (entry.before.sha256 if entry.before else None):
        drop_backup(entry)
        journal.failed(entry.index, "interrupted before it was written")
    elif entry.backup is None or content_hash(entry.backup) is None:
        journal.failed(entry.index, "interrupted before it was written; another program has written it since")


def sweep_beside(paths: Iterable[str]) -> None:
    """Removes temporary files that interrupted runs left in the folders of `paths`."""
    for folder in {str(Path(path).parent) for path in paths}:
        with contextlib.suppress(OSError):  # where it matters, writing there will say so
            _core.sweep(folder)


def drop_backup(entry: Entry) -> None:
    """Removes the backup of a file that is again (or still) what it was, if it holds the same."""
    if entry.backup is not None and entry.before is not None:
        with contextlib.suppress(FileNotFoundError, ConflictError):
            _core.remove(entry.backup, expected=entry.before.sha256)
