"""Sort a plan or a report into the parts that are shown, on a terminal and on the report's page."""

from __future__ import annotations

import os
from pathlib import PurePath

from ..changes.plan import Plan, Report
from ..model import Action
from ..rules import BY_NAME
from ..stores.row_fields import DEFAULTS
from .text import counted, folded, when
from .verdict import verdict

ELIMINATION = "by elimination"
"""How certain a match is that rests on times alone."""


class Outline:
    """The parts of a plan or a report, each in the order in which it is shown."""

    def __init__(self, outcome: Plan | Report) -> None:
        self.outcome = outcome
        by_time = sorted(outcome.actions, key=lambda action: last_of(action) or 0, reverse=True)
        self.indexes = [action for action in outcome.actions if action.kind == "rebuild-index"]
        self.actions = [a for a in by_time if a.status != "held" and a.kind != "rebuild-index"]
        held = [action for action in outcome.actions if action.status == "held"]
        self.holds = sorted(held, key=lambda action: not action.candidates)
        self.states = {finding.path: finding for finding in reversed(outcome.findings)}
        handled = {action.path for action in outcome.actions}
        sessions = {action.session_id for action in outcome.actions}
        offered = {candidate.transcript for action in self.holds for candidate in action.candidates}
        made = {action.transcript for action in outcome.actions}
        self.orphans = [
            finding
            for finding in outcome.findings
            if finding.rule == "orphan" and finding.transcript not in offered | made
        ]
        """The findings on sessions without a row that nothing above is about."""
        self.others = [
            finding
            for finding in outcome.findings
            if finding.path not in handled
            # These say nothing new about a session that is already shown.
            and not (finding.rule in ("leftover-tmp", "lost-lease") and finding.session_id in sessions)
            and finding.rule != "orphan"
        ]

    def count(self, status: str) -> int:
        """Return the number of actions with a status, those on indexes aside."""
        return sum(action.status == status for action in self.actions)

    def verdict(self) -> str:
        """Say in one sentence what is wrong and what can be done."""
        outcome = self.outcome
        return verdict(outcome.missed, stores=len(outcome.stores), rows=outcome.rows)

    def state(self, action: Action) -> str:
        """Say in a few words what is wrong with the row."""
        finding = self.states.get(action.path)
        if finding is None:
            return "not there"
        amount = f" ({finding.length:,} bytes)" if finding.rule == "zero-filled" and finding.length else ""
        return f"{BY_NAME[finding.rule].brief}{amount}"


def certainty(action: Action) -> str:
    """Say how certain the match is."""
    kinds = {evidence.kind for evidence in action.evidence}
    if "match" in kinds:
        return "your choice"
    return ELIMINATION if kinds <= {"time", "place"} else "certain"


def origin(action: Action) -> str:
    """Say where the content of the new row comes from."""
    if action.kind == "relink":
        return f"linked to {action.cli_session_id} again, all else as it is"
    if any(evidence.kind == "own" for evidence in action.evidence):
        return "put back with its own content"
    if action.source == "tmp":
        return "put back from the app's unfinished save"
    if action.source == "copy":
        return "put back from a copy, updated from its transcript"
    if action.source == "prefix":
        return "put back from what is left of it, with the rest from its transcript"
    if action.source == "snapshot":
        return "put back from its snapshot"
    return "rebuilt from its transcript"


def grants_of(action: Action) -> str:
    """Say what the row that is put back was granted, where that is more than a new session is granted."""
    if action.kind == "relink":
        return ""
    granted = {
        key: action.row[key]
        for key, usual in DEFAULTS.items()
        if action.row.get(key) not in (None, usual) and key != "spawnSeed"
    }
    return ", ".join(f"{key} {_amount(value)}" for key, value in granted.items())


def _amount(value: object) -> str:
    """Return a text as it is, of anything else how much it holds."""
    if isinstance(value, str):
        return value
    return f"({counted(len(value) if isinstance(value, list | dict) else 1, 'entry', 'entries')})"


def short(text: str, action: Action) -> str:
    """Shorten the paths of files beside the row to their names."""
    return text.replace(f"{PurePath(action.path).parent}{os.sep}", "")


def title_of(action: Action) -> str:
    """Return the session's title, on one line."""
    title = action.row.get("title")
    return (folded(title) if isinstance(title, str) else "") or "(no title)"


def folder_of(action: Action) -> str:
    """Return the session's folder, or an empty text."""
    folder = action.row.get("cwd")
    return folder if isinstance(folder, str) else ""


def time_of(action: Action, key: str) -> int | None:
    """Return a time of the new row, in epoch ms. A row that is put back unchanged may hold anything there."""
    value = action.row.get(key)
    return int(value) if isinstance(value, int | float) and abs(value) < 1e15 else None


def last_of(action: Action) -> int | None:
    """Return when the session was last active, in epoch ms."""
    return time_of(action, "lastActivityAt")


def period_of(action: Action) -> str:
    """Say when the session took place, and with how many turns."""
    first, last = when(time_of(action, "createdAt")), when(last_of(action))
    if first and first[:10] == last[:10]:
        last = last[11:]
    text = " to ".join(filter(None, (first, last)))
    turns = action.row.get("completedTurns")
    count = counted(turns, "turn") if isinstance(turns, int) else ""
    return ", ".join(filter(None, (text and f"{text} UTC", count)))
