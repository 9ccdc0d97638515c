"""Define the plan of a reconciliation, which can be saved, loaded and applied, and the report on it.

Both have the same fields and the same JSON, so that a script reads one like the other. In a report, `run`
names the run that `undo` takes back, and each action's `status` says what became of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..model import Progress
from ..stores.locate import StrPath
from . import plan_file, preconditions
from .apply import apply
from .outcome import Outcome


@dataclass(frozen=True)
class Plan(Outcome):
    """What is wrong, and what would be done about it. Making one writes nothing."""

    @property
    def exit_status(self) -> int:
        """0 no error stands; 1 one does (planned, or held); 4 some files could not be read."""
        return 4 if self.has_unreadable_file() else 1 if self.has_standing_error() else 0

    def save(self, path: StrPath) -> None:
        """Write the plan to a new file of mode 0600, with all that is needed to apply exactly it.

        Raises `ConflictError` if the file exists already, `PlanFileError` for a plan that could not be loaded
        again, and OSError.
        """
        plan_file.save(self, path)

    def changes(self) -> list[str]:
        """Return a line for each file the plan rests on that has changed since the plan was made."""
        return preconditions.changes(self.actions)

    def apply(self, *, exact: bool = False, force: bool = False, progress: Progress | None = None) -> Report:
        """Apply the plan: restores, adoptions, indexes, repairs, moves. What is held stays as it is.

        An action that rests on a file that has changed since is refused, and the rest is done. With `exact`
        nothing is done then, and `PlanChangedError` names each such file. `force`: also while the desktop app
        is running, and also transcripts that were written in the last seconds. Raises `RefusedError` and its
        kinds when nothing at all was written; what happened to a single file is in the `status` and `error`
        of its action.
        """
        actions, run = apply(
            self.actions, [store for store, _ in self.stores], exact=exact, force=force, progress=progress
        )
        done = (self.stores, self.rows, self.transcripts, self.bytes, self.findings, actions)
        return Report(*done, run=run, schema=self.schema, moved=self.moved)


@dataclass(frozen=True)
class Report(Outcome):
    """What was done. An `applied` action with an `error` is written, but the disk did not confirm it."""

    @property
    def exit_status(self) -> int:
        """0 no error stands; 1 one does; 3 refused, nothing written; 4 some files could not be read or
        written; 5 written, but the disk would not confirm it."""
        statuses = Counter(action.status for action in self.actions)
        if any(action.status == "applied" and action.error is not None for action in self.actions):
            return 5
        if statuses["refused"] and not statuses["applied"] and not statuses["failed"]:
            return 3
        if statuses["refused"] or statuses["failed"] or self.has_unreadable_file():
            return 4
        return 1 if self.has_standing_error() else 0
