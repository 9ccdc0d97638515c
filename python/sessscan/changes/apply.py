"""Carrying out a plan: the only place where sessscan changes a store, and only through the core's `replace`.

1. Refuse while the desktop app runs; take the lock; settle what an interrupted run has left.
2. For each action: is all that it was concluded from still what it was? If not, leave it.
3. The intent goes into the journal and onto the disk.
4. The core keeps the old file beside the new one, and exchanges them.
5. The outcome goes into the journal.

Killed at any point, each file is whole, old or new, and the journal tells how to take it back. An action that
fails is reported, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import replace
from pathlib import Path

from .. import _core
from ..errors import ConflictError, PlanChangedError, RefusedError, SessscanError, UnconfirmedError
from ..model import Action, Fingerprint, Progress
from ..stores.app import refuse_if_app_runs
from ..stores.locate import REGISTRIES
from . import journal
from .fingerprint import Checker, content_hash
from .lock import exclusive
from .plan import Plan, Report
from .preconditions import changes
from .recover import settle, sweep_beside


def apply(
    plan: Plan, *, exact: bool = False, force: bool = False, progress: Progress | None = None
) -> Report:
    """Does what `plan` says and reports what became of it. See `Plan.apply`."""
    due = [index for index, action in enumerate(plan.actions) if action.status == "planned"]
    actions = list(plan.actions)
    run = None
    if due:
        if not force:
            refuse_if_app_runs()
        with exclusive(_home()):
            if exact and (reasons := changes(plan)):
                raise PlanChangedError(f"the plan no longer fits: {'; '.join(reasons)}")
            _clean_up(plan)
            writer = _Writer(_journal())
            for count, index in enumerate(due):
                actions[index] = writer.carry_out(actions[index])
                if progress is not None:
                    progress(count + 1, len(due))
            run = writer.close()
    return Report(
        plan.stores, plan.rows, plan.transcripts, plan.bytes, plan.findings, tuple(actions), run=run
    )


def _home() -> Path:
    try:
        return journal.make_home()
    except OSError as error:
        raise _no_journal(error) from error


def _journal() -> journal.Journal:
    try:
        return journal.Journal.create()
    except OSError as error:
        raise _no_journal(error) from error


def _no_journal(error: OSError) -> RefusedError:
    return RefusedError(f"no journal can be kept in {journal.home()} ({error.strerror})")


def _clean_up(plan: Plan) -> None:
    """Settles interrupted runs, and sweeps the temporary files they left in the folders to be written."""
    for run in journal.runs()[0]:
        if run.state == "interrupted" and not any(entry.undone for entry in run.entries):
            with contextlib.suppress(OSError, SessscanError):  # it can be settled another time
                settle(run)
    sweep_beside(action.path for action in plan.actions if action.status == "planned")


class _Writer:
    """The run in the making."""

    def __init__(self, own: journal.Journal) -> None:
        self._journal = own
        self._changed = False
        self._checker = Checker()
        self._written: dict[str, str] = {}

    def carry_out(self, action: Action) -> Action:
        """The action with its outcome in `status`, `backup` and `error`."""
        for fingerprint in action.rests_on:
            reason = self._checker.changed(fingerprint, self._written)
            if reason is not None:
                return replace(action, status="refused", error=f"left alone: {reason}")
        try:
            return self._write(action, action.rests_on[0])
        except ConflictError as error:
            return replace(action, status="refused", error=f"left alone: {error}")
        except (OSError, SessscanError) as error:
            return replace(action, status="failed", error=explain(error))

    def _write(self, action: Action, target: Fingerprint) -> Action:
        after = journal.Image(hashlib.sha256(action.content).hexdigest(), len(action.content))
        before = backup = None
        if target.exists:
            if target.sha256 is None:
                raise ConflictError(f"{action.path}: the plan does not say what its content was")
            before = journal.Image(target.sha256, target.size, target.mtime_ns)
            backup = _free_name(action.path + journal.BACKUP_SUFFIX)
        title = action.row.get("title")
        entry = self._journal.intent(
            kind=action.kind,
            path=action.path,
            session_id=action.session_id,
            title=title if isinstance(title, str) else None,
            before=before,
            after=after,
            backup=backup,
        )
        doubt = None
        try:
            if before is None and action.source == "snapshot":
                _make_store(Path(action.path).parent)
            _core.replace(
                action.path,
                action.content,
                expected=_core.ABSENT if before is None else before.sha256,
                backup=backup,
            )
        except UnconfirmedError as error:
            doubt = explain(error)
        except (OSError, SessscanError) as error:
            # Where it cannot be told what stands there now, the entry stays open, for `undo` to look again.
            if content_hash(action.path) != after.sha256:
                with contextlib.suppress(OSError):
                    self._journal.failed(entry, explain(error))
                raise
            doubt = explain(error)
        self._changed = True
        self._written[action.path] = after.sha256
        try:
            self._journal.done(entry, doubt)
        except OSError as error:
            doubt = f"it is written, but the journal could not say so: {explain(error)}"
        return replace(action, status="applied", backup=backup, error=doubt)

    def close(self) -> str | None:
        """Ends the run; its id, or None where it has changed nothing."""
        if not self._changed:
            with contextlib.suppress(OSError):
                self._journal.discard()
            return None
        with contextlib.suppress(OSError):  # the next run completes it
            self._journal.end()
        return self._journal.run


def _make_store(folder: Path) -> None:
    """Makes the folder of a store that was lost with all its rows, private and durably, as the app has it:
    two below a registry in a userData folder that is there."""
    registry = folder.parent.parent
    if folder.is_dir() or registry.name not in REGISTRIES or not registry.parent.is_dir():
        return
    for each in (registry, folder.parent, folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)
            _sync(each.parent)


def _sync(folder: Path) -> None:
    """On the disk is what is in the folder, where a folder can be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _free_name(name: str) -> str:
    """`name`, or the first of `name.1`, `name.2`, … that is not there. A link that leads nowhere is there."""
    free, number = name, 0
    while os.path.lexists(free):
        number += 1
        free = f"{name}.{number}"
    return free


def explain(error: Exception) -> str:
    """An error in words, with the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
