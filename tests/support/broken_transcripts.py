"""Damage a transcript in one of the ways seen in the field, and read it as the Python SDK does."""

from __future__ import annotations

from random import Random
from typing import Any

from claude_agent_sdk._internal import sessions as sdk

KINDS = (
    "nul record",
    "nul records",
    "nul in a record",
    "nul before",
    "nul behind",
    "nul between",
    "page",
    "splice",
    "splice and records",
    "glue",
    "torn",
    "gone",
    "gone records",
    "two holes",
    "two gone",
    "not UTF-8",
    "UTF-16",
)


def damaged(kind: str, data: bytes, chance: Random) -> bytes:
    """Return `data` with damage of a kind, at a place that `chance` chooses."""
    lines = _lines(data)
    number = chance.randrange(len(lines))
    begin, end = lines[number]
    third = lines[min(number + 2, len(lines) - 1)][1]
    some = bytes(chance.randrange(1, 500))
    match kind:
        case "nul record":
            return data[:begin] + bytes(end - begin) + data[end:]
        case "nul records":
            return data[:begin] + bytes(third - begin) + data[third:]
        case "nul in a record":
            place = chance.randrange(begin, end)
            until = min(end, place + chance.randrange(1, 400))
            return data[:place] + bytes(until - place) + data[until:]
        case "nul before":
            return data[:begin] + some + data[begin:]
        case "nul behind":
            return data[:end] + some + data[end:]
        case "nul between":
            return data[:begin] + some + b"\n" + data[begin:]
        case "page":
            place = chance.randrange(len(data) // 4096 + 1) * 4096
            until = min(len(data), place + 4096)
            return data[:place] + bytes(until - place) + data[until:]
        case "splice" | "splice and records":
            place = chance.randrange(lines[-1][0])
            following = next(i for i, (first, _) in enumerate(lines) if first > place)
            if kind != "splice":
                following = min(len(lines) - 1, following + chance.randrange(3))
            return data[:place] + data[lines[following][0] :]
        case "glue":
            return data[:end] + data[end + 1 :]
        case "torn":
            return data[: chance.randrange(begin, end) + 1]
        case "gone":
            return data[:begin] + data[end + 1 :]
        case "gone records":
            return data[:begin] + data[third + 1 :]
        case "two holes":
            return damaged("nul record", damaged("nul record", data, chance), chance)
        case "two gone":
            return damaged("gone", damaged("gone", data, chance), chance)
        case "not UTF-8":
            place = chance.randrange(begin, end)
            return data[:place] + b"\xff" + data[place + 1 :]
        case "UTF-16":
            return b"\xff\xfe" + data.decode().encode("utf-16-le")
    raise AssertionError(kind)


def _lines(data: bytes) -> list[tuple[int, int]]:
    """Return where each line begins and ends that is not empty."""
    found, place = [], 0
    for line in data.split(b"\n"):
        if line.strip(b"\0 "):
            found.append((place, place + len(line)))
        place += len(line) + 1
    return found


def messages(data: bytes) -> list[dict[str, Any]]:
    """Return the messages that the Python SDK gives of a transcript; none where it refuses the file."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return []
    chain = sdk._build_conversation_chain(sdk._parse_transcript_entries(text))
    return [dict(entry) for entry in chain if sdk._is_visible_message(entry)]


def uuids(found: list[dict[str, Any]]) -> list[str]:
    """Return the uuids of messages."""
    return [str(message["uuid"]) for message in found]


def halves(found: list[dict[str, Any]]) -> set[str]:
    """Return the ids of the calls without a result, and of the results without a call, among messages."""
    calls = set().union(*(_ids(message, "tool_use", "id") for message in found))
    return calls ^ set().union(*(_ids(message, "tool_result", "tool_use_id") for message in found))


def ids(message: dict[str, Any]) -> set[str]:
    """Return the ids of the calls that a message makes, and of those whose results it has."""
    return _ids(message, "tool_use", "id") | _ids(message, "tool_result", "tool_use_id")


def _ids(message: dict[str, Any], kind: str, key: str) -> set[str]:
    content = message["message"]["content"]
    blocks = content if isinstance(content, list) else []
    return {block[key] for block in blocks if block.get("type") == kind}
