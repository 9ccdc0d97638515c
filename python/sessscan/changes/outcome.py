"""Define what a plan and the report on it have in common: their fields, and their JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..missed import count_missed
from ..model import MOVE_LEASES, MOVE_ROW, TRANSCRIPT_KINDS, Action, Finding, FolderMove, Missed, Store

Schema = Literal["sessscan.reconcile/1", "sessscan.repair/1", "sessscan.move/1"]
"""What an outcome is about: the rows of stores, damaged transcripts, or a folder that was moved."""

RECONCILE: Schema = "sessscan.reconcile/1"
REPAIR: Schema = "sessscan.repair/1"
RELOCATE: Schema = "sessscan.move/1"

_STANDING = frozenset(("restore", "hold", MOVE_ROW, MOVE_LEASES)) | TRANSCRIPT_KINDS
"""The kinds of actions that leave something wrong as long as they are not applied, but for a hold of a row
that the app can read."""


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
    schema: Schema = RECONCILE
    """What it is about, by the name of its JSON."""
    moved: FolderMove | None = None
    """The folder that a plan of `move` is about."""

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
        return Missed() if self.schema != RECONCILE else count_missed(self.findings, self.actions)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `reconcile`, `repair` and `move` print with `--format json`."""
        further = {REPAIR: _repair_object, RELOCATE: _move_object}.get(self.schema, _nothing)
        return {
            "schema": self.schema,
            "run": self.run,
            **(asdict(self.moved) if self.moved is not None else {}),
            "stores": [{"path": store.path, "rows": rows} for store, rows in self.stores],
            "summary": self.summary,
            "findings": [finding_object(finding) for finding in self.findings],
            "actions": [_action_object(action) | further(action) for action in self.actions],
        }

    def has_standing_error(self) -> bool:
        """Tell whether a row is unreadable or not restored, or a transcript not repaired or moved; also
        where held."""
        mended = {action.path for action in self.actions if action.status == "applied"}
        readable = {finding.path for finding in self.findings if finding.rule == "unlinked"}
        return any(f.severity == "error" and f.path not in mended for f in self.findings) or any(
            (a.kind in _STANDING and a.status != "applied" and a.path not in readable) or a.held
            for a in self.actions
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


def _repair_object(action: Action) -> dict[str, Any]:
    """Return what the JSON object of an action has besides if it is about a transcript.

    Bytes are shown as text: those that are no UTF-8 as half surrogates, from which they can be told.
    """
    return {
        "utf16": action.utf16,
        "edits": [
            {
                "offset": edit.offset,
                "old": edit.old.decode("utf-8", "surrogateescape"),
                "new": edit.new.decode("utf-8", "surrogateescape"),
                "times": edit.times,
                "reason": edit.reason,
            }
            for edit in action.edits
        ],
        "reached": None if action.reached is None else asdict(action.reached),
        "left_out": [asdict(one) for one in action.left_out],
        "held": [asdict(one) for one in action.held],
    }


def _move_object(action: Action) -> dict[str, Any]:
    """Return what the JSON object of an action has besides if it is about a folder that was moved."""
    return {
        "target": action.target,
        "appended": [edit.new.decode("utf-8", "surrogateescape") for edit in action.edits],
    }


def _nothing(_: Action) -> dict[str, Any]:
    return {}


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
