"""A small damaged store for the lanes: one row to be put back and one to be made, by the real command."""

from __future__ import annotations

import os
from pathlib import Path

from sessscan.changes.plan import Plan
from sessscan.demo import make
from sessscan.reconciliation import reconcile

Rows = dict[str, bytes | None]
"""What each row holds, by path; None: it is not there."""


class SmallStore:
    """Made in `folder`, with sessscan's state beside it (`SESSSCAN_HOME` is set to it)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user_data, self.projects = make(folder / "sample")
        self.state = folder / "state"
        os.environ["SESSSCAN_HOME"] = str(self.state)
        self._thin_out()
        actions = self.plan().actions
        assert [action.status for action in actions] == ["planned"] * 2, actions
        self.rows = [action.path for action in actions]
        self.old = self.content()
        assert sorted(map(bool, self.old.values())) == [False, True], "one row is replaced, one made"
        self.new: Rows = {action.path: action.content for action in actions}
        self.names = self.listing()

    @property
    def replaced(self) -> Path:
        """The row that is there and damaged."""
        return next(Path(row) for row, content in self.old.items() if content is not None)

    def _thin_out(self) -> None:
        """More rows would only be more of the same."""
        kept = set()
        for action in self.plan().actions:
            proof = {evidence.kind for evidence in action.evidence}
            made = not Path(action.path).exists()
            if (made and proof == {"tmp"}) or (not made and proof == {"uuid"}):
                kept.add(action.path)
        for action in self.plan().actions:
            if action.path not in kept:
                Path(action.path).unlink(missing_ok=True)
                Path(action.path + ".tmp").unlink(missing_ok=True)

    def plan(self) -> Plan:
        return reconcile(stores=[str(self.user_data)], projects=[str(self.projects)])

    def content(self) -> Rows:
        return {row: Path(row).read_bytes() if Path(row).exists() else None for row in self.rows}

    def listing(self) -> list[str]:
        return sorted(path.name for path in Path(self.rows[0]).parent.iterdir())

    def arguments(self, command: str) -> list[str]:
        """Those of the command line."""
        if command == "undo":
            return ["undo", "--force"]
        store = ["--store", str(self.user_data), "--projects", str(self.projects)]
        # Without what is kept for the next time: SQLite's own writes, of which the number changes.
        return ["reconcile", "--apply", "--force", "--no-index", "--no-snapshot", *store]
