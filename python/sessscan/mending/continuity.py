"""Tell whether a conversation went straight on across a hole, or may have been rewound or compacted in it.

A rewound or compacted branch must not come back, and the record that would tell may be the one that was lost.
What tells then is what the model was given: each response counts the tokens of its whole context. If the next
response after the hole was given all that stood before it, nothing was taken back in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .graph import Graph

Verdict = Literal["proven", "likely", "doubtful"]
"""It went straight on: as what was lost or given proves, or as nothing speaks against it; or that is open."""

_INPUT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")

_FAR = 4000
"""How many records before a hole are looked at for other branches."""

_BYTES_A_TOKEN = 4

_MOST_BYTES_A_TOKEN = 6
"""Plain English has up to five bytes a token; nothing that people write has more than this for long."""

_SMALL_CONVERSATION = 200_000
"""Bytes of a conversation that is too short for a compaction by itself: a context of 200,000 tokens, of which
it fills four fifths first, holds more than 500,000 bytes of text."""

_LEAST_COMPACTION = 700
"""Bytes of the shortest boundary and summary: a hole with fewer held none."""


@dataclass(frozen=True, slots=True)
class Continuity:
    """What is known of what lay between two records."""

    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True)
class _Context:
    tokens: int
    """How many the response was given."""
    written: int
    """How many of those it wrote stay in the conversation, at least: its thinking may be left out later."""
    model: str


def continuity(
    graph: Graph, above: Sequence[int], below: Sequence[int], hole: tuple[int, int] | None
) -> Continuity:
    """Judge a link from `below[0]` to `above[0]`, across what is lost between them.

    Args:
        graph: the records.
        above: the record to hang on, and those it hangs on, nearest first.
        below: the record to hang, and those that hang on it, nearest first.
        hole: the damaged bytes between them; None if no trace is left of what was lost.
    """
    if _same_turn(graph, above, below):
        return Continuity("proven", "a tool call and its result, or two parts of one response, span the hole")
    before, after = _first_context(graph, above), _first_context(graph, below)
    if before is not None and after is not None and before.model == after.model:
        least = before.tokens + before.written + _said(graph, above) + _said(graph, below)
        if after.tokens < least:
            return Continuity(
                "doubtful",
                f"the next response was given {after.tokens:,} tokens, but at least {least:,} stood before "
                "it: the conversation may have been rewound or compacted in the hole",
            )
        closer = _closer_branch(graph, above, before, after)
        if closer is not None:
            line = graph.records[closer].line
            return Continuity("doubtful", f"another branch, which ends on line {line:,}, fits as well")
        return Continuity(
            "proven",
            f"the next response was given {after.tokens:,} tokens, all of the {before.tokens:,} before it",
        )
    if before is None and not any(graph.records[i].type == "assistant" for i in above):
        return Continuity("likely", "no response stands before the hole")
    return _without_counts(graph, above, below, hole)


def _without_counts(
    graph: Graph, above: Sequence[int], below: Sequence[int], hole: tuple[int, int] | None
) -> Continuity:
    """Judge where the responses do not say how much they were given."""
    if graph.was_compacted:
        return Continuity(
            "doubtful", "the conversation was compacted elsewhere, and may have been in the hole"
        )
    if graph.was_rewound:
        return Continuity("doubtful", "the conversation was rewound elsewhere, and may have been in the hole")
    if any("/compact" in _text(graph, i)[:200] for i in below[:6]):
        return Continuity("doubtful", "a command to compact the conversation stands behind the hole")
    if _is_long(graph, above) and (hole is None or hole[1] - hole[0] >= _LEAST_COMPACTION):
        return Continuity("doubtful", "the hole may have held the record of a compaction")
    return Continuity("likely", "nothing else was rewound or compacted in this conversation")


def _is_long(graph: Graph, above: Sequence[int]) -> bool:
    size = 0
    for number in above:
        size += graph.records[number].length
        if size >= _SMALL_CONVERSATION:
            return True
    return False


def _same_turn(graph: Graph, above: Sequence[int], below: Sequence[int]) -> bool:
    """Tell whether a response, or a call and its result, has parts on both sides."""
    last = next((i for i in above if graph.records[i].type == "assistant"), None)
    if last is None:
        return False
    response = graph.records[last].message_id
    parts = graph.responses.get(response or "", [last])
    calls = {call for i in (last, *parts) for call in graph.records[i].calls}
    for number in below:
        record = graph.records[number]
        if record.type == "assistant":
            return response is not None and record.message_id == response
        if calls.intersection(record.results):
            return True
        if graph.is_prompt(number) and not record.is_meta:
            return False
    return False


def _said(graph: Graph, numbers: Iterable[int]) -> int:
    """Return how many tokens the prompts and results up to the first response have, at least."""
    size = 0
    for number in numbers:
        if graph.records[number].type == "assistant":
            break
        if graph.records[number].type == "user":
            message = graph.parsed(number).get("message")
            size += _text_size(message.get("content") if isinstance(message, dict) else None)
    return size // _MOST_BYTES_A_TOKEN


def _text_size(content: Any) -> int:
    """Return the bytes of the texts in a message's content, images left out."""
    if isinstance(content, str):
        return len(content.encode("utf-8", "replace"))
    if isinstance(content, dict):
        return _text_size(content.get("text")) + _text_size(content.get("content"))
    return sum(_text_size(block) for block in content) if isinstance(content, list) else 0


def _closer_branch(graph: Graph, above: Sequence[int], before: _Context, after: _Context) -> int | None:
    """Return the end of another branch whose last response was given more than `before`, yet no more than
    `after`: what was lost may have continued that one."""
    passed = set(above)
    responses = {graph.records[number].message_id for number in above} - {None}
    for number in range(above[0], max(above[0] - _FAR, -1), -1):
        record = graph.records[number]
        if (
            number in passed
            or record.type != "assistant"
            or record.message_id in responses
            or not graph.is_main(number)
            or any(
                graph.is_main(i) and graph.records[i].type != "progress"
                for i in graph.children.get(graph.uuid[number], ())
            )
        ):
            continue
        other = _first_context(graph, [number])
        if (
            other is not None
            and other.model == after.model
            and before.tokens < other.tokens + other.written <= after.tokens
        ):
            return number
    return None


def _first_context(graph: Graph, numbers: Iterable[int]) -> _Context | None:
    """Return what the first response among `numbers` was given, where it says so."""
    for number in numbers:
        if graph.records[number].type != "assistant":
            continue
        message = graph.parsed(number).get("message")
        usage = message.get("usage") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(usage, dict):
            continue
        counts = [usage.get(key) for key in _INPUT]
        tokens = sum(count for count in counts if isinstance(count, int))
        written = usage.get("output_tokens")
        if tokens > 0:
            seen = _visible_bytes(graph, number) // _BYTES_A_TOKEN
            kept = min(written, seen) if isinstance(written, int) else 0
            return _Context(tokens, kept, str(message.get("model")))
    return None


def _visible_bytes(graph: Graph, number: int) -> int:
    """Return how much a response wrote besides its thinking."""
    response = graph.records[number].message_id
    size = 0
    for part in graph.responses.get(response or "", [number]):
        message = graph.parsed(part).get("message")
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else []:
            if isinstance(block, dict) and block.get("type") in ("text", "tool_use"):
                size += len(json.dumps(block.get("text") or block.get("input")))
    return size


def _text(graph: Graph, number: int) -> str:
    if graph.records[number].type != "user":
        return ""
    message = graph.parsed(number).get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""
