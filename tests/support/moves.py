"""Make a home with sessions whose project has moved: transcripts as the CLI writes them, rows, leases."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import sessscan
from sessscan.changes.plan import Plan, Report
from sessscan.stores.project_folder import project_key

OLD = "/home/ada/code/shop"


def session_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-00000000cafe"


class Home:
    """The files of one user, in a folder of the test, and the place where the project is now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.projects = folder / ".claude" / "projects"
        self.user_data = folder / "Claude"
        self.store = self.user_data / "claude-code-sessions" / "account" / "organisation"
        self.new = folder / "work" / "shop"
        for each in (self.projects, self.store, self.new):
            each.mkdir(parents=True)

    def key(self, directory: str | Path) -> Path:
        """Return the project folder of a directory."""
        return self.projects / project_key(str(directory))

    def transcript(
        self,
        number: int,
        cwd: str | None = OLD,
        folder: Path | None = None,
        *,
        more: bytes = b"",
        cwds: tuple[str, ...] = (),
    ) -> Path:
        """Write a transcript of a question and an answer a directory, as if it were last used long ago."""
        name = session_id(number)
        lines: list[dict[str, Any]] = []
        parent = None
        for place in (cwd, *cwds) if cwd is not None else ():
            for kind in ("user", "assistant"):
                uuid = f"{len(lines) + 1:08x}-0000-4000-8000-{number:012x}"
                message: dict[str, Any] = {"role": kind, "content": f"{kind} {number}, in {place}"}
                if kind == "assistant":
                    text = message["content"]
                    message |= {"id": f"msg_{number}_{len(lines)}", "type": "message", "model": "claude-x"}
                    message["content"] = [{"type": "text", "text": text}]
                envelope = {"parentUuid": parent, "isSidechain": False, "type": kind, "message": message}
                envelope |= {"uuid": uuid, "timestamp": f"2026-03-0{1 + len(lines) % 9}T10:00:00.000Z"}
                envelope |= {"userType": "external", "entrypoint": "claude-desktop", "cwd": place}
                lines.append(envelope | {"sessionId": name, "version": "2.1.240", "gitBranch": "main"})
                parent = uuid
        if cwd is None:
            lines.append({"type": "custom-title", "customTitle": f"Title {number}", "sessionId": name})
        path = (folder or self.key(cwd or OLD)) / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (json.dumps(line, separators=(",", ":"), ensure_ascii=False) for line in lines)
        path.write_bytes("".join(f"{line}\n" for line in text).encode() + more)
        self.age(path, number)
        return path

    def age(self, path: Path, number: int = 0) -> None:
        """Give a file a time long ago: later ones for higher numbers."""
        os.utime(path, ns=((1_770_000_000 + number * 60) * 10**9,) * 2)

    def row(self, number: int, cwd: str = OLD, **more: Any) -> Path:
        """Write the app's row of a session."""
        name = f"local_{session_id(number)}"
        fields = {"sessionId": name, "cliSessionId": session_id(number), "cwd": cwd, "originCwd": cwd}
        fields |= {"createdAt": 1_770_000_000_000, "lastActivityAt": 1_770_000_060_000}
        fields |= {"title": f"Räume {number}", "isArchived": False, "unknown": {"cwd": OLD, "n": 1}} | more
        path = self.store / f"{name}.json"
        path.write_bytes(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode())
        return path

    def lease(self, *leases: dict[str, Any]) -> Path:
        path = self.user_data / "git-worktrees.json"
        document = {"schemaVersion": 2, "worktrees": {f"key{n}": one for n, one in enumerate(leases)}}
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def plan(self, old: str | Path = OLD, new: str | Path | None = None, *, prefix: bool = False) -> Plan:
        return sessscan.move(
            old, self.new if new is None else new, self.user_data, self.projects, prefix=prefix
        )

    def move(self, old: str | Path = OLD, new: str | Path | None = None, *, prefix: bool = False) -> Report:
        return self.plan(old, new, prefix=prefix).apply(force=True)

    def picture(self) -> dict[str, bytes]:
        """Return the content of every file."""
        found = (path for path in self.folder.rglob("*") if path.is_file() and "state" not in path.parts)
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}


def line_of(path: Path) -> dict[str, Any]:
    """Return the last line of a transcript."""
    found: dict[str, Any] = json.loads(path.read_bytes().splitlines()[-1])
    return found
