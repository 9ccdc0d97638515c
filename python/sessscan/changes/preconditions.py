"""Tell whether what actions rest on is still as it was when the actions were planned."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..model import Action
from .absences import AbsenceChecker
from .fingerprint import Checker


def changes(actions: Iterable[Action]) -> list[str]:
    """Return a line for each file that planned actions rest on and that has changed, or that has come since
    and speaks against them, and for each action that was refused when it was loaded. Each line names it."""
    checker, absences = Checker(), AbsenceChecker()
    found: dict[str, str] = {}
    for action in actions:
        if action.status == "refused":
            found.setdefault(action.path, f"{action.path} is {action.error}")
        if action.status == "planned":
            folder = os.path.dirname(action.path)  # noqa: PTH120 - many paths, already text
            if action.source != "snapshot" and not Path(folder).is_dir():
                found.setdefault(folder, f"{folder} is gone")
                continue
            differences = {each.path: checker.difference(each) for each in action.rests_on}
            changed = {path: reason for path, reason in differences.items() if reason is not None}
            for path, difference in changed.items():
                found.setdefault(path, difference)
            target = action.target
            if target is not None and target != action.path and os.path.lexists(target):
                found.setdefault(target, f"{target} is there now, and nothing is replaced")
            if action.absence is not None and not changed:
                reason = absences.appeared(action.absence, action.session_id)
                if reason is not None:
                    found.setdefault(action.path, f"{action.path} cannot be put back: {reason}")
    return list(found.values())
