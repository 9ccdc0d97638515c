"""Whole stores on disk of which the truth is known: every kind of damage, every kind of evidence, every trap.

`build(folder, seed)` gives a `World`. Each scenario plants one lost row, or a few that belong together, with
whatever is there to prove or to mislead, and notes what must become of each. Sparse worlds keep scenarios
hours apart, so that time can prove; dense ones mix them, and ask only that nothing be matched wrongly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from support.transcript_factory import DESKTOP, TERMINAL, Talk, forked, new_id, resumed, stub, talk

NOW = 1_790_000_000_000
DAY = 86_400_000
HOUR = 3_600_000
DIRECTORIES = (
    "/home/ada/code/webshop",
    "/home/ada/code/web_shop.old",
    "/Users/zoë/Präsentation",
    "/home/ada/日本語/検索",
    "C:\\Users\\Ada\\src\\app",
    "/home/ada/" + "very-long-name/" * 16 + "end",
)

Expect = str
"""`back` (must be put back), `hold` (must be held), `either`, `nothing` (no action at all), `made` (its row
is made anew from a `.tmp`)."""


@dataclass
class Lost:
    """A row that cannot be read, and the truth about it."""

    path: Path
    session_id: str
    talk: Talk | None
    """None: its transcript is gone, and any other would be wrong."""
    expect: Expect
    scenario: str
    exact: bytes | None = None
    """What must be written byte for byte."""
    grants: bool = False
    """Whether what is left of the row holds permissions, which then are the row's own."""
    derived: bool = True
    """Whether each field must be what the transcript says."""
    state: str = ""
    by_time: bool = False
    """Whether nothing but time speaks for it."""
    mute: bool = False
    """Whether nothing is left that names its transcript."""


@dataclass
class World:
    dice: Random
    user_data: Path
    projects: Path
    stores: list[Path]
    sparse: bool
    lost: list[Lost] = field(default_factory=list)
    healthy: list[Path] = field(default_factory=list)
    owned: dict[str, Talk] = field(default_factory=dict)
    """By the path of each readable row the session that it is about, whatever its link says."""
    leases: list[dict[str, Any]] = field(default_factory=list)
    clock: int = 0
    scenarios: list[str] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    """All whose transcripts are there."""
    timed: bool = True
    """Whether the files' times are those of their last writes."""

    # --- time and place

    def moment(self) -> int:
        """When the next scenario happens: far from all others in a sparse world, anywhere in a dense one."""
        if not self.sparse:
            return NOW - 25 * DAY + self.dice.randrange(2 * DAY)
        self.clock += self.dice.randrange(5 * HOUR, 8 * HOUR)
        return self.clock

    def store(self) -> Path:
        return self.dice.choice(self.stores)

    def cwd(self) -> str:
        return self.dice.choice(DIRECTORIES)

    # --- files

    def write(self, path: Path, content: bytes, time: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(time * 1_000_000, time * 1_000_000))
        return path

    def put(self, made: Talk, folder: str | None = None) -> Path:
        """Writes a transcript; its file is younger than its last line, as lines without a time follow."""
        self.talks.append(made)
        path = self.projects / (folder or key(made.cwd)) / f"{made.session_id}.jsonl"
        return self.write(path, made.bytes(), made.ended + self.dice.randrange(5_000))

    def row(self, made: Talk | None, session_id: str, **more: Any) -> dict[str, Any]:
        """A row as the app writes it."""
        fields: dict[str, Any] = {"sessionId": session_id}
        if made is not None:
            fields |= {
                "cliSessionId": made.session_id,
                "cwd": made.cwd,
                "originCwd": made.cwd,
                "createdAt": made.began - 1_800,
                "lastActivityAt": made.ended,
                "lastFocusedAt": made.ended,
                "title": made.title or "A title",
                "titleSource": "user" if made.custom else "auto",
                "isArchived": False,
                "model": made.model or "m",
                "completedTurns": made.turns,
            }
        else:
            fields |= {"createdAt": 1, "lastActivityAt": 2}
        servers = [
            {"name": f"s{n}", "url": "https://example.org/" + "x" * self.dice.randrange(90)} for n in range(3)
        ]
        fields |= {
            "permissionMode": "acceptEdits",
            "remoteMcpServersConfig": servers,
            "alwaysAllowedReasons": ["Bash(ls:*)"],
            "sessionPermissionUpdates": [],
            "spawnSeed": {},
        }
        return fields | more

    def healthy_row(
        self, made: Talk, session_id: str | None = None, store: Path | None = None, **more: Any
    ) -> str:
        session_id = session_id or f"local_{new_id(self.dice)}"
        path = (store or self.store()) / f"{session_id}.json"
        self.healthy.append(self.write(path, compact(self.row(made, session_id, **more)), made.ended + 2_000))
        self.owned[str(path)] = made
        return session_id

    def lose(
        self,
        made: Talk | None,
        expect: Expect,
        *,
        time: int,
        content: bytes | None = None,
        session_id: str | None = None,
        store: Path | None = None,
        **more: Any,
    ) -> Lost:
        """Plants a damaged row; by default its content is gone altogether."""
        session_id = session_id or f"local_{new_id(self.dice)}"
        path = (store or self.store()) / f"{session_id}.json"
        more.setdefault("mute", content is None or made is None)
        if content is None:
            content = self.dice.choice((b"", bytes(self.dice.randrange(1, 9_000)), b"\x01\x02 no row"))
        self.write(path, content, time)
        lost = Lost(path, session_id, made, expect, self.scenarios[-1], **more)
        self.lost.append(lost)
        return lost

    def lease(self, path: str, session_id: str | None, since: int, branch: str = "claude/x") -> None:
        self.leases.append(
            {"path": path, "branch": branch, "createdAt": since, "pooledAt": None, "leasedBy": session_id}
        )


def compact(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def key(cwd: str) -> str:
    """The project folder's name: every UTF-16 unit but letters and digits becomes a dash."""
    units = cwd.encode("utf-16-le")
    text = "".join(chr(units[i] | units[i + 1] << 8) for i in range(0, len(units), 2))
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
    return name if len(name) <= 200 else f"{name[:200]}-1x9k2"


def build(folder: Path, seed: int, scenarios: list[Callable[[World], None]] | None = None) -> World:
    """Makes the store that `seed` stands for."""
    from support.store_scenarios import SCENARIOS, close  # the scenarios build on the names above

    dice = Random(seed)
    user_data, projects = folder / "Claude", folder / "projects"
    projects.mkdir(parents=True)
    account = [new_id(dice) for _ in range(dice.randint(1, 3))]
    stores = [user_data / "claude-code-sessions" / name / new_id(dice) for name in account]
    for store in stores:
        store.mkdir(parents=True)
    world = World(dice, user_data, projects, stores, sparse=scenarios is not None or dice.random() < 0.75)
    world.clock = NOW - 29 * DAY
    chosen = scenarios or dice.choices(SCENARIOS, k=dice.randint(3, 14))
    for scenario in chosen:
        world.scenarios.append(scenario.__name__)
        scenario(world)
    close(world)
    return world


__all__ = [
    "DESKTOP",
    "NOW",
    "TERMINAL",
    "Lost",
    "Talk",
    "World",
    "build",
    "compact",
    "forked",
    "key",
    "resumed",
    "stub",
    "talk",
]
