"""Make a session whose project's folder was moved for the lanes: a transcript, its folder, and its row.

They are moved by `sessscan move` and taken back by `sessscan undo`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from sessscan.changes.plan import Plan
from sessscan.relocation import move
from small_store import Rows

SESSION = "0a1b2c3d-0000-4000-8000-000000000000"
PLACE = "/home/ada/shop"


class SmallMove:
    """A home in `folder`, with sessscan's state beside it. `SESSSCAN_HOME` is set to that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.projects = folder / "projects"
        self.user_data = folder / "Claude"
        self.store = self.user_data / "claude-code-sessions" / "account" / "organisation"
        self.work = folder / "work"
        self.before = self.projects / "-home-ada-shop"
        self.make()
        planned = {action.path: action for action in self.plan().actions}
        [self.transcript] = [path for path in planned if path.endswith(".jsonl")]
        [self.row] = [path for path in planned if path.endswith(".json")]
        self.target = planned[self.transcript].target or ""
        self.replaced = Path(self.row)
        [edit] = planned[self.transcript].edits
        self.line = edit.new
        self.beside = self.transcript.removesuffix(".jsonl") + "/kept"
        self.beside_target = self.target.removesuffix(".jsonl") + "/kept"
        self.rows = [self.transcript, self.target, self.row, self.beside, self.beside_target]
        self.old = self.content()
        text = self.old[self.transcript]
        assert text is not None
        self.new: Rows = {
            self.transcript: None,
            self.target: text + self.line,
            self.row: planned[self.row].content,
            self.beside: None,
            self.beside_target: b"kept",
        }
        self.names = self.listing()

    def make(self) -> None:
        """Make the files anew, as if they were written long ago, and an empty state."""
        os.environ["SESSSCAN_HOME"] = str(self.folder / "state")
        for each in (self.before / SESSION, self.store, self.work):
            each.mkdir(parents=True)
        (self.before / SESSION / "kept").write_bytes(b"kept")
        record = {"parentUuid": None, "type": "user", "uuid": "u1", "cwd": PLACE, "sessionId": SESSION}
        record["message"] = {"role": "user", "content": "hello"}
        transcript = self.before / f"{SESSION}.jsonl"
        transcript.write_text(json.dumps(record) + "\n")
        os.utime(transcript, (1, 1))
        row = {"sessionId": f"local_{SESSION}", "cliSessionId": SESSION, "cwd": PLACE, "createdAt": 1}
        (self.store / f"local_{SESSION}.json").write_text(json.dumps(row | {"lastActivityAt": 1}))

    def plan(self) -> Plan:
        """Return a plan for what is not moved yet."""
        return move(PLACE, self.work, self.user_data, self.projects)

    def content(self) -> Rows:
        return {path: Path(path).read_bytes() if Path(path).exists() else None for path in self.rows}

    def check_content(self, now: Rows) -> None:
        """Check that the transcript, what lies beside it, and the row are each in one of their states."""
        text = self.old[self.transcript]
        assert text is not None
        states = [(text, None), (text + self.line, None), (None, text + self.line)]
        assert (now[self.transcript], now[self.target]) in states, f"the transcript is in no state: {now}"
        beside = (now[self.beside], now[self.beside_target])
        assert beside in [(b"kept", None), (None, b"kept")], f"what lies beside it is in no state: {now}"
        assert now[self.row] in (self.old[self.row], self.new[self.row]), (
            f"the row is neither old nor new: {now}"
        )
        if now[self.row] == self.new[self.row]:
            assert now[self.target] is not None, "the row names a folder in which its transcript is not yet"

    def program(self, command: str) -> list[str]:
        """Return the arguments of Python for a command."""
        if "undo" in command:
            return ["-m", "sessscan", "undo", "--force"]
        places = ["--store", str(self.user_data), "--projects", str(self.projects)]
        return ["-m", "sessscan", "move", PLACE, str(self.work), "--apply", "--force", "--no-index", *places]

    def listing(self) -> list[str]:
        folders = (self.before, Path(self.target).parent, self.store)
        return sorted(path.name for folder in folders if folder.is_dir() for path in folder.iterdir())
