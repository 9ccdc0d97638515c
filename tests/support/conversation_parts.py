"""Make the records of a conversation by hand, each with a number for its uuid."""

from __future__ import annotations

import json
from typing import Any

Record = dict[str, Any]


def name(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-00000000000a"


def prompt(number: int, parent: int | None, **more: Any) -> Record:
    record: Record = {"parentUuid": None if parent is None else name(parent), "type": "user"}
    record |= {"message": {"role": "user", "content": f"prompt {number}"}, "uuid": name(number)}
    return record | {"timestamp": f"2026-03-01T12:00:{number:02}.000Z"} | more


def answer(number: int, parent: int | None, *content: Record, **more: Any) -> Record:
    message = {"role": "assistant", "id": f"msg_{number}", "content": list(content)}
    return prompt(number, parent) | {"type": "assistant", "message": message} | more


def call(tool: str) -> Record:
    return {"type": "tool_use", "id": tool, "name": "x", "input": {}}


def result(number: int, parent: int, tool: str) -> Record:
    content = [{"type": "tool_result", "tool_use_id": tool, "content": "done"}]
    return prompt(number, parent) | {"message": {"role": "user", "content": content}}


def file(*records: Record) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


BOUNDARY = {"parentUuid": None, "type": "system", "subtype": "compact_boundary", "uuid": name(80)}
"""The record of a compaction."""
