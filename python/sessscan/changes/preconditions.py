"""Tell whether the files that actions rest on are still what they were when the actions were planned."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..model import Action
from .fingerprint import Checker


def changes(actions: Iterable[Action]) -> list[str]:
    """Return a line for each file that planned actions rest on and that has changed. Each line names it."""
    checker = Checker()
    found: dict[str, str] = {}
    for action in actions:
        if action.status == "planned":
            folder = os.path.dirname(action.path)  # noqa: PTH120 - many paths, already text
            if action.source != "snapshot" and not Path(folder).is_dir():
                found.setdefault(folder, f"{folder} is gone")
                continue
            for fingerprint in action.rests_on:
                reason = checker.difference(fingerprint)
                if reason is not None:
                    found.setdefault(fingerprint.path, reason)
    return list(found.values())
