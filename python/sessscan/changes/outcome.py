"""Define what a plan and the report on it have in common: their fields, and their JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..missed import count_missed
from ..model import Action, Finding, Missed, Store

SCHEMA = "sessscan.reconcile/1"


@dataclass(frozen=True)
class Outcome:
    """What a reconciliation found in its stores, and what is to be done, or was done, about it."""

    stores: tuple[tuple[Store, int], ...]
    """Each store, with the number of its rows."""
    rows: int
    transcripts: int
    bytes: int
    """The size of all rows and transcripts that were read."""
    findings: tuple[Finding, ...]
    actions: tuple[Action, ...]
    run: str | None = None
    """The run that `undo` takes back; None in a plan, and where nothing was written."""
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """What could not be read from, or written to, sessscan's own snapshots, in words for the user."""
    retention: tuple[str, ...] = field(default=(), compare=False)
    """How long transcripts are kept, in sentences, where one was not found."""

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers of rows, transcripts, bytes, findings (by rule) and actions (by kind)."""
        return {
            "rows": self.rows,
            "transcripts": self.transcripts,
            "bytes": self.bytes,
            "findings": dict(Counter(finding.rule for finding in self.findings)),
            "actions": dict(Counter(action.kind for action in self.actions)),
        }

    @property
    def missed(self) -> Missed:
        """How many sessions are missed, by what can be done about them."""
        return count_missed(self.findings, self.actions)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `reconcile --format json` prints."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "stores": [{"path": store.path, "rows": rows} for store, rows in self.stores],
            "summary": self.summary,
            "findings": [finding_object(finding) for finding in self.findings],
            "actions": [_action_object(action) for action in self.actions],
        }

    def has_standing_error(self) -> bool:
        """Tell whether a session is still lost: its row is unreadable, held, or not restored."""
        mended = {action.path for action in self.actions if action.status == "applied"}
        return any(f.severity == "error" and f.path not in mended for f in self.findings) or any(
            a.kind in ("restore", "hold") and a.status != "applied" for a in self.actions
        )

    def has_unreadable_file(self) -> bool:
        """Tell whether a file of the stores could not be read."""
        return any(finding.rule == "unreadable" for finding in self.findings)


def finding_object(finding: Finding) -> dict[str, Any]:
    """Return the JSON object of a finding."""
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


def _action_object(action: Action) -> dict[str, Any]:
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
