"""Make a registry: rows as large as connectors make them, and the transcripts that they name."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path
from random import Random
from typing import Any

from . import sessions
from .content import NAMES, VERBS, Content
from .sessions import Truth

DAY = 86_400_000
"""In milliseconds."""


def make(
    folder: Path, store: Path, dice: Random, content: Content, *, count: int, size: int
) -> dict[str, Any]:
    """Make a registry of `count` rows of `size` bytes with inlined connectors, and a transcript for each.

    The transcripts are the first ones of the set in `store`.

    Some rows are filled with zeros, with the app's unfinished save beside them.
    """
    talks = json.loads((store / "truth.json").read_text())["transcripts"][:count]
    account, organisation = (str(uuid.UUID(int=number, version=4)) for number in (1, 2))
    registry = folder / "Claude" / "claude-code-sessions" / account / organisation
    registry.mkdir(parents=True)
    connectors = [_connector(dice, content) for _ in range(60)]
    now = max(talk["transcript"]["last_activity_at"] for talk in talks) + DAY
    lost = damaged = written = 0
    for number, talk in enumerate(talks):
        path = folder / talk["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.hardlink_to(store / talk["path"])
        except OSError:
            shutil.copy2(store / talk["path"], path)
        session_id = f"local_{uuid.UUID(int=dice.getrandbits(128), version=4)}"
        row = registry / f"{session_id}.json"
        whole = _row(dice, session_id, Truth(**talk["transcript"]), connectors, size)
        written += len(whole) + talk["transcript"]["size"]
        # A torn last line is no damage: the session may be alive.
        damaged += any(defect["kind"] != "torn" for defect in talk["transcript"]["defects"])
        time = (talk["transcript"]["last_activity_at"] + 2_000) * 1_000_000
        if number % 200 == 3:
            lost += 1
            time = (now - DAY // 24) * 1_000_000  # the app no longer takes an old leftover, nor does sessscan
            row.write_bytes(bytes(len(whole)))
            leftover = row.with_suffix(".json.tmp")
            leftover.write_bytes(whole)
            os.utime(leftover, ns=(time, time))
        else:
            row.write_bytes(whole)
        os.utime(row, ns=(time, time))
    return {
        "store": "Claude",
        "projects": "projects",
        "registry": str(registry.relative_to(folder)),
        "now": now,
        "summary": {
            "rows": len(talks),
            "transcripts": len(talks),
            "bytes": written,
            "findings": {
                "zero-filled": lost,
                "leftover-tmp": lost,
                **({"damaged-transcript": damaged} if damaged else {}),
            },
            "actions": {"restore": lost},
        },
    }


def _row(dice: Random, session_id: str, truth: Truth, connectors: list[dict[str, Any]], size: int) -> bytes:
    servers: list[dict[str, Any]] = []
    written = 1_200
    while written < size:
        server = dice.choice(connectors)
        servers.append({"uuid": str(uuid.UUID(int=dice.getrandbits(128), version=4)), **server})
        written += server["length"]
    tools = {f"{server['name']}:{tool['name']}": True for server in servers for tool in server["tools"]}
    row = {
        "sessionId": session_id,
        "cliSessionId": truth.session_id,
        "cwd": truth.cwd,
        "originCwd": truth.cwd,
        "createdAt": (truth.created_at or 0) - 1_800,
        "lastActivityAt": truth.last_activity_at,
        "lastFocusedAt": truth.last_activity_at,
        "title": truth.title,
        "titleSource": "user" if truth.custom_title else "auto",
        "isArchived": False,
        "model": truth.model,
        "effort": "high",
        "permissionMode": "acceptEdits",
        "completedTurns": truth.turns,
        "remoteMcpServersConfig": servers,
        "enabledMcpTools": tools,
        "alwaysAllowedReasons": ["Bash(ls:*)"],
        "sessionPermissionUpdates": [],
        "spawnSeed": {},
    }
    return sessions.ENCODE(row).encode()


def _connector(dice: Random, texts: Content) -> dict[str, Any]:
    """Make the configuration of one remote server, with its tools."""
    name = f"{dice.choice(NAMES)}-{dice.randrange(1_000)}"
    tools = [
        {
            "name": f"{dice.choice(VERBS)}_{dice.choice(NAMES)}_{number}",
            "description": texts.text(dice, dice.randint(80, 700)),
            "inputSchema": {
                "type": "object",
                "properties": {
                    dice.choice(NAMES): {"type": "string", "description": texts.text(dice, 60)}
                    for _ in range(dice.randint(1, 6))
                },
                "required": [dice.choice(NAMES)],
                "additionalProperties": False,
            },
        }
        for number in range(dice.randint(3, 20))
    ]
    server = {"name": name, "url": f"https://mcp.example.org/{name}", "tools": tools}
    return {**server, "length": len(sessions.ENCODE(server).encode()) + 40 * len(tools)}
