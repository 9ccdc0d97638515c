"""Count the sessions that a person misses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .model import Action, Finding, Missed


def count_missed(findings: Iterable[Finding], actions: Iterable[Action]) -> Missed:
    """Return how many sessions are missed, by what can be done about them."""
    findings, actions = list(findings), [a for a in actions if a.kind != "rebuild-index"]
    handled = {action.path for action in actions}
    status = Counter(action.status for action in actions)
    held = [action for action in actions if action.status == "held"]
    known = {candidate.transcript for action in held for candidate in action.candidates}
    known |= {action.transcript for action in actions if action.transcript is not None}
    to_choose = sum(bool(action.candidates) for action in held)
    rules = Counter(finding.rule for finding in findings)
    return Missed(
        back=status["applied"],
        restorable=status["planned"],
        to_choose=to_choose,
        undecided=len(held) - to_choose,
        beyond_repair=sum(one.severity == "error" and one.path not in handled for one in findings),
        refused=status["refused"],
        failed=status["failed"],
        orphans=sum(one.rule == "orphan" and one.transcript not in known for one in findings),
        hollow=rules["hollow"],
        unlinked=rules["unlinked"],
        dangling=rules["dangling"],
        moved=rules["moved"],
        forgotten=rules["forgotten"],
        unread=sum(one.rule == "unreadable" and one.severity != "note" for one in findings),
    )
