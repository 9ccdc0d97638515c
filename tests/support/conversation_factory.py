"""Make transcripts of random conversations: forks, cycles, doubled and missing records, parallel calls,
compactions, queued commands."""

from __future__ import annotations

import json
import random
from typing import Any

Record = dict[str, Any]

TEXTS = (
    "hello",
    "",
    "No response requested.",
    "[Request interrupted by user]",
    "<command-name>/clear</command-name>",
    "<local-command-stdout>done</local-command-stdout>",
    "<local-command-caveat>beware</local-command-caveat>",
)


class Maker:
    """Makes records one after the other, each most likely after the last."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.uuids: list[str] = []
        self.number = 0
        self.answer = 0
        self.calls: list[tuple[str, str]] = []

    def uuid(self) -> str:
        chance = self.chance
        if self.uuids and chance.random() < 0.04:
            return chance.choice(self.uuids)
        self.number += 1
        name = (
            f"r{self.number}" if chance.random() < 0.1 else f"{self.number:08x}-0000-4000-8000-00000000000a"
        )
        self.uuids.append(name)
        return name

    def parent(self) -> Any:
        chance = self.chance.random()
        if not self.uuids or chance < 0.05:
            return None
        if chance < 0.09:
            return self.chance.choice(["gone", "ffffffff-0000-4000-8000-00000000000f", "", 7])
        if chance < 0.25:
            return self.chance.choice(self.uuids)
        return self.uuids[-1]

    def record(self) -> Record:
        chance = self.chance
        kind = chance.choices(
            ("user", "assistant", "result", "progress", "system", "attachment", "queue", "other"),
            (4, 6, 4, 1, 1, 2, 1, 1),
        )[0]
        if kind == "queue":
            return self.queue_operation()
        if kind == "other":
            return {"type": chance.choice(["mode", "summary"]), "uuid": f"s{self.number}"}
        parent = self.parent()
        record: Record = {"parentUuid": parent, "isSidechain": chance.random() < 0.06}
        record |= getattr(self, kind)(parent)
        record |= {"uuid": self.uuid(), "timestamp": self.time()}
        for key, value, often in (
            ("isMeta", True, 0.06),
            ("teamName", "team", 0.03),
            ("isCompactSummary", True, 0.03),
            ("agentId", chance.choice(["a", "b"]), 0.05),
            ("origin", {"kind": chance.choice(["peer", "human"])}, 0.05),
            ("promptSource", "x", 0.05),
            ("closesQuietTurn", True, 0.1),
        ):
            if chance.random() < often:
                record[key] = value
        if chance.random() < 0.1:
            items = list(record.items())
            chance.shuffle(items)
            record = dict(items)
        return record

    def time(self) -> str:
        return f"2026-03-01T12:{self.chance.randrange(3):02}:{self.chance.randrange(3):02}.000Z"

    def text(self) -> str:
        return self.chance.choice(TEXTS)

    def user(self, _parent: Any) -> Record:
        text = self.text()
        content: Any = text if self.chance.random() < 0.6 else [{"type": "text", "text": text}]
        return {"type": "user", "message": {"role": "user", "content": content}}

    def assistant(self, _parent: Any) -> Record:
        chance = self.chance
        if chance.random() < 0.4:
            self.answer += 1
        answer = f"m{max(1, self.answer - (chance.random() < 0.1))}"
        content: list[Any] = []
        for _ in range(chance.choice((0, 1, 1, 2))):
            if chance.random() < 0.6:
                call = f"t{len(self.calls)}" if chance.random() < 0.9 else f"t{chance.randrange(4)}"
                content.append({"type": "tool_use", "id": call, "name": "x", "input": {"id": "no"}})
            else:
                content.append({"type": "text", "text": self.text()})
        message: Record = {"role": "assistant", "content": content}
        if chance.random() < 0.9:
            message["id"] = answer
        self.calls += [(block["id"], "") for block in content if block["type"] == "tool_use"]
        return {"type": "assistant", "message": message}

    def result(self, _parent: Any) -> Record:
        chance = self.chance
        calls = [name for name, _ in self.calls[-4:]] or ["t0"]
        chosen = chance.sample(calls, min(len(calls), chance.choice((1, 1, 2))))
        content = [{"type": "tool_result", "tool_use_id": name, "content": self.text()} for name in chosen]
        if chance.random() < 0.2:
            content[0]["is_error"] = True  # type: ignore[assignment]
        record: Record = {"type": "user", "message": {"role": "user", "content": content}}
        if self.uuids and chance.random() < 0.5:
            record["sourceToolAssistantUUID"] = chance.choice(self.uuids[-4:])
        return record

    def progress(self, _parent: Any) -> Record:
        return {"type": "progress", "data": {"type": "user", "uuid": "no"}}

    def system(self, _parent: Any) -> Record:
        chance = self.chance
        record: Record = {"type": "system", "subtype": "turn_duration"}
        if chance.random() < 0.6 and self.uuids:
            record["subtype"] = "compact_boundary"
            some = [chance.choice([*self.uuids[-6:], "gone"]) for _ in range(3)]
            metadata: Record = {"trigger": "auto"}
            if chance.random() < 0.3:
                metadata["preservedSegment"] = dict(
                    zip(("headUuid", "anchorUuid", "tailUuid"), some, strict=True)
                )
            if chance.random() < 0.3:
                metadata["preservedMessages"] = {"anchorUuid": some[0], "uuids": some[: chance.randrange(4)]}
            if chance.random() < 0.9:
                record["compactMetadata"] = metadata
            if chance.random() < 0.7:
                record["parentUuid"] = None
        return record

    def attachment(self, _parent: Any) -> Record:
        chance = self.chance
        kind = chance.choice(["queued_command", "queued_command", "file", "fork_briefing"])
        attachment: Record = {"type": kind, "prompt": chance.choice(["go on", [{"type": "text"}], 7])}
        for key, value, often in (
            ("source_uuid", chance.choice([*self.uuids[-3:], "q1", "q2"]), 0.5),
            ("delivery_id", chance.choice(["d1", "d2"]), 0.3),
            ("isMeta", True, 0.1),
            ("origin", {"kind": chance.choice(["peer", "human"])}, 0.2),
            ("forwardedIntent", {"lineage": chance.choice(["", "x"])}, 0.1),
        ):
            if chance.random() < often:
                attachment[key] = value
        return {"type": "attachment", "attachment": attachment}

    def queue_operation(self) -> Record:
        chance = self.chance
        record: Record = {"type": "queue-operation", "operation": "remove", "reason": "absorbed_mid_turn"}
        if chance.random() < 0.3:
            record["reason"] = "other"
        if chance.random() < 0.5:
            record["deliveryId"] = chance.choice(["d1", "d2", ""])
        if chance.random() < 0.6:
            record["commandUuid"] = chance.choice(["q1", "q2", *self.uuids[-2:]])
        return record


def records(chance: random.Random, count: int) -> list[Record]:
    """Return the records of a random conversation."""
    maker = Maker(chance)
    return [maker.record() for _ in range(count)]


def lines(chance: random.Random, count: int) -> bytes:
    """Return a random conversation as a file, some of its lines spelled with blanks."""
    out = b""
    for record in records(chance, count):
        separators = (", ", ": ") if chance.random() < 0.1 else (",", ":")
        out += json.dumps(record, separators=separators, ensure_ascii=chance.random() < 0.5).encode() + b"\n"
    return out


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one or two kinds of damage at random places."""
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 9, 200)))
        line = data.rfind(b"\n", 0, at) + 1
        after = data.find(b"\n", at) + 1 or len(data)
        data = chance.choice(
            (
                data[:at] + bytes(end - at) + data[end:],
                data[:at] + data[end:],
                data[:at],
                data[:line] + data[after:],
                data[:line] + bytes(7) + data[line:],
                data[: after - 1] + data[after:],
                data[: after - 1] + bytes(7) + data[after - 1 :],
                data[:at] + b"\xff" + data[at + 1 :],
                data[:at] + bytes((chance.randrange(256),)) + data[at + 1 :],
                data[:line] + data[at:],
                data[:at] + data[after:],
                data + data[line:after],
            )
        )
    return data
