"""Make transcripts of conversations as the CLI writes them: turns, parallel calls and their results, the
tokens of each response, and, where asked for, compactions and rewound prompts."""

from __future__ import annotations

import json
import random
from typing import Any

Record = dict[str, Any]

SESSION = "5e55a11d-0000-4000-8000-000000000001"
_MODEL = "claude-opus-4-5-20251101"
_SYSTEM_TOKENS = 15_000
_BYTES_A_TOKEN = 4


class Talk:
    """A conversation that grows record by record; `path` is what a reader gives of it, from the first on."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.records: list[Record] = []
        self.path: list[Record] = []
        self._tokens = _SYSTEM_TOKENS
        self._time = 1_772_000_000_000

    @property
    def data(self) -> bytes:
        """The transcript's content."""
        return b"".join(
            json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            for record in self.records
        )

    @property
    def given(self) -> list[str]:
        """The uuids of the messages that a reader gives."""
        return [record["uuid"] for record in self.path if record["type"] in ("user", "assistant")]

    def turn(self, *, calls: int = 0) -> None:
        """A prompt, the responses to it with so many rounds of calls, and what the CLI notes behind them."""
        self._state({"type": "file-history-snapshot", "messageId": self._uuid(), "snapshot": {}})
        self._chained("user", {"message": {"role": "user", "content": self._words(20)}})
        for _ in range(calls):
            self._round(self.chance.choice((1, 1, 2, 3)))
        self._response([{"type": "text", "text": self._words(60)}])
        self._chained("system", {"subtype": "turn_duration", "durationMs": 900, "isMeta": False})

    def _round(self, calls: int) -> None:
        names = [f"toolu_{self.chance.randrange(1 << 60):015x}" for _ in range(calls)]
        blocks: list[Record] = (
            [{"type": "text", "text": self._words(9)}] if self.chance.random() < 0.5 else []
        )
        blocks += [
            {"type": "tool_use", "id": name, "name": "Bash", "input": {"command": self._words(6)}}
            for name in names
        ]
        parts = self._response(blocks)[-calls:]
        last = self.path[-1]
        for name, part in zip(names, parts, strict=True):
            block = {"type": "tool_result", "tool_use_id": name, "content": self._words(50)}
            # Each result hangs on its call, so the conversation goes on from the last of them.
            last = self._chained(
                "user",
                {"message": {"role": "user", "content": [block]}, "sourceToolAssistantUUID": part["uuid"]},
                part,
            )
        assert last is self.path[-1]

    def _response(self, blocks: list[Record]) -> list[Record]:
        answer, given = f"msg_{self.chance.randrange(1 << 60):015x}", self._tokens
        written = sum(len(json.dumps(block)) for block in blocks) // _BYTES_A_TOKEN + 20
        usage = {"input_tokens": 3, "cache_read_input_tokens": given - 3, "output_tokens": written}
        parts = []
        for block in blocks:
            message = {"model": _MODEL, "id": answer, "role": "assistant", "content": [block], "usage": usage}
            parts.append(self._chained("assistant", {"message": message}))
        self._tokens = given + written
        return parts

    def compact(self) -> None:
        """The boundary of a compaction and its summary: nothing before them is given any more."""
        last = self.path[-1]["uuid"]
        self.path = []
        self._tokens = _SYSTEM_TOKENS + 900
        boundary = {
            "subtype": "compact_boundary",
            "logicalParentUuid": last,
            "content": "Conversation compacted",
            "compactMetadata": {"trigger": "auto", "preTokens": 150_000},
        }
        self._chained("system", boundary)
        self._chained(
            "user",
            {"message": {"role": "user", "content": self._words(300)}, "isCompactSummary": True},
        )

    def rewind(self, turns: int = 1) -> None:
        """Take the last turns back: the next prompt hangs on what stood before them."""
        prompts = [
            place
            for place, record in enumerate(self.path)
            if record["type"] == "user" and isinstance(record["message"]["content"], str)
        ]
        place = prompts[-turns]
        responses = [record for record in self.path[:place] if record["type"] == "assistant"]
        self.path = self.path[:place]
        usage = (
            responses[-1]["message"]["usage"] if responses else {"cache_read_input_tokens": _SYSTEM_TOKENS}
        )
        self._tokens = usage["cache_read_input_tokens"] + usage.get("output_tokens", 0)

    def _chained(self, kind: str, members: Record, parent: Record | None = None) -> Record:
        above = parent or (self.path[-1] if self.path else None)
        self._time += self.chance.randrange(200, 9_000)
        record: Record = {
            "parentUuid": None if above is None else above["uuid"],
            "isSidechain": False,
            **members,
            "type": kind,
            "uuid": self._uuid(),
            "timestamp": _iso(self._time),
            "userType": "external",
            "cwd": "/home/ada/app",
            "sessionId": SESSION,
            "version": "2.1.235",
            "gitBranch": "main",
        }
        self.records.append(record)
        self.path.append(record)
        if kind == "user":
            self._tokens += len(json.dumps(members)) // _BYTES_A_TOKEN
        return record

    def _state(self, record: Record) -> None:
        self.records.append(record)

    def _uuid(self) -> str:
        digits = f"{self.chance.randrange(1 << 128):032x}"
        return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "8" + digits[17:20], digits[20:]))

    def _words(self, most: int) -> str:
        words = (
            "read",
            "the",
            "file",
            "and",
            "say",
            "what",
            "näme",
            "it",
            "has",
            "line",
            "{",
            '"x":',
            "tests",
        )
        return " ".join(self.chance.choice(words) for _ in range(self.chance.randrange(1, most + 1)))


def _iso(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{milliseconds % 1000:03}Z"
    )


def talk(seed: int, turns: int = 12) -> Talk:
    """Return a conversation of some turns."""
    made = Talk(random.Random(seed))
    for _ in range(turns):
        made.turn(calls=made.chance.choice((0, 1, 2, 4)))
    return made
