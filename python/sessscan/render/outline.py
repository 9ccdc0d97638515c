"""Sort a plan or a report into the parts that are shown, on a terminal and on the report's page."""

from __future__ import annotations

import os
from pathlib import PurePath

from ..changes.plan import Plan, Report
from ..model import Action
from ..rules import BY_NAME
from .text import counted, folded, when

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
        self.others = [
            finding
            for finding in outcome.findings
            if finding.path not in handled
            # These say nothing new about a session that is already shown.
            and not (finding.rule in ("leftover-tmp", "lost-lease") and finding.session_id in sessions)
            and not (finding.rule == "orphan" and finding.transcript in offered)
        ]

    def count(self, status: str) -> int:
        """Return the number of actions with a status, those on indexes aside."""
        return sum(action.status == status for action in self.actions)

    def verdict(self) -> str:
        """Say in one sentence what is wrong and what can be done."""
        planned = sum(action.kind == "restore" for action in self.actions if action.status == "planned")
        beyond_repair = sum(finding.severity == "error" for finding in self.others)
        lost = sum(action.kind in ("restore", "hold") for action in self.outcome.actions) + beyond_repair
        parts = [f"{planned:,} can be put back"] if planned else []
        to_choose = sum(bool(action.candidates) for action in self.holds)
        parts += [f"{to_choose:,} held until you decide"] if to_choose else []
        if len(self.holds) > to_choose:
            parts.append(f"{len(self.holds) - to_choose:,} held without candidates")
        parts += [f"{beyond_repair:,} beyond repair"] if beyond_repair else []
        parts += [f"{count:,} {name}" for name in ("refused", "failed") if (count := self.count(name))]
        if self.count("applied"):
            text = f"{counted(self.count('applied'), 'session is', 'sessions are')} back"
            text = ", ".join([text, *parts])
        elif lost:
            text = f"{counted(lost, 'session is', 'sessions are')} missing from the app: {', '.join(parts)}"
        elif self.outcome.rows:
            text = "No session is lost: the app can read every row it needs"
        else:
            text = "There are no sessions in this store"
        return f"{text}."

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
