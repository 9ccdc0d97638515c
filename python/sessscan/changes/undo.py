"""Undo a run: read its journal backwards and put each file back through the same writer.

All files are checked before the first one is touched. If one is neither as the run left it nor as it was
before, nothing is done. A file is put back from its backup, with its old mtime, and the backup is removed:
the store is then byte for byte what it was. An interrupted undo can be run again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .. import _core
from ..errors import (
    ConflictError,
    PlanChangedError,
    SessscanError,
    UnconfirmedError,
    UnknownRunError,
    describe,
)
from ..model import Progress
from ..state import home
from ..stores.app import refuse_if_app_runs
from .fingerprint import content_hash
from .journal import Entry, Image, Journal, Run, runs
from .lock import exclusive
from .recover import drop_backup, recover, sweep_beside


@dataclass(frozen=True, slots=True)
class Reversal:
    """What became of one file of a run that is undone."""

    path: str
    session_id: str | None
    title: str | None
    kind: Literal["put-back", "removed"]
    """`put-back`: it is what it was before the run; `removed`: the run had made it."""
    status: Literal["done", "failed"]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of undoing a run."""

    run: str
    reversals: tuple[Reversal, ...]
    """The last file first. Empty if the run was undone already."""

    @property
    def exit_status(self) -> int:
        """0 done; 4 some files could not be written; 5 written, but the disk would not confirm it."""
        if any(reversal.status == "failed" for reversal in self.reversals):
            return 4
        return 5 if any(reversal.error is not None for reversal in self.reversals) else 0


def choose(run: str | None) -> Run | None:
    """Return the run of that id; without an id the newest that is in effect, or None if there is none.

    Raises `UnknownRunError` for an id that no run has, `JournalError` if its journal cannot be read.
    """
    found, errors = runs()
    if run is None:
        newest = next((candidate for candidate in found if candidate.in_effect), None)
        if newest is None and errors:
            raise errors[0]
        return newest
    for candidate in found:
        if candidate.id == run:
            return candidate
    for error in errors:
        if run in str(error):
            raise error
    raise UnknownRunError(f"there is no run {run}: `sessscan log` shows the runs")


def undo(
    run: Run | str | None = None, *, force: bool = False, progress: Progress | None = None
) -> Undone | None:
    """Make every file of a run what it was before the run.

    `run`: a run or its id; None: the newest that is in effect. If there is none, nothing is done and None is
    returned. `force`: also while the desktop app is running. Raises `RefusedError` and its kinds when nothing
    was done, `PlanChangedError` among them if files have changed since, `UnknownRunError` and `JournalError`
    as `choose` does; what happened to a single file is in its `Reversal`.
    """
    if not isinstance(run, Run):
        chosen = choose(run)
        if chosen is None:
            return None
        run = chosen
    if not run.in_effect:
        return Undone(run.id, ())
    if not force:
        refuse_if_app_runs()
    with exclusive(home()):
        run = recover(run)
        due = run.in_effect[::-1]
        if not due:
            return Undone(run.id, ())
        if reasons := _changes(due):
            raise PlanChangedError("nothing was taken back: " + "; ".join(reasons))
        sweep_beside(entry.path for entry in due)
        journal = Journal.reopen(run)
        reversals = []
        for count, entry in enumerate(due, 1):
            reversals.append(_reverse(entry, journal))
            if progress is not None:
                progress(count, len(due))
        if all(reversal.status == "done" for reversal in reversals):
            with contextlib.suppress(OSError):  # the records of the single files say the same
                journal.taken_back()
    return Undone(run.id, tuple(reversals))


def _changes(entries: tuple[Entry, ...]) -> list[str]:
    """Return a line for each entry that cannot be reversed because a file has changed since."""
    return [reason for entry in entries if (reason := _change(entry)) is not None]


def _change(entry: Entry) -> str | None:
    try:
        now = content_hash(entry.path)
        if now == _hash(entry.before):
            return None  # an earlier undo was interrupted, or somebody has put it back by hand
        if now != entry.after.sha256:
            return f"{entry.path} has changed since" if now else f"{entry.path} is gone"
        if entry.backup is not None and content_hash(entry.backup) != _hash(entry.before):
            return f"{entry.backup}, which holds what was there before, is gone or has changed"
    except OSError as error:
        return describe(error)
    return None


def _hash(image: Image | None) -> str | None:
    return None if image is None else image.sha256


def _reverse(entry: Entry, journal: Journal) -> Reversal:
    """Put one file back, and record that in the journal."""
    kind: Literal["put-back", "removed"] = "put-back" if entry.before else "removed"
    reversal = Reversal(entry.path, entry.session_id, entry.title, kind, "done")
    try:
        _put_back(entry)
    except UnconfirmedError as error:
        reversal = replace(reversal, error=describe(error))
    except (OSError, SessscanError) as error:
        return replace(reversal, status="failed", error=describe(error))
    try:
        journal.undone(entry.index)
    except OSError as error:
        reversal = replace(reversal, error=f"it is done, but the journal could not say so: {describe(error)}")
    return reversal


def _put_back(entry: Entry) -> None:
    """Replace a file by its backup, or remove it if the run made it. Do nothing if it is so already."""
    now = content_hash(entry.path)
    if now != _hash(entry.before):
        if entry.before is None or entry.backup is None:
            _core.remove(entry.path, expected=entry.after.sha256)
            return
        content = Path(entry.backup).read_bytes()
        if hashlib.sha256(content).hexdigest() != _hash(entry.before):
            raise ConflictError(f"{entry.backup} was written by another program at the same moment")
        try:
            mtime = None if entry.before is None else entry.before.mtime_ns
            _core.replace(entry.path, content, expected=entry.after.sha256, modified_ns=mtime)
        except UnconfirmedError:
            _restore_mtime(entry)
            raise  # the backup stays, since it may still be needed
    if content_hash(entry.path) != _hash(entry.before):
        raise ConflictError(f"{entry.path} was written by another program at the same moment")
    _restore_mtime(entry)
    drop_backup(entry)


def _restore_mtime(entry: Entry) -> None:
    """Restore the old mtime of a file that was put back without it, by hand or by an older sessscan."""
    if entry.before is not None and entry.before.mtime_ns is not None:
        with contextlib.suppress(OSError):
            access = Path(entry.path).stat().st_atime_ns
            os.utime(entry.path, ns=(access, entry.before.mtime_ns))
