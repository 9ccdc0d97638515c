"""Build the files of the sample store: transcripts as the CLI writes them, rows as the app does."""

from __future__ import annotations

import datetime
import json
import random
import re
import uuid
from typing import Any

from .sessions import ANSWERS, CODE, FOLLOW_UPS, Session

VERSION = "2.1.204"
MODEL = "claude-opus-4-5"


def identifier(dice: random.Random) -> str:
    """Return a random uuid; the same ones for the same seed."""
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def compact(value: Any) -> bytes:
    """Return JSON as the CLI and the app write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def key(folder: str) -> str:
    """Return the name of the folder under `projects` for sessions that began in `folder`."""
    return re.sub("[^A-Za-z0-9]", "-", folder)


def repository(session: Session) -> str:
    """Return the root of the session's repository."""
    return f"{CODE}/{session.project}"


def folder(session: Session) -> str:
    """Return the folder in which the session worked: a worktree, or the repository."""
    root = repository(session)
    return f"{root}/.claude/worktrees/{session.worktree}" if session.worktree else root


def began(session: Session) -> int:
    """Return the time of the first record, in epoch ms."""
    return session.epoch + round(session.day * 86_400_000)


def ended(session: Session) -> int:
    """Return the time of the last record, in epoch ms."""
    return began(session) + round(session.minutes * 60_000)


def transcript(session: Session, session_id: str, dice: random.Random) -> bytes:
    """Return the content of the session's transcript."""
    return _Transcript(session, session_id, dice).bytes()


class _Transcript:
    """Builds a transcript, line by line."""

    def __init__(self, session: Session, session_id: str, dice: random.Random) -> None:
        self.session, self.id, self.dice = session, session_id, dice
        self.lines: list[bytes] = []
        self.parent: str | None = None
        self.context = 14_000
        """The tokens that the next response is given."""
        # The records are spread evenly over the session; the last one is at its end.
        self.steps = 4 * session.turns - 1
        self.step = 0

    def bytes(self) -> bytes:
        session = self.session
        self.state(type="mode", mode="normal")
        if session.worktree:
            self.worktree_state()
        for turn in range(session.turns):
            prompt = session.prompt if turn == 0 else self.dice.choice(FOLLOW_UPS)
            self.chain("user", {"role": "user", "content": prompt}, promptId=identifier(self.dice))
            self.tool_use()
            self.answer([{"type": "text", "text": self.dice.choice(ANSWERS)}])
            if turn == session.turns // 2 and session.titled != "prompt":
                self.title()
        self.state(type="last-prompt", lastPrompt=prompt)
        return b"\n".join(self.lines) + b"\n"

    def title(self) -> None:
        """Set the title. A custom one comes after the automatic one."""
        if self.session.titled == "custom":
            self.state(type="ai-title", aiTitle=self.session.prompt[:40])
            self.state(type="custom-title", customTitle=self.session.title)
        else:
            self.state(type="ai-title", aiTitle=self.session.title)

    def worktree_state(self) -> None:
        session = self.session
        self.state(
            type="worktree-state",
            worktreeSession={
                "originalCwd": repository(session),
                "worktreePath": folder(session),
                "worktreeName": session.worktree,
                "worktreeBranch": f"claude/{session.worktree}",
                "originalBranch": "main",
                "sessionId": self.id,
            },
        )

    def tool_use(self) -> None:
        call = f"toolu_{self.dice.getrandbits(60):020d}"
        name = self.dice.choice(("src/main.py", "tests/test_main.py", "README.md", "pyproject.toml"))
        path = f"{folder(self.session)}/{name}"
        self.answer([{"type": "tool_use", "id": call, "name": "Read", "input": {"file_path": path}}])
        # A tool's result may contain anything, even text that looks like a record.
        text = '     1\t{"type":"custom-title","customTitle":"no title","timestamp":"2020-01-01T00:00:00Z"}\n'
        for line in range(2, self.dice.randrange(8, 60)):
            verb, limit = self.dice.choice(("load", "check", "store")), self.dice.randrange(9000)
            text += f"{line:6}\tresult = {verb}(entry, limit={limit})\n"
        result = {"type": "tool_result", "tool_use_id": call, "content": text}
        tool_use_result = {"type": "text", "file": {"filePath": path}}
        self.chain("user", {"role": "user", "content": [result]}, toolUseResult=tool_use_result)
        self.context += len(text) // 4

    def answer(self, content: list[dict[str, Any]]) -> None:
        written = len(compact(content)) // 4 + self.dice.randrange(20, 900)
        fresh = self.dice.randrange(4, 90)
        usage = {"input_tokens": fresh, "cache_read_input_tokens": self.context, "output_tokens": written}
        message = {"model": MODEL, "id": f"msg_{self.dice.getrandbits(60):020d}", "type": "message",
                   "role": "assistant", "content": content, "stop_reason": None, "usage": usage}  # fmt: skip
        self.chain("assistant", message)
        self.context += fresh + written

    def state(self, **record: Any) -> None:
        self.lines.append(compact({**record, "sessionId": self.id}))

    def chain(self, kind: str, message: dict[str, Any], **more: Any) -> None:
        first, last = began(self.session), ended(self.session)
        at = first + (last - first) * self.step // self.steps
        self.step += 1
        when = datetime.datetime.fromtimestamp(at / 1000, datetime.UTC)
        own = identifier(self.dice)
        self.lines.append(
            compact(
                {
                    "parentUuid": self.parent,
                    "isSidechain": False,
                    "message": message,
                    "type": kind,
                    "uuid": own,
                    "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    **more,
                    "userType": "external",
                    "entrypoint": self.session.entrypoint,
                    "cwd": folder(self.session),
                    "sessionId": self.id,
                    "version": VERSION,
                    "gitBranch": f"claude/{self.session.worktree}" if self.session.worktree else "main",
                }
            )
        )
        self.parent = own


def row(session: Session, row_id: str, cli_session_id: str) -> bytes:
    """Return the undamaged content of the session's row."""
    fields: dict[str, Any] = {
        "sessionId": row_id,
        "cliSessionId": cli_session_id,
        "cwd": folder(session),
        "originCwd": repository(session),
    }
    if session.worktree:
        fields |= {
            "worktreePath": folder(session),
            "worktreeName": session.worktree,
            "branch": f"claude/{session.worktree}",
            "sourceBranch": "main",
        }
    return compact(
        fields
        | {
            "createdAt": began(session) - 1800,
            "lastActivityAt": ended(session),
            "lastFocusedAt": ended(session) + 900,
            "title": session.title,
            "titleSource": "user" if session.titled == "custom" else "auto",
            "isArchived": False,
            "model": MODEL,
            "effort": "high",
            "permissionMode": "acceptEdits",
            "chromePermissionMode": "ask",
            "completedTurns": session.turns,
            "remoteMcpServersConfig": _CONNECTORS,
            "alwaysAllowedReasons": [],
            "sessionPermissionUpdates": [],
            "spawnSeed": {},
        }
    )


# In a real row too, most of the content is the configuration of its connectors.
_CONNECTORS = [
    {
        "uuid": f"5f3c9b1e-0000-4000-8000-{number:012d}",
        "name": name,
        "url": f"https://mcp.example.com/{name.lower()}/sse",
        "tools": [
            {"name": f"{name.lower()}_{verb}", "description": f"{verb.capitalize()} an entry of {name}"}
            for verb in ("list", "get", "create", "update", "search")
        ],
    }
    for number, name in enumerate(("Calendar", "Tickets", "Wiki", "Drive"))
]
