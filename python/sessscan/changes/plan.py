"""What a reconciliation says: the plan before anything is written, and the report after.

Both have the same shape and the same JSON (`to_dict`), so that a script reads one like the other; in a report
`run` names the run that `undo` takes back, and each action's `status` says what became of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..model import Action, Finding, Progress, Store
from ..stores.locate import StrPath

SCHEMA = "sessscan.reconcile/1"


@dataclass(frozen=True)
class _Outcome:
    stores: tuple[tuple[Store, int], ...]
    """Each store, and how many rows are in it."""
    rows: int
    transcripts: int
    bytes: int
    """Size of all rows and transcripts that were looked at."""
    findings: tuple[Finding, ...]
    actions: tuple[Action, ...]
    run: str | None = None
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """What could not be read or kept of sessscan's own snapshots, in words for the user."""

    @property
    def summary(self) -> dict[str, Any]:
        """How much was looked at, and how many findings (by rule) and actions (by kind) came of it."""
        return {
            "rows": self.rows,
            "transcripts": self.transcripts,
            "bytes": self.bytes,
            "findings": dict(Counter(finding.rule for finding in self.findings)),
            "actions": dict(Counter(action.kind for action in self.actions)),
        }

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `reconcile --format json` prints."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "stores": [{"path": store.path, "rows": rows} for store, rows in self.stores],
            "summary": self.summary,
            "findings": [finding_object(finding) for finding in self.findings],
            "actions": [_action(action) for action in self.actions],
        }

    def _stands(self) -> bool:
        """Whether a session is still lost: an unreadable row, or a restore that is not done."""
        mended = {action.path for action in self.actions if action.status == "applied"}
        return any(f.severity == "error" and f.path not in mended for f in self.findings) or any(
            a.kind in ("restore", "hold") and a.status != "applied" for a in self.actions
        )

    def _unread(self) -> bool:
        return any(finding.rule == "unreadable" for finding in self.findings)


@dataclass(frozen=True)
class Plan(_Outcome):
    """What is wrong, and what would be done about it. Making one writes nothing."""

    @property
    def exit_status(self) -> int:
        """0 no error stands; 1 one does (planned, or held); 4 some files could not be read."""
        return 4 if self._unread() else 1 if self._stands() else 0

    def save(self, path: StrPath) -> None:
        """Writes the plan to a new file of mode 0600, with all that is needed to carry out exactly it.

        Raises `ConflictError` where there is a file already, `PlanFileError` for a plan that could not be
        loaded again, and OSError.
        """
        from .plan_file import save

        save(self, path)

    @staticmethod
    def load(path: StrPath) -> Plan:
        """The plan in a file that `save` wrote. Raises OSError, and `PlanFileError` if it is none."""
        from .plan_file import load

        return load(path)

    def changes(self) -> list[str]:
        """What it rests on and is no longer as it was: a line for each file, which names it."""
        from .preconditions import changes

        return changes(self)

    def apply(self, *, exact: bool = False, force: bool = False, progress: Progress | None = None) -> Report:
        """Carries the plan out: restores, adoptions, indexes; holds stay as they are.

        Where something has changed since, that action is refused and the rest is done; with `exact` nothing
        is, and `PlanChangedError` names each file. `force`: also while the desktop app is running. Raises
        `RefusedError` and its kinds when nothing at all was written; what happened to a single file is its
        action's `status` and `error`.
        """
        from .apply import apply

        return apply(self, exact=exact, force=force, progress=progress)


@dataclass(frozen=True)
class Report(_Outcome):
    """What was done. `applied` with an `error` means: written, but the disk did not confirm it."""

    @property
    def exit_status(self) -> int:
        """0 no error stands; 1 one does; 3 refused, nothing written; 4 some files could not be read or
        written; 5 written, but the disk would not confirm it."""
        statuses = Counter(action.status for action in self.actions)
        if any(action.status == "applied" and action.error is not None for action in self.actions):
            return 5
        if statuses["refused"] and not statuses["applied"] and not statuses["failed"]:
            return 3
        if statuses["refused"] or statuses["failed"] or self._unread():
            return 4
        return 1 if self._stands() else 0


def finding_object(finding: Finding) -> dict[str, Any]:
    """A finding as the JSON has it."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "path": finding.path,
        "session_id": finding.session_id,
        "transcript": finding.transcript,
        "offset": finding.offset,
        "length": finding.length,
        "message": finding.message,
    }


def _action(action: Action) -> dict[str, Any]:
    return {
        "kind": action.kind,
        "path": action.path,
        "session_id": action.session_id,
        "cli_session_id": action.cli_session_id,
        "transcript": action.transcript,
        "source": action.source,
        "evidence": [{"kind": e.kind, "detail": e.detail} for e in action.evidence],
        "candidates": [
            {
                "transcript": c.transcript,
                "cli_session_id": c.cli_session_id,
                "title": c.title,
                "cwd": c.cwd,
                "last_activity_at": c.last_activity_at,
                "reason": c.reason,
            }
            for c in action.candidates
        ],
        "row": action.row,
        "provenance": action.provenance,
        "status": action.status,
        "backup": action.backup,
        "error": action.error,
    }
