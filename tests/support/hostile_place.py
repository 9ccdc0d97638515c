"""A small store with one lost row that is easy to put back, and helpers to attack it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import sessscan
from sessscan.changes.undo import choose, undo
from sessscan.reconciliation import reconcile

NOW = 1_790_000_000_000
VICTIM = "0d1e7a7e-0000-4000-8000-00000000000{}"


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("utf-8", "surrogatepass")


def row(session_id: str, cli: str, **more: Any) -> bytes:
    fields = {"sessionId": session_id, "cliSessionId": cli, "cwd": "/home/ada", "title": "A title"}
    return compact({**fields, "createdAt": NOW - 9_000_000, "lastActivityAt": NOW - 8_000_000, **more})


def transcript(cli: str, title: str = "A title") -> bytes:
    when = "2026-09-21T10:00:0{}.000Z"
    common = {"sessionId": cli, "cwd": "/home/ada", "version": "2.0.0", "isSidechain": False}
    common |= {"entrypoint": "claude-desktop", "userType": "external"}
    prompt = {"role": "user", "content": "Hello"}
    lines = [
        {
            "parentUuid": None,
            **common,
            "type": "user",
            "message": prompt,
            "uuid": cli,
            "timestamp": when.format(1),
        },
        {"type": "custom-title", "customTitle": title, "sessionId": cli},
    ]
    return b"".join(compact(line) + b"\n" for line in lines)


class Place:
    """A store with one lost row that is easy to put back, its transcripts, and a folder outside of both."""

    def __init__(self, folder: Path) -> None:
        self.user_data, self.projects = folder / "Claude", folder / "projects"
        self.store = self.user_data / "claude-code-sessions" / VICTIM.format(8) / VICTIM.format(9)
        self.project = self.projects / "-home-ada"
        self.outside = folder / "outside"
        for made in (self.store, self.project, self.outside):
            made.mkdir(parents=True)
        self.lost = self.put(f"local_{VICTIM.format(0)}.json", bytes(500))
        self.add_transcript(VICTIM.format(0))

    def put(self, name: str, content: bytes) -> Path:
        path = self.store / name
        path.write_bytes(content)
        return path

    def add_transcript(self, cli: str, title: str = "A title") -> Path:
        path = self.project / f"{cli}.jsonl"
        path.write_bytes(transcript(cli, title))
        return path

    def plan(self, **more: Any) -> Any:
        return reconcile(self.user_data, self.projects, now=NOW, **more)

    def apply_and_undo(self) -> Any:
        """Apply a plan, check that the lost row is put back, undo the run, and return its report."""
        before = self.lost.read_bytes()
        report = self.plan().apply(force=True)
        action = next(action for action in report.actions if action.path == str(self.lost))
        assert action.status == "applied", report
        assert sessscan.classify(self.lost).kind == "ok"
        run = choose(None)
        assert run is not None
        assert undo(run, force=True).exit_status == 0
        assert self.lost.read_bytes() == before
        return report

    def command(self, *arguments: str, user: int | None = None) -> subprocess.CompletedProcess[bytes]:
        places = ["--store", str(self.user_data), "--projects", str(self.projects)]
        return subprocess.run(
            [sys.executable, "-m", "sessscan", *arguments, *places],
            capture_output=True,
            timeout=60,
            user=user,
        )
