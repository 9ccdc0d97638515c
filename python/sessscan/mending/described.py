"""Describe records for the user: those left out, and those of which it is not certain what they followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..model import HeldParent, LeftOut, ParentCandidate
from .graph import Graph
from .relink import Mending

_LONGEST = 80
"""Characters of a message that are shown."""


def held_parents(graph: Graph, mending: Mending) -> Iterator[HeldParent]:
    """Yield what is held of a transcript, each record with those that it may have followed."""
    for held in mending.held:
        record = graph.records[held.record]
        yield HeldParent(
            record=graph.uuid[held.record],
            line=record.line,
            text=_text(graph.parsed(held.record)),
            why=held.why,
            candidates=tuple(_candidate(graph, number) for number in held.candidates),
        )


def left_out(graph: Graph, mending: Mending) -> Iterator[LeftOut]:
    """Yield the messages that stay out, in the order of the file."""
    for number in mending.left_out:
        if graph.is_message(number):
            text = _text(graph.parsed(number))
            yield LeftOut(graph.uuid[number], graph.records[number].line, text)


def _candidate(graph: Graph, number: int) -> ParentCandidate:
    record = graph.records[number]
    return ParentCandidate(graph.uuid[number], record.line, record.timestamp, _text(graph.parsed(number)))


def _text(record: dict[str, Any]) -> str:
    """Return the beginning of what a record says, in one line."""
    message = record.get("message")
    content = message.get("content") if isinstance(message, dict) else record.get("content")
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    words: list[str] = []
    for block in blocks:
        if not isinstance(block, dict):
            continue
        kind = block.get("type")
        if kind == "tool_use":
            words.append(f"calls {block.get('name')}")
        elif kind == "tool_result":
            words.append("a tool's result")
        elif isinstance(block.get("text"), str):
            words.append(block["text"])
    text = " ".join(" ".join(words).split()) or str(record.get("subtype") or record.get("type") or "")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
