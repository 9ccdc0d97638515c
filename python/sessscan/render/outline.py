"""What there is to say of a plan or a report, whether on a terminal or on a page."""

from __future__ import annotations

import os
from pathlib import PurePath

from ..changes.plan import Plan, Report
from ..model import Action
from ..rules import BY_NAME
from .text import counted, folded, when

ELIMINATION = "by elimination"
"""How sure a match is that rests on times alone: nothing else fits."""


class Outline:
    """What belongs together, in the order in which it is told."""

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
            # What belongs to a session that is shown above says nothing new.
            and not (finding.rule in ("leftover-tmp", "lost-lease") and finding.session_id in sessions)
            and not (finding.rule == "orphan" and finding.transcript in offered)
        ]

    def count(self, status: str) -> int:
        return sum(action.status == status for action in self.actions)

    def verdict(self) -> str:
        """How it stands, in a sentence."""
        planned = sum(action.kind == "restore" for action in self.actions if action.status == "planned")
        stuck = sum(finding.severity == "error" for finding in self.others)
        lost = sum(action.kind in ("restore", "hold") for action in self.outcome.actions) + stuck
        parts = [f"{planned:,} can be put back"] if planned else []
        choice = sum(bool(action.candidates) for action in self.holds)
        parts += [f"{choice:,} held until you decide"] if choice else []
        if len(self.holds) > choice:
            parts.append(f"{len(self.holds) - choice:,} held with nothing to go by")
        parts += [f"{stuck:,} beyond repair"] if stuck else []
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
        """What is wrong with the row, in a few words."""
        finding = self.states.get(action.path)
        if finding is None:
            return "not there"
        amount = f" ({finding.length:,} bytes)" if finding.rule == "zero-filled" and finding.length else ""
        return f"{BY_NAME[finding.rule].brief}{amount}"


def certainty(action: Action) -> str:
    """How sure the match is."""
    kinds = {evidence.kind for evidence in action.evidence}
    if "match" in kinds:
        return "your word"
    return ELIMINATION if kinds <= {"time"} else "certain"


def how(action: Action) -> str:
    """What the new row is made of."""
    if any(evidence.kind == "own" for evidence in action.evidence):
        return "put back with its own content"
    if action.source == "tmp":
        return "put back as the app's own unfinished save has it"
    if action.source == "copy":
        return "put back from a copy of it, brought up to date from its transcript"
    if action.source == "prefix":
        return "put back from what is left of it, the rest from its transcript"
    if action.source == "snapshot":
        return "put back as sessscan has seen it last"
    return "made anew from its transcript"


def short(text: str, action: Action) -> str:
    """`text`, with files beside the row by their names alone."""
    return text.replace(f"{PurePath(action.path).parent}{os.sep}", "")


def title_of(action: Action) -> str:
    """The session's title, on one line."""
    title = action.row.get("title")
    return (folded(title) if isinstance(title, str) else "") or "(no title)"


def folder_of(action: Action) -> str:
    folder = action.row.get("cwd")
    return folder if isinstance(folder, str) else ""


def time_of(action: Action, key: str) -> int | None:
    """A time of the row to be written; rows that were put back whole may hold anything."""
    value = action.row.get(key)
    return int(value) if isinstance(value, int | float) and abs(value) < 1e15 else None


def last_of(action: Action) -> int | None:
    return time_of(action, "lastActivityAt")


def period_of(action: Action) -> str:
    """When the session was, and how long."""
    first, last = when(time_of(action, "createdAt")), when(last_of(action))
    if first and first[:10] == last[:10]:
        last = last[11:]
    text = " to ".join(filter(None, (first, last)))
    turns = action.row.get("completedTurns")
    count = counted(turns, "turn") if isinstance(turns, int) else ""
    return ", ".join(filter(None, (text and f"{text} UTC", count)))
