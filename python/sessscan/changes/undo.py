"""Taking a run back: its journal read backwards, through the same writer.

All files are looked at before the first is touched, and where one is neither what the run made of it nor
what it was before, nothing is done at all. A file is put back from its backup, with its time, and the backup,
which is then of no more use, is removed: the store is byte for byte what it was. Interrupted, it can be run
again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .. import _core
from ..errors import ConflictError, PlanChangedError, SessscanError, UnconfirmedError
from ..model import Progress
from ..stores.app import refuse_if_app_runs
from .apply import explain
from .fingerprint import content_hash
from .journal import Entry, Image, Journal, Run, home, runs
from .lock import exclusive
from .recover import drop_backup, settle, sweep_beside


@dataclass(frozen=True, slots=True)
class Reversal:
    """One file of a run that was taken back."""

    path: str
    session_id: str | None
    title: str | None
    kind: Literal["put-back", "removed"]
    """`put-back`: it is what it was before; `removed`: the run had made it."""
    status: Literal["done", "failed"]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of taking a run back."""

    run: str
    reversals: tuple[Reversal, ...]

    @property
    def exit_status(self) -> int:
        """0 done; 4 some files could not be written; 5 written, but the disk would not confirm it."""
        if any(reversal.status == "failed" for reversal in self.reversals):
            return 4
        return 5 if any(reversal.error is not None for reversal in self.reversals) else 0


def choose(run: str | None) -> Run | None:
    """The run of that id, or the newest that changed something and is not taken back; None: there is none.

    Raises `ValueError` for an id that no run has, `JournalError` where its journal cannot be read.
    """
    found, wrong = runs()
    if run is None:
        chosen = next((candidate for candidate in found if candidate.standing), None)
        if chosen is None and wrong:
            raise wrong[0]
        return chosen
    for candidate in found:
        if candidate.id == run:
            return candidate
    for error in wrong:
        if run in str(error):
            raise error
    raise ValueError(f"there is no run {run}: `sessscan log` shows the runs")


def undo(
    run: Run | str | None = None, *, force: bool = False, progress: Progress | None = None
) -> Undone | None:
    """Give every file that a run changed its content and time from before the run.

    `run`: a run or its id; None: the newest that changed something and is not taken back, and if there is no
    such run, nothing is done and None is returned. `force`: also while the desktop app is running. Raises
    `RefusedError` and its kinds if nothing was done, `UnknownRunError` and `JournalError` as `choose` does;
    what happened to a single file is in its `Reversal`.
    """
    if not isinstance(run, Run):
        chosen = choose(run)
        if chosen is None:
            return None
        run = chosen
    if not run.standing:
        return Undone(run.id, ())
    if not force:
        refuse_if_app_runs()
    with exclusive(home()):
        run = settle(run)
        due = run.standing[::-1]
        if not due:
            return Undone(run.id, ())
        _check(due)
        sweep_beside(entry.path for entry in due)
        journal = Journal.reopen(run)
        reversals = []
        for count, entry in enumerate(due):
            reversals.append(_take_back(entry, journal))
            if progress is not None:
                progress(count + 1, len(due))
        if all(reversal.status == "done" for reversal in reversals):
            with contextlib.suppress(OSError):  # each file's own record says the same
                journal.taken_back()
    return Undone(run.id, tuple(reversals))


def _check(entries: tuple[Entry, ...]) -> None:
    """Raises `PlanChangedError`, naming every file that stands in the way."""
    reasons = [reason for entry in entries if (reason := _obstacle(entry)) is not None]
    if reasons:
        raise PlanChangedError("nothing was taken back: " + "; ".join(reasons))


def _obstacle(entry: Entry) -> str | None:
    try:
        now = content_hash(entry.path)
        if now == _hash(entry.before):
            return None  # as it was already: taking it back was interrupted, or somebody did it by hand
        if now != entry.after.sha256:
            return f"{entry.path} has changed since" if now else f"{entry.path} is gone"
        if entry.backup is not None and content_hash(entry.backup) != _hash(entry.before):
            return f"{entry.backup}, which holds what was there before, is gone or has changed"
    except OSError as error:
        return explain(error)
    return None


def _hash(image: Image | None) -> str | None:
    return None if image is None else image.sha256


def _take_back(entry: Entry, journal: Journal) -> Reversal:
    reversal = Reversal(
        entry.path, entry.session_id, entry.title, "put-back" if entry.before else "removed", "done"
    )
    try:
        _reverse(entry)
    except UnconfirmedError as error:
        reversal = replace(reversal, error=explain(error))
    except (OSError, SessscanError) as error:
        return replace(reversal, status="failed", error=explain(error))
    try:
        journal.undone(entry.index)
    except OSError as error:
        reversal = replace(reversal, error=f"it is done, but the journal could not say so: {explain(error)}")
    return reversal


def _reverse(entry: Entry) -> None:
    now = content_hash(entry.path)
    if now != _hash(entry.before):
        if entry.before is None or entry.backup is None:
            _core.remove(entry.path, expected=entry.after.sha256)
            return
        content = Path(entry.backup).read_bytes()
        if hashlib.sha256(content).hexdigest() != _hash(entry.before):
            raise ConflictError(f"{entry.backup} was written by another program at the same moment")
        try:
            _core.replace(entry.path, content, expected=entry.after.sha256)
        except UnconfirmedError:
            _keep_time(entry)
            raise  # and the backup stays: it may be needed yet
    if content_hash(entry.path) != _hash(entry.before):
        raise ConflictError(f"{entry.path} was written by another program at the same moment")
    _keep_time(entry)
    drop_backup(entry)


def _keep_time(entry: Entry) -> None:
    """Gives the file the time it bore; that it cannot be given it is no reason to fail."""
    if entry.before is not None and entry.before.mtime_ns is not None:
        with contextlib.suppress(OSError):
            access = Path(entry.path).stat().st_atime_ns
            os.utime(entry.path, ns=(access, entry.before.mtime_ns))
