"""Apply planned actions to the files they name, one after the other.

1. Refuse while the desktop app is running; take the lock; complete the journals of interrupted runs.
2. For each action: leave its file alone if a file the action rests on has changed.
3. Write the intent to the journal, on the disk.
4. Let the core keep the old file beside the new one, and exchange the two.
5. Write the outcome to the journal.

If the process is killed at any point, each file is whole, old or new, and the journal says how to undo the
run. An action that fails is reported, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from .. import _core
from ..errors import (
    ConflictError,
    PlanChangedError,
    RefusedError,
    SessscanError,
    UnconfirmedError,
    describe,
)
from ..model import MOVE, MOVE_ROW, TRANSCRIPT_KINDS, Action, Fingerprint, Progress, Store
from ..state import home, make_home
from ..stores.app import refuse_if_app_runs
from ..stores.live_sessions import in_use
from ..stores.locate import REGISTRIES
from .absences import AbsenceChecker
from .fingerprint import Checker, content_hash
from .image import Image, Stamp
from .journal import BACKUP_SUFFIX, Journal, runs
from .lock import exclusive
from .moved import carry_out
from .preconditions import changes
from .recover import close_put_back, recover, sweep_beside, sweep_folders


def apply(
    actions: Sequence[Action],
    stores: Sequence[Store] = (),
    *,
    exact: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> tuple[tuple[Action, ...], str | None]:
    """Apply those of `actions` that are planned. See `Plan.apply`.

    `stores`: those that were looked at. What interrupted runs left in their folders is removed, also where
    there is nothing to do.

    Returns all actions, with what became of each, and the id of the run; None if nothing was changed.
    """
    due = [index for index, action in enumerate(actions) if action.status == "planned"]
    if exact and any(action.status == "refused" for action in actions):
        raise PlanChangedError(f"the plan no longer fits: {'; '.join(changes(actions))}")
    if not due:
        sweep_folders(stores)
        return tuple(actions), None
    if not force and any(actions[index].kind not in TRANSCRIPT_KINDS for index in due):
        refuse_if_app_runs()
    outcomes = list(actions)
    with _refusing_without_journal():
        state = make_home()
    with exclusive(state):
        if exact and (reasons := changes(actions)):
            raise PlanChangedError(f"the plan no longer fits: {'; '.join(reasons)}")
        _recover_interrupted_runs()
        sweep_folders(stores)
        sweep_beside(actions[index].path for index in due)
        with _refusing_without_journal():
            journal = Journal.create()
        writer = _Writer(journal, force=force)
        for count, index in enumerate(due, 1):
            outcomes[index] = writer.apply(actions[index])
            if progress is not None:
                progress(count, len(due))
        run = writer.close()
    return tuple(outcomes), run


@contextlib.contextmanager
def _refusing_without_journal() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedError(f"no journal can be kept in {home()} ({error.strerror})") from error


def _recover_interrupted_runs() -> None:
    """Complete the journals of interrupted runs, except of those that were interrupted while being undone."""
    for run in runs()[0]:
        with contextlib.suppress(OSError, SessscanError):
            close_put_back(run)
        if run.state == "interrupted" and not any(entry.undone for entry in run.entries):
            with contextlib.suppress(OSError, SessscanError):  # the next run tries again
                recover(run)
            sweep_beside(entry.path for entry in run.entries)


class _Writer:
    """The run under way: it applies one action after the other and keeps their journal."""

    def __init__(self, journal: Journal, *, force: bool) -> None:
        self._journal = journal
        self._force = force
        self._changed = False
        self._checker = Checker()
        self._absences = AbsenceChecker()
        self._written: dict[str, str] = {}
        """The sha256 of each file this run has written."""
        self._stayed: set[str] = set()
        """The sessions of which something could not be moved: then the rest stays, too."""

    def apply(self, action: Action) -> Action:
        """Apply an action; return it with its outcome in `status`, `backup` and `error`."""
        moves = action.kind in (MOVE, MOVE_ROW) and action.cli_session_id is not None
        if moves and action.cli_session_id in self._stayed:
            error = "left alone: its session could not be moved, and stays as it is"
            return replace(action, status="refused", error=error)
        done = self._apply(action)
        if moves and done.status != "applied":
            self._stayed.add(action.cli_session_id or "")
        return done

    def _apply(self, action: Action) -> Action:
        for fingerprint in action.rests_on:
            reason = self._checker.difference(fingerprint, self._written)
            if reason is not None:
                return replace(action, status="refused", error=f"left alone: {reason}")
        if action.absence is not None:
            reason = self._absences.appeared(action.absence, action.session_id)
            if reason is not None:
                return replace(action, status="refused", error=f"left alone: {reason}")
        is_transcript = action.kind in TRANSCRIPT_KINDS
        transcript = action.transcript or action.path
        if is_transcript and (reason := in_use(transcript, force=self._force)) is not None:
            return replace(action, status="refused", error=f"left alone: {reason}")
        write = (
            self._move if action.kind == MOVE else self._write_transcript if is_transcript else self._write
        )
        try:
            return write(action, action.rests_on[0])
        except ConflictError as error:
            return replace(action, status="refused", error=f"left alone: {error}")
        except (OSError, ValueError, SessscanError) as error:
            return replace(action, status="failed", error=describe(error))

    def _write_transcript(self, action: Action, target: Fingerprint) -> Action:
        """Edit a transcript, or put one back. The journal is told once the new file is whole, before it is
        seen."""
        stamp = _stamp(target)
        backup = _free_name(action.path + BACKUP_SUFFIX) if target.exists else None
        announced: list[tuple[int, Image]] = []

        def announce(new: Stamp) -> None:
            after = Image.of_stamp(new)
            entry = self._journal.intent(
                kind=action.kind,
                path=action.path,
                session_id=action.session_id,
                title=None,
                before=Image.of_stamp(stamp) if target.exists else None,
                after=after,
                backup=backup,
            )
            announced.append((entry, after))

        doubt = None
        edits = [(edit.offset, edit.old, edit.new, edit.times) for edit in action.edits]
        source = None if action.assembled is None else (action.assembled.path, _stamp(action.assembled))
        try:
            if target.exists:
                _core.edit(
                    action.path,
                    edits,
                    seen=stamp,
                    utf16=action.utf16,
                    source=source,
                    backup=backup,
                    announce=announce,
                )
            elif source is not None:
                _make_project_folder(Path(action.path).parent)
                _core.copy_new(action.path, *source, announce=announce)
            else:
                raise ConflictError(f"{action.path} is gone")
        except (OSError, ValueError, SessscanError) as error:
            if not announced:
                raise
            [(entry, after)] = announced
            doubt = describe(error)
            # If that cannot be told now, the entry stays open, for `recover` to look again.
            written = isinstance(error, UnconfirmedError) or after.is_at(action.path)
            if not (written or after.has_grown_at(action.path)):
                with contextlib.suppress(OSError):
                    self._journal.failed(entry, doubt)
                raise
        [(entry, _)] = announced
        return self._done(action, entry, backup, doubt)

    def _move(self, action: Action, _: Fingerprint) -> Action:
        entry, doubt = carry_out(action, self._journal)
        return self._done(action, entry, None, doubt)

    def _write(self, action: Action, target: Fingerprint) -> Action:
        digest = hashlib.sha256(action.content).hexdigest()
        after = Image(digest, len(action.content), None)
        before = backup = None
        if target.exists:
            if target.sha256 is None:
                raise ConflictError(f"{action.path}: the plan does not say what its content was")
            before = Image(target.sha256, target.size, target.mtime_ns)
            backup = _free_name(action.path + BACKUP_SUFFIX)
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
                _make_store_folder(Path(action.path).parent)
            _core.replace(
                action.path,
                action.content,
                expected=_core.ABSENT if before is None else before.sha256,
                backup=backup,
            )
        except UnconfirmedError as error:
            doubt = describe(error)
        except (OSError, SessscanError) as error:
            # If the file's content cannot be read now, the entry stays open, for `recover` to look again.
            if content_hash(action.path) != digest:
                with contextlib.suppress(OSError):
                    self._journal.failed(entry, describe(error))
                raise
            doubt = describe(error)
        self._written[action.path] = digest
        return self._done(action, entry, backup, doubt)

    def _done(self, action: Action, entry: int, backup: str | None, doubt: str | None) -> Action:
        """Record that an action is applied. `doubt`: why it may not survive a power cut."""
        self._changed = True
        try:
            self._journal.done(entry, doubt)
        except OSError as error:
            doubt = f"it is written, but the journal could not say so: {describe(error)}"
        return replace(action, status="applied", backup=backup, error=doubt)

    def close(self) -> str | None:
        """End the run. Return its id, or None if it has changed nothing: its journal is removed then."""
        if not self._changed:
            with contextlib.suppress(OSError):
                self._journal.discard()
            return None
        with contextlib.suppress(OSError):  # the next run completes it
            self._journal.end()
        return self._journal.run


def _make_store_folder(folder: Path) -> None:
    """Make the folder of a store that was lost with all its rows, with mode 0700 and fsynced.

    Nothing is made unless the folder lies two below a registry, in a userData folder that exists.
    """
    registry = folder.parent.parent
    if folder.is_dir() or registry.name not in REGISTRIES or not registry.parent.is_dir():
        return
    for each in (registry, folder.parent, folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)
            _sync(each.parent)


def _make_project_folder(folder: Path) -> None:
    """Make the project folder of a transcript that was removed with it, with mode 0700 and fsynced.

    Nothing is made unless the folder that holds all project folders exists.
    """
    if not folder.is_dir() and folder.parent.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)


def _stamp(fingerprint: Fingerprint) -> Stamp:
    return fingerprint.size, fingerprint.mtime_ns, fingerprint.inode


def _sync(folder: Path) -> None:
    """Fsync the folder so that its entries survive a power cut (no-op on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _free_name(name: str) -> str:
    """Return `name`, or the first of `name.1`, `name.2`, … that does not exist, not even as a broken link."""
    free, number = name, 0
    while os.path.lexists(free):
        number += 1
        free = f"{name}.{number}"
    return free
