"""Undo a run: read its journal backwards and put each file back through the same writer.

All files are checked before the first one is touched. If one is neither as the run left it nor as it was
before, nothing is done. A file is put back from its backup, a row with its old mtime, and the backup is
removed: the store is then byte for byte what it was. An interrupted undo can be run again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal

import msgspec

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
from ..stores.live_sessions import in_use
from . import moved
from .image import Image, Stamp, stamp_of
from .journal import Entry, Journal, Run, runs
from .lock import exclusive
from .recover import drop_backup, is_as_before, recover, sweep_beside


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
    if not force and not all(entry.is_transcript for entry in run.in_effect):
        refuse_if_app_runs()
    with exclusive(home()):
        run = recover(run)
        due = _in_order(run.in_effect)
        if not due:
            return Undone(run.id, ())
        if reasons := _changes(due):
            raise PlanChangedError("nothing was taken back: " + "; ".join(reasons))
        sweep_beside(entry.path for entry in due)
        journal = Journal.reopen(run)
        reversals: list[Reversal] = []
        for count, entry in enumerate(due, 1):
            rows_back = all(one.status == "done" for one in reversals if one.path.endswith(".json"))
            reversals.append(_reverse(entry, journal) if entry.target is None or rows_back else _stays(entry))
            if progress is not None:
                progress(count, len(due))
        if all(reversal.status == "done" for reversal in reversals):
            with contextlib.suppress(OSError):  # the records of the single files say the same
                journal.taken_back()
    return Undone(run.id, tuple(reversals))


def _in_order(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return entries in the order in which they are taken back: the last one first.

    What was moved comes after that, with the session that was used longest ago first: each transcript gets a
    new time, which lists go by.
    """
    used = {
        PurePath(entry.path).stem: entry.before.mtime_ns or 0
        for entry in entries
        if entry.target is not None and entry.before is not None and entry.path.endswith(".jsonl")
    }
    back = entries[::-1]
    moves = [entry for entry in back if entry.target is not None]
    moves.sort(key=lambda entry: used.get(PurePath(entry.path).name.partition(".")[0], 0))
    return (*(entry for entry in back if entry.target is None), *moves)


def _changes(entries: tuple[Entry, ...]) -> list[str]:
    """Return a line for each entry that cannot be reversed because a file has changed since."""
    return [reason for entry in entries if (reason := _change(entry)) is not None]


def _change(entry: Entry) -> str | None:
    try:
        if is_as_before(entry):
            return None  # an earlier undo was interrupted, or somebody has put it back by hand
        if entry.is_transcript and (reason := in_use(entry.path, force=True)) is not None:
            return reason
        if entry.target is not None:
            return moved.why_not_back(entry)
        if not entry.after.is_at(entry.path):
            if not os.path.lexists(entry.path):
                return f"{entry.path} is gone"
            if entry.is_transcript and entry.after.has_grown_at(entry.path):
                return f"{entry.path} has grown since the run, and what was added would be lost"
            return f"{entry.path} has changed since"
        if not _has_backup(entry):
            return f"{entry.backup}, which holds what was there before, is gone or has changed"
    except OSError as error:
        return describe(error)
    return None


def _has_backup(entry: Entry) -> bool:
    """Tell whether the backup, where there was a file before, still holds what that was."""
    if entry.before is None or entry.backup is None:
        return True
    # Where a file could not be linked the backup is a copy: of its size and mtime, with another inode.
    return msgspec.structs.replace(entry.before, inode=0).is_at(entry.backup)


def _reverse(entry: Entry, journal: Journal) -> Reversal:
    """Put one file back, and record that in the journal."""
    kind: Literal["put-back", "removed"] = "put-back" if entry.before else "removed"
    reversal = Reversal(entry.path, entry.session_id, entry.title, kind, "done")
    try:
        _put_back(entry, journal)
    except UnconfirmedError as error:
        reversal = replace(reversal, error=describe(error))
    except (OSError, SessscanError) as error:
        return replace(reversal, status="failed", error=describe(error))
    try:
        journal.undone(entry.index)
    except OSError as error:
        reversal = replace(reversal, error=f"it is done, but the journal could not say so: {describe(error)}")
    return reversal


def _stays(entry: Entry) -> Reversal:
    """Leave what was moved in its new place, as long as a row names that."""
    error = "it stays in its new place, since a row could not be put back"
    return Reversal(entry.path, entry.session_id, entry.title, "put-back", "failed", error)


def _put_back(entry: Entry, journal: Journal) -> None:
    """Replace a file by its backup, or remove it if the run made it. Do nothing if it is so already."""
    if entry.target is not None:
        moved.put_back(entry, journal)
        return
    if entry.before is None or entry.backup is None:
        if entry.before is not None or os.path.lexists(entry.path):
            _core.remove(entry.path, expected=entry.after.sha256 or entry.after.stamp)
        return
    if entry.is_transcript:
        _copy_back(entry, entry.backup, journal)
    else:
        _write_back(entry, entry.before, entry.backup)
    drop_backup(entry)


def _copy_back(entry: Entry, backup: str, journal: Journal) -> None:
    """Replace a transcript by a copy of its backup.

    Its mtime is new: with an old one the CLI might remove the transcript at its next start.
    """
    stamp = stamp_of(backup)
    if entry.is_as_before() or stamp is None:
        return

    def announce(new: Stamp) -> None:
        journal.restoring(entry.index, Image.of_stamp(new))

    _core.edit(entry.path, [], seen=entry.after.stamp, source=(backup, stamp), announce=announce)


def _write_back(entry: Entry, before: Image, backup: str) -> None:
    """Replace a row by its backup, with its old mtime."""
    if not before.is_at(entry.path):
        content = Path(backup).read_bytes()
        if hashlib.sha256(content).hexdigest() != before.sha256:
            raise ConflictError(f"{backup} was written by another program at the same moment")
        try:
            _core.replace(entry.path, content, expected=entry.after.sha256, modified_ns=before.mtime_ns)
        except UnconfirmedError:
            _restore_mtime(entry)
            raise  # the backup stays, since it may still be needed
    if not before.is_at(entry.path):
        raise ConflictError(f"{entry.path} was written by another program at the same moment")
    _restore_mtime(entry)


def _restore_mtime(entry: Entry) -> None:
    """Restore the old mtime of a file that was put back without it, by hand or by an older sessscan."""
    if entry.before is not None and entry.before.mtime_ns is not None:
        with contextlib.suppress(OSError):
            access = Path(entry.path).stat().st_atime_ns
            os.utime(entry.path, ns=(access, entry.before.mtime_ns))
