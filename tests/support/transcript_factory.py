"""Make whole transcripts with known content, for tests of the reconciliation.

`transcripts.py` makes lines that nobody would write, to try the scanner. Here are sessions as the app and the
CLI write them, in either order of keys, and what happens to them later: resumes, forks, stubs.
"""

from __future__ import annotations

import copy
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

DESKTOP, TERMINAL = "claude-desktop", "cli"
MODELS = ("claude-opus-4-5", "claude-sonnet-4-5")
PROMPTS = (
    "Fix the flaky test",
    "Why does the build fail?",
    "Größe der Liste begrenzen",
    "検索を速くして",
    "go on 🚀",
)

Record = dict[str, Any]


def stamp(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def new_id(dice: Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


@dataclass
class Talk:
    """One session's records and what its row should say."""

    session_id: str
    cwd: str
    began: int
    records: list[Record] = field(default_factory=list)
    ended: int = 0
    turns: int = 0
    title: str | None = None
    custom: bool = False
    model: str | None = None
    worktree: Record | None = None
    old_order: bool = False

    def bytes(self) -> bytes:
        return b"".join(line(record, self.old_order) for record in self.records)


def line(record: Record, old_order: bool = False) -> bytes:
    if "parentUuid" in record:
        front = ("parentUuid", "isSidechain")
        envelope = ("userType", "entrypoint", "cwd", "sessionId", "version", "gitBranch")
        order = [*front, *envelope] if old_order else list(front)
        order += [key for key in record if key not in front and key not in envelope]
        if not old_order:
            order += envelope
        record = {key: record[key] for key in order if key in record}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def talk(
    dice: Random,
    cwd: str,
    began: int,
    *,
    session_id: str | None = None,
    entrypoint: str | None = DESKTOP,
    turns: int | None = None,
    sidechain: bool = False,
    worktree: Record | None = None,
    minutes: float | None = None,
) -> Talk:
    """Make a session that begins at `began` (epoch ms) and lasts some minutes."""
    made = Talk(session_id or new_id(dice), cwd, began, old_order=dice.random() < 0.3)
    turns = turns or dice.randint(1, 5)
    steps = turns * 2
    length = int((minutes or dice.uniform(2, 25)) * 60_000)
    times = sorted(began + dice.randrange(length + 1) for _ in range(steps - 1))
    times = [began, *times]
    made.model = dice.choice(MODELS)
    if worktree is not None:
        made.worktree = worktree
        state = {**worktree, "sessionId": made.session_id}
        made.records.append(
            {"type": "worktree-state", "worktreeSession": state, "sessionId": made.session_id}
        )
    parent = None
    first = None
    for step, time in enumerate(times):
        own = new_id(dice)
        record: Record = {"parentUuid": parent, "isSidechain": sidechain}
        if step % 2 == 0:
            prompt = f"{dice.choice(PROMPTS)} ({dice.randrange(10**6)})"
            first = first or prompt
            record |= {"type": "user", "message": {"role": "user", "content": prompt}}
            made.turns += not sidechain
        else:
            # Holds keys that a scan looks for, but one level too deep.
            decoy = {
                "type": "custom-title",
                "customTitle": "not a title",
                "cwd": "/nowhere",
                "sessionId": "x",
            }
            # Without an id, so that no result is missed.
            content = [{"type": "tool_use", "name": "Bash", "input": decoy}]
            record |= {"type": "assistant", "message": {"model": made.model, "content": content}}
        record |= {"uuid": own, "timestamp": stamp(time), "userType": "external", "cwd": cwd}
        if entrypoint is not None:
            record["entrypoint"] = entrypoint
        record |= {"sessionId": made.session_id, "version": "2.1.200", "gitBranch": "main"}
        made.records.append(record)
        parent = own
        if dice.random() < 0.2:
            snapshot = {"timestamp": stamp(time + 9 * 86_400_000), "messageId": own}
            made.records.append({"type": "file-history-snapshot", "messageId": own, "snapshot": snapshot})
    made.ended = times[-1]
    made.title = None if first is None else " ".join(first.split())[:200]
    roll = dice.random()
    if roll < 0.3:
        made.title, made.custom = f"Named {dice.randrange(10**6)} „so“", True
        ai = {"type": "ai-title", "aiTitle": "Something else", "sessionId": made.session_id}
        custom = {"type": "custom-title", "customTitle": made.title, "sessionId": made.session_id}
        made.records.insert(dice.randint(1, len(made.records)), ai)
        made.records.insert(dice.randint(1, len(made.records)), custom)
    elif roll < 0.7:
        made.title = f"Titled {dice.randrange(10**6)}"
        made.records.append({"type": "ai-title", "sessionId": made.session_id, "aiTitle": made.title})
    if sidechain:
        made.turns = 0
    return made


def resumed(dice: Random, older: Talk, entrypoint: str, extra: int = 1) -> Talk:
    """Make a session that continues `older` in a new file: lines copied, their session id rewritten."""
    made = copy.deepcopy(older)
    made.session_id = new_id(dice)
    for record in made.records:
        if "sessionId" in record:
            record["sessionId"] = made.session_id
    _go_on(dice, made, entrypoint, extra)
    return made


def forked(dice: Random, parent: Talk, entrypoint: str, extra: int) -> Talk:
    """Make a fork of `parent`: the copied lines keep the parent's session id."""
    made = copy.deepcopy(parent)
    made.session_id = new_id(dice)
    if extra:
        _go_on(dice, made, entrypoint, extra)
    return made


def stub(dice: Random, time: int) -> Talk:
    """Make a file of a few state lines, as a session leaves that was opened and closed."""
    made = Talk(new_id(dice), "", time)
    made.records = [
        {"type": "custom-title", "customTitle": "A name", "sessionId": made.session_id},
        {"type": "last-prompt", "lastPrompt": None, "sessionId": made.session_id},
        {"type": "queue-operation", "operation": "x", "timestamp": stamp(time), "sessionId": made.session_id},
    ]
    return made


def _go_on(dice: Random, made: Talk, entrypoint: str, extra: int) -> None:
    last = next(record for record in reversed(made.records) if "parentUuid" in record)
    for _ in range(extra):
        record = copy.deepcopy(last)
        made.ended += dice.randrange(20_000, 90_000)
        record |= {"uuid": new_id(dice), "timestamp": stamp(made.ended), "sessionId": made.session_id}
        record["entrypoint"] = entrypoint
        made.records.append(record)
        made.turns += record["type"] == "user"
