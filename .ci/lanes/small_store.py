"""Make a small damaged store for the lanes: one row to replace and one to create."""

from __future__ import annotations

import os
from pathlib import Path

from sessscan.changes.plan import Plan
from sessscan.demo import make
from sessscan.reconciliation import reconcile

Rows = dict[str, bytes | None]
"""The content of each row by path; None if it does not exist."""


class SmallStore:
    """A store in `folder`, with sessscan's state beside it. `SESSSCAN_HOME` is set to that."""

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
        assert sorted(map(bool, self.old.values())) == [False, True], (
            "one row must be replaced and one created"
        )
        self.new: Rows = {action.path: action.content for action in actions}
        self.names = self.listing()

    @property
    def replaced(self) -> Path:
        """Return the path of the damaged row, the one that exists."""
        return next(Path(row) for row, content in self.old.items() if content is not None)

    def _thin_out(self) -> None:
        """Remove all damaged rows but two: one with a `.tmp`, one that is proved by its uuid."""
        kept = set()
        for action in self.plan().actions:
            evidence = {evidence.kind for evidence in action.evidence}
            missing = not Path(action.path).exists()
            if (missing and evidence == {"tmp"}) or (not missing and evidence == {"uuid"}):
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

    def program(self, command: str) -> list[str]:
        """Return the arguments of Python for a command."""
        return ["-m", "sessscan", *self.arguments("undo" if command == "undo" else "reconcile")]

    def arguments(self, command: str) -> list[str]:
        """Return the arguments of the command line for a command."""
        if command == "undo":
            return ["undo", "--force"]
        store = ["--store", str(self.user_data), "--projects", str(self.projects)]
        # No index and no snapshot: SQLite writes them, and the number of its writes varies.
        return ["reconcile", "--apply", "--force", "--no-index", "--no-snapshot", *store]
