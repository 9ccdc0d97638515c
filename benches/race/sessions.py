"""Make a session as the CLI writes it, line by line, and record the expected result of a scan."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from .content import Content

Record = dict[str, Any]

LARGEST = 12_800_000
"""Bytes of the longest line seen in the field."""
MODELS = ("claude-opus-4-6", "claude-sonnet-4-6")
OLD_VERSION, NEW_VERSION = "2.1.29", "2.1.235"
ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Shape:
    """How long the lines are."""

    typical: int
    """The median of what a tool gives, in characters; its size is log-normal."""
    spread: float
    """The sigma of that."""
    state_lines: float
    """How many state lines (mode, titles, …: about 120 bytes each) there are for each line of the talk."""
    longest: int = 0
    """If given, one line is made to be so long, in bytes."""
    envelope: bool = True
    """False: small lines only, without what an answer carries beside its text."""


USUAL = Shape(typical=950, spread=1.92, state_lines=0.22)
"""As in the field: median 1 KB, 99th percentile 46 KB, mean about 3.4 KB."""
LONGEST = Shape(typical=950, spread=1.92, state_lines=0.22, longest=LARGEST)
"""The same, with one line as long as the longest that was seen."""
SHORT = Shape(typical=30, spread=0.8, state_lines=4.0, envelope=False)
HUGE = Shape(typical=6_800_000, spread=0.05, state_lines=0.1)


@dataclass
class Truth:
    """The expected result of a scan; each name is a field of `Transcript`."""

    session_id: str
    size: int = 0
    lines: int = 0
    records: int = 0
    custom_title: str | None = None
    ai_title: str | None = None
    first_prompt: str | None = None
    title: str | None = None
    title_source: str | None = None
    cwd: str | None = None
    last_cwd: str | None = None
    git_branch: str | None = None
    version: str | None = None
    entrypoint: str | None = None
    model: str | None = None
    created_at: int | None = None
    last_activity_at: int | None = None
    turns: int = 0
    is_sidechain: bool = False
    own_records: int = 0
    defects: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Said:
    """How many events a session has, by kind."""

    title: int = 0
    cwd: int = 0
    timestamp: int = 0


class Session:
    """One session. Once `lines` has given all lines, each with its LF, `truth` and `said` are complete."""

    def __init__(
        self,
        dice: Random,
        content: Content,
        cwd: str,
        size: int,
        shape: Shape = USUAL,
        *,
        old: float = 0.25,
        entrypoint: str = "claude-desktop",
        custom: bool = True,
        forked: bool = False,
    ) -> None:
        """`size`: at least so many bytes. `old`: the share that an older CLI wrote, envelope first. `custom`:
        the user named it, halfway through. `forked`: its first records are its parent's."""
        self.dice, self.content, self.home, self.wanted, self.shape = dice, content, cwd, size, shape
        self.old, self.custom, self.forked = old, custom, forked
        self.truth = Truth(self._id(), entrypoint=None)
        self.said = Said()
        self.session_id = self.truth.session_id
        self.entrypoint = entrypoint
        self.clock = 1_780_000_000_000 + dice.randrange(5_000_000_000)
        self.parent: str | None = None
        self.writer = self.session_id
        self.owed = 0.0  # state lines
        self.messages = 0
        self.uuids = hashlib.sha256()
        """Of the messages, in the order of the conversation, which is that of the file."""

    # --- The session as a whole

    def lines(self) -> Iterator[bytes]:
        for record in self._records():
            line = ENCODE(record).encode() + b"\n"
            self.truth.size += len(line)
            self.truth.lines += 1
            self.truth.records += 1
            self.truth.own_records += record.get("sessionId") == self.session_id
            yield line
        truth = self.truth
        for source, title in (
            ("custom", truth.custom_title),
            ("ai", truth.ai_title),
            ("prompt", truth.first_prompt),
        ):
            if title:
                truth.title, truth.title_source = title, source
                break

    def _records(self) -> Iterator[Record]:
        if self.forked:
            self.writer = self._id()
            self.clock -= 86_400_000
            yield self._prompt()
            yield self._answer({"type": "text", "text": self._text(600)}, None)
            self.writer = self.session_id
            self.clock += 86_400_000
        named = self.custom
        for record in self._talk():
            yield record
            if named and self.truth.size >= self.wanted // 2:
                named = False
                yield self._title("custom-title", "customTitle", f"Named: {self._words(24)}")
            if self.truth.size >= self.wanted:
                return

    def _talk(self) -> Iterator[Record]:
        """Yield turn after turn, endlessly."""
        longest = self.shape.longest
        while True:
            yield self._prompt()
            if self.truth.turns % 12 == 1:
                yield self._title("ai-title", "aiTitle", f"Step {self.truth.turns}: {self._words(20)}")
            for _ in range(self.dice.randint(1, 9)):
                if self.shape.envelope and self.dice.random() < 0.3:
                    signature = self.content.image[: self.dice.randint(300, 3_000)]
                    yield self._answer({"type": "thinking", "thinking": "", "signature": signature}, None)
                if self.dice.random() < 0.35:
                    yield self._answer(
                        {"type": "text", "text": self._text(min(self._length() // 2, 6_000))}, None
                    )
                name = f"toolu_01{self._id()}"
                yield self._answer(
                    {"type": "tool_use", "id": name, "name": "Bash", "input": self._input()}, "tool_use"
                )
                due = longest if self.truth.size > self.wanted // 3 else 0
                longest -= due
                yield self._result(name, due)
                yield from self._state_lines(3)
            yield self._answer({"type": "text", "text": self._text(min(self._length(), 8_000))}, "end_turn")
            snapshot: Record = {
                "messageId": self.parent,
                "trackedFileBackups": {},
                "timestamp": "1999-12-31T23:59:59.999Z",
            }
            yield {
                "type": "file-history-snapshot",
                "messageId": self.parent,
                "snapshot": snapshot,
                "isSnapshotUpdate": False,
            }
            yield self._duration()
            yield from self._state_lines(2)

    # --- Lines of the talk

    def _prompt(self) -> Record:
        self.truth.turns += 1
        text = f"Now do step {self.truth.turns}, please: {self._text(min(self._length() // 4, 1_200))}"
        self.truth.first_prompt = self.truth.first_prompt or " ".join(text.split())[:200]
        return self._chain(
            {"promptId": self._id(), "type": "user", "message": {"role": "user", "content": text}}, {}
        )

    def _answer(self, block: Record, stop: str | None) -> Record:
        self.truth.model = self.dice.choice(MODELS)
        message: Record = {
            "model": self.truth.model,
            "id": f"msg_01{self.dice.getrandbits(64):x}",
            "type": "message",
            "role": "assistant",
            "content": [block],
            "stop_reason": stop,
        }
        if self.shape.envelope:
            message["usage"] = {
                "input_tokens": self.dice.randrange(9),
                "cache_creation_input_tokens": self.dice.randrange(9_999),
                "cache_read_input_tokens": self.dice.randrange(190_000),
                "output_tokens": self.dice.randrange(2_000),
                "server_tool_use": {"web_search_requests": 0},
                "service_tier": "standard",
            }
        return self._chain({"message": message, "requestId": "req_011C", "type": "assistant"}, {})

    def _result(self, name: str, longest: int) -> Record:
        length = self._length()
        block: Record = {"tool_use_id": name, "type": "tool_result"}
        after: Record
        if longest or (length > 150_000 and self.dice.random() < 0.6):
            # The line's other 1,100 bytes or so are its envelope.
            data = self.content.picture(self.dice, longest - 1_100 if longest else length)
            source = {"type": "base64", "media_type": "image/png", "data": data}
            block["content"] = [{"type": "image", "source": source}]
            after = {"type": "image"}
        else:
            text = self._text(length)
            block |= {"content": text, "is_error": False}
            after = {"stdout": text[: length * 4 // 5], "stderr": "", "interrupted": False}
        body = {"promptId": self._id(), "type": "user", "message": {"role": "user", "content": [block]}}
        if (
            self.dice.random() < 0.04
        ):  # as in one of 24 in the field: only the block says that no person wrote it
            return self._chain(body, {})
        if not self.shape.envelope:
            return self._chain(body, {"toolUseResult": ""})
        return self._chain(body, {"toolUseResult": after, "sourceToolAssistantUUID": self.parent})

    def _input(self) -> Record:
        if self.dice.random() < 0.002:  # what a search for keys would find, one level too deep
            return {
                "type": "custom-title",
                "customTitle": "no title",
                "cwd": "/nowhere",
                "timestamp": "1999-01-01T00:00:00.000Z",
            }
        length = min(self._length(), 20_000)
        if self.dice.random() < 0.4:
            path = f"{self.home}/src/parser.rs"
            return {
                "file_path": path,
                "old_string": self._text(length // 3),
                "new_string": self._text(length // 3),
            }
        return {"command": self._text(min(length // 4, 2_000)), "description": "Run the tests"}

    def _duration(self) -> Record:
        return self._chain(
            {"type": "system", "subtype": "turn_duration", "durationMs": self.dice.randrange(400_000)}, {}
        )

    def _chain(self, body: Record, after: Record) -> Record:
        """Return a record of the conversation, with keys in the order of the CLI version that wrote it."""
        truth = self.truth
        head: Record = {"parentUuid": self.parent, "isSidechain": False}
        self.parent = self._id()
        if body["type"] != "system":
            self.messages += 1
            self.uuids.update(self.parent.encode())
        self.clock += int(self.dice.lognormvariate(7.5, 1.2))
        if self.dice.random() < 0.02:  # two writers: a time that is older than the one before
            self.clock -= self.dice.randrange(600_000)
        time = self.clock - self.clock % 10 + truth.records % 10
        moment = datetime.fromtimestamp(time / 1000, UTC)
        stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{time % 1000:03}Z"
        if self.writer == self.session_id:
            truth.created_at = time if truth.created_at is None else min(truth.created_at, time)
            truth.last_activity_at = (
                time if truth.last_activity_at is None else max(truth.last_activity_at, time)
            )
        cwd = self.home if truth.turns % 40 or truth.turns == 0 else f"{self.home}/src"
        self.said.timestamp += 1
        self.said.cwd += cwd != truth.last_cwd
        truth.cwd, truth.last_cwd = truth.cwd or cwd, cwd
        truth.git_branch = "main" if truth.turns % 30 else "claude/parser"
        name = {"uuid": self.parent, "timestamp": stamp}
        envelope: Record = {"userType": "external"}
        if truth.size < self.wanted * self.old:
            truth.version = OLD_VERSION
            body.pop("promptId", None)
            envelope |= {
                "cwd": cwd,
                "sessionId": self.writer,
                "version": OLD_VERSION,
                "gitBranch": truth.git_branch,
            }
            return {**head, **envelope, **body, **name, **after}
        truth.version, truth.entrypoint = NEW_VERSION, self.entrypoint
        envelope |= {"entrypoint": self.entrypoint, "cwd": cwd, "sessionId": self.writer}
        return {
            **head,
            **body,
            **name,
            **after,
            **envelope,
            "version": NEW_VERSION,
            "gitBranch": truth.git_branch,
        }

    # --- State lines

    def _title(self, kind: str, key: str, title: str) -> Record:
        self.said.title += 1
        if kind == "custom-title":
            self.truth.custom_title = title
        else:
            self.truth.ai_title = title
        return {"type": kind, key: title, "sessionId": self.session_id}

    def _state_lines(self, talk: int) -> Iterator[Record]:
        """Yield the state lines that belong to that many lines of the conversation."""
        self.owed += talk * self.shape.state_lines
        while self.owed >= 1:
            self.owed -= 1
            yield self._state_line()

    def _state_line(self) -> Record:
        match self.dice.randrange(8):
            case 0 if self.truth.ai_title:
                return self._title("ai-title", "aiTitle", self.truth.ai_title)
            case 1:
                return {
                    "type": "queue-operation",
                    "operation": "enqueue",
                    "sessionId": self.session_id,
                    "content": self._text(60),
                }
            case 2 | 3:
                prompt = f"Now do step {self.truth.turns}"
                return {
                    "type": "last-prompt",
                    "lastPrompt": prompt,
                    "leafUuid": self.parent,
                    "sessionId": self.session_id,
                }
            case 4 | 5:
                return {
                    "type": "permission-mode",
                    "permissionMode": "acceptEdits",
                    "sessionId": self.session_id,
                }
            case _:
                return {"type": "mode", "mode": "normal", "sessionId": self.session_id}

    # --- Chance

    def _id(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def _length(self) -> int:
        # A tool's text stands in its line nearly twice, and a small session has no large lines.
        limit = min(LARGEST, max(self.wanted - self.truth.size, 4_000)) // 2
        return min(int(self.dice.lognormvariate(0, self.shape.spread) * self.shape.typical), limit)

    def _text(self, length: int) -> str:
        text = self.content.text(self.dice, length)
        # The API refuses blank texts, and `reconcile` tells of them.
        return text if text.strip() else "." * max(1, length)

    def _words(self, length: int) -> str:
        return " ".join(self._text(length).split())
