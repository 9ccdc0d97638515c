"""Show the runs, and what taking one back did: as text, and as documents for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ..changes.journal import Entry, Run
from ..changes.undo import Undone
from ..model import MOVE, MOVE_LEASES, MOVE_ROW
from ..stores.locate import TRANSCRIPT_NAME
from .screen import Page
from .text import counted, folded, when

SCHEMA_LOG = "sessscan.log/1"
SCHEMA_UNDO = "sessscan.undo/1"

_SHOWN = 20
"""The most files of a run that are listed; of the others the number is shown."""

_STATES = {
    "complete": "complete",
    "interrupted": "interrupted",
    "taken-back": "taken back",
}


def print_log(runs: Sequence[Run], *, unreadable: int = 0) -> None:
    """Print the runs, newest first, as they are given. `unreadable`: how many could not be read."""
    page = Page()
    if not runs and not unreadable:
        page.prose("sessscan has changed nothing here, as far as it knows.")
    for number, run in enumerate(runs):
        if number:
            page.gap()
        _print_run(page, run)


def log_document(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the runs as a JSON object, schema `sessscan.log/1`."""
    return {"schema": SCHEMA_LOG, "runs": [_run(run) for run in runs]}


def _print_run(page: Page, run: Run) -> None:
    page.prose(f"{run.id}  {when(run.started_at)} UTC, {_STATES[run.state]}", style="bold")
    entries = run.in_effect or run.entries
    page.prose(f"{_changes(entries)}.", indent=2)
    for entry in entries[:_SHOWN]:
        page.prose(_label(entry), indent=2, lead="- ")
    if len(entries) > _SHOWN:
        page.prose(f"and {counted(len(entries) - _SHOWN, 'more file')}", indent=2, lead="- ")
    if run.in_effect:
        page.whole(
            f"sessscan undo {run.id}", indent=2, lead="To take it back: ", style="cyan", lead_style="none"
        )


def _changes(entries: Sequence[Entry]) -> str:
    made = sum(entry.before is None for entry in entries)
    indexes = sum(entry.kind == "rebuild-index" for entry in entries)
    repaired = sum(entry.kind == "repair" for entry in entries)
    back = sum(entry.kind == "restore-transcript" for entry in entries)
    made -= sum(entry.kind == "restore-transcript" and entry.before is None for entry in entries)
    moved = sum(
        entry.kind == MOVE and TRANSCRIPT_NAME.fullmatch(_name(entry)) is not None for entry in entries
    )
    beside = sum(entry.kind == MOVE for entry in entries) - moved
    rows = sum(entry.kind == MOVE_ROW for entry in entries)
    leases = sum(entry.kind == MOVE_LEASES for entry in entries)
    restored = len(entries) - made - indexes - repaired - back - moved - beside - rows - leases
    parts = [counted(restored, "row put back", "rows put back")] if restored else []
    parts += [counted(made, "row made", "rows made")] if made else []
    parts += [counted(repaired, "transcript repaired", "transcripts repaired")] if repaired else []
    parts += [counted(back, "transcript put back", "transcripts put back")] if back else []
    parts += [counted(indexes, "index rebuilt", "indexes rebuilt")] if indexes else []
    parts += [counted(moved, "transcript moved", "transcripts moved")] if moved else []
    parts += [counted(beside, "file or folder beside them", "files or folders beside them")] if beside else []
    parts += [counted(rows, "row changed", "rows changed")] if rows else []
    parts += [counted(leases, "list of worktrees changed", "lists of worktrees changed")] if leases else []
    return ", ".join(parts)


def _name(entry: Entry) -> str:
    return PurePath(entry.path).name


def _label(entry: Entry) -> str:
    if not entry.title:
        return entry.path
    return f"{folded(entry.title)} ({entry.session_id or PurePath(entry.path).stem})"


def _run(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "time": run.started_at,
        "state": run.state,
        "entries": [
            {
                "kind": entry.kind,
                "path": entry.path,
                "session_id": entry.session_id,
                "title": entry.title,
                "created": entry.before is None,
                "backup": entry.backup,
                **({"target": entry.target} if entry.target is not None else {}),
                "outcome": entry.outcome,
                "error": entry.error,
                "undone": entry.undone,
            }
            for entry in run.entries
        ],
    }


def print_undone(undone: Undone | None) -> None:
    """Print what `undo` did; None: there was no run to undo."""
    page = Page()
    if undone is None:
        page.prose("There is no run to take back.")
        return
    if not undone.reversals:
        page.prose(f"There is nothing to take back in run {undone.run}: it is taken back already.")
        return
    failed = [reversal for reversal in undone.reversals if reversal.status == "failed"]
    restored = len(undone.reversals) - len(failed)
    if failed:
        text = f"is taken back in part: {restored:,} of {len(undone.reversals):,} files"
    else:
        text = f"is taken back: {counted(restored, 'file is what it was', 'files are what they were')} before"
    page.prose(f"Run {undone.run} {text}.", style="bold")
    for reversal in undone.reversals:
        if reversal.error is not None:
            page.prose(f"{reversal.path}: {reversal.error}", indent=2, lead="! ", lead_style="red")
    if failed:
        page.gap()
        page.prose("When the cause is fixed, take the rest back with:")
        page.whole(f"sessscan undo {undone.run}", indent=2, style="cyan")


def undone_document(undone: Undone | None) -> dict[str, Any]:
    """Return what `undo` did as a JSON object, schema `sessscan.undo/1`."""
    return {
        "schema": SCHEMA_UNDO,
        "run": undone.run if undone else None,
        "files": [
            {
                "path": reversal.path,
                "session_id": reversal.session_id,
                "title": reversal.title,
                "kind": reversal.kind,
                "status": reversal.status,
                "error": reversal.error,
            }
            for reversal in (undone.reversals if undone else ())
        ],
    }
