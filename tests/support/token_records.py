"""Make transcripts of responses, and count their tokens in plain Python."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

MODELS = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001")
KINDS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_BEGIN = datetime(2026, 2, 26, 20, 0, tzinfo=UTC)

Record = dict[str, Any]


def uuid_of(number: int) -> str:
    """Return a session's id."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def record(
    message: str | None,
    request: str | None,
    usage: dict[str, Any],
    *,
    at: datetime = _BEGIN,
    model: str | None = MODELS[0],
    session: str = uuid_of(1),
    **more: Any,
) -> Record:
    """Return a record of a response."""
    said: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": "Done."}]}
    said |= {"usage": usage} | ({"id": message} if message is not None else {})
    if model is not None:
        said["model"] = model
    return {
        "parentUuid": None,
        "isSidechain": False,
        "message": said,
        **({"requestId": request} if request is not None else {}),
        "type": "assistant",
        "uuid": f"{abs(hash((message, request, at, session))) % 10**12:012d}",
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z",
        "cwd": "/home/ada/engine",
        "sessionId": session,
        "version": "2.1.200",
        **more,
    }


def usage_of(random_: random.Random, output: int) -> dict[str, Any]:
    """Return a usage as the API gives it, half of them with the lifetimes of what was cached."""
    written = random_.randrange(0, 9000)
    usage: dict[str, Any] = {
        "input_tokens": random_.randrange(0, 400),
        "output_tokens": output,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": random_.randrange(0, 90_000),
        "service_tier": "standard",
    }
    if random_.random() < 0.5:
        short = random_.randrange(0, written + 1)
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": short,
            "ephemeral_1h_input_tokens": written - short,
        }
    return usage


def write(path: Path, records: list[Record]) -> None:
    """Write a transcript."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in records), encoding="utf-8"
    )


def store(root: Path, seed: int) -> None:
    """Write a store: sessions of several projects and days, responses in parts, resumed ones, subagents."""
    random_ = random.Random(seed)
    number = 0
    for project in range(random_.randrange(1, 4)):
        key = f"-home-ada-p{project}"
        for _ in range(random_.randrange(1, 5)):
            number += 1
            session = uuid_of(number)
            at = _BEGIN + timedelta(minutes=random_.randrange(0, 9000))
            records = _talk(random_, session, f"s{seed}n{number}", at)
            write(root / key / f"{session}.jsonl", records)
            if random_.random() < 0.4:
                helper = _talk(random_, session, f"h{seed}n{number}", at + timedelta(minutes=1))
                for one in helper:
                    one |= {"isSidechain": True, "agentId": "a1"}
                inside = root / key / session / "subagents" / "agent-a1.jsonl"
                write(inside if random_.random() < 0.5 else root / key / f"agent-a{number}.jsonl", helper)
            if random_.random() < 0.4:
                number += 1
                resumed = uuid_of(number)
                later = _talk(random_, resumed, f"r{seed}n{number}", at + timedelta(days=1))
                write(
                    root / key / f"{resumed}.jsonl",
                    [*({**one, "sessionId": resumed} for one in records), *later],
                )


def _talk(random_: random.Random, session: str, name: str, at: datetime) -> list[Record]:
    records: list[Record] = []
    for turn in range(random_.randrange(1, 8)):
        at += timedelta(seconds=random_.randrange(1, 9000))
        model = random_.choice(MODELS)
        parts = random_.randrange(1, 4)
        final = random_.randrange(1, 2000)
        usage = usage_of(random_, final)
        for part in range(parts):
            # What is written while the response streams counts less than all of its output.
            output = final if part == parts - 1 or random_.random() < 0.5 else random_.randrange(0, final + 1)
            one = record(
                f"msg_{name}_{turn}",
                f"req_{name}_{turn}",
                usage | {"output_tokens": output},
                at=at + timedelta(milliseconds=part),
                model=model,
                session=session,
            )
            records.append(one)
    return records


def count(root: Path, by: str, which: str = "final", zone: str = "UTC") -> dict[str | None, dict[str, int]]:
    """Add up the tokens under `root` in plain Python, by `day`, `month`, `model` or `project`.

    Files with the same response are taken in the order of their earliest record.
    """
    files = []
    for path in sorted(root.rglob("*.jsonl")):
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        files.append((min(one["timestamp"] for one in records), str(path), path, records))
    responses: dict[tuple[str, str], list[tuple[Path, Record]]] = defaultdict(list)
    for _, _, path, records in sorted(files, key=lambda file: file[:2]):
        for one in records:
            responses[one["message"]["id"], one["requestId"]].append((path, one))
    found: dict[str | None, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for copies in responses.values():
        path, first = copies[0]
        chosen = first
        if which == "final":
            chosen = max((one for _, one in copies), key=lambda one: one["message"]["usage"]["output_tokens"])
        day = datetime.fromisoformat(first["timestamp"]).astimezone(ZoneInfo(zone)).date().isoformat()
        names = {
            "day": day,
            "month": day[:7],
            "model": first["message"]["model"],
            "project": path.relative_to(root).parts[0],
        }
        for kind in KINDS:
            found[names[by]][kind] += chosen["message"]["usage"][kind]
    return dict(found)
