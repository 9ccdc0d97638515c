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
    relinkable = sum(action.kind == "relink" and action.status == "planned" for action in actions)
    held = [action for action in actions if action.status == "held"]
    known = {candidate.transcript for action in held for candidate in action.candidates}
    known |= {action.transcript for action in actions if action.transcript is not None}
    readable = {finding.path for finding in findings if finding.rule == "unlinked"}
    unlinked = sum(action.path in readable for action in held)
    to_choose = sum(bool(action.candidates) and action.path not in readable for action in held)
    rules = Counter(finding.rule for finding in findings)
    return Missed(
        back=status["applied"],
        restorable=status["planned"] - relinkable,
        relinkable=relinkable,
        to_choose=to_choose,
        unlinked_to_choose=unlinked,
        undecided=len(held) - to_choose - unlinked,
        beyond_repair=sum(one.severity == "error" and one.path not in handled for one in findings),
        refused=status["refused"],
        failed=status["failed"],
        orphans=sum(one.rule == "orphan" and one.transcript not in known for one in findings),
        hollow=rules["hollow"],
        unlinked=sum(one.rule == "unlinked" and one.path not in handled for one in findings),
        dangling=rules["dangling"],
        moved=rules["moved"],
        forgotten=rules["forgotten"],
        unread=sum(one.rule == "unreadable" and one.severity != "note" for one in findings),
    )
