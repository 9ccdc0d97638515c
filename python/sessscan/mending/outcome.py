"""Ask the reader what it gives once a plan is carried out, before anything is written.

Its rules are the core's. A small file is edited in memory; of a large one the reader gets the records with
their new links, and of what they say the beginnings only.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from .. import _core
from ..model import Edit
from .content import parse
from .graph import Graph
from .lines import apply_edits
from .relink import Mending

_SKIPPED_BEFORE_BOUNDARY = 5 << 20
"""Bytes of a file from which readers skip what stands before its last compaction."""

_LONGEST = 400
"""Characters of a text that are kept: readers look at the beginnings of messages only."""


SMALL = 16 << 20
"""Bytes of the largest file that is edited in memory."""


def given_after(graph: Graph, mending: Mending, edits: Sequence[Edit]) -> list[str]:
    """Return the uuids of the messages that a reader gives once the plan is carried out, in its order.

    `edits`: all that are planned.
    """
    if graph.content.size > SMALL:
        return given_by_links(graph, mending)
    data = apply_edits(graph.content.read(0, graph.content.size), 0, edits)
    return [message.uuid for message in _core.conversation(data).messages]


def given_by_links(graph: Graph, mending: Mending) -> list[str]:
    """Return the same, from the links alone."""
    parents = {
        link.record: None if link.parent is None else graph.uuid[link.parent] for link in mending.links
    }
    parents |= dict.fromkeys(mending.set_aside)
    lines = _lines(graph, parents, set(mending.set_aside))
    return [message.uuid for message in _core.conversation(b"".join(lines)).messages]


def _lines(graph: Graph, parents: Mapping[int, str | None], aside: Collection[int]) -> Iterator[bytes]:
    """Yield the records that readers look at, in the order of the file, as they will be linked."""
    numbers = {record.offset: number for number, record in enumerate(graph.records)}
    first = _first_read(graph)
    for survivor in graph.survivors:
        number = numbers.get(survivor.offset)
        if number is None and survivor.type != "queue-operation":
            continue
        if survivor.offset < first:
            continue
        record = parse(graph.content, survivor.offset, survivor.length)
        record.pop("toolUseResult", None)
        if number is not None:
            record["uuid"] = graph.uuid[number]
            record["parentUuid"] = parents[number] if number in parents else graph.written_parent(number)
            if number in aside:
                record["isSidechain"] = True
        yield json.dumps(_shortened(record)).encode() + b"\n"


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, dict):
        return {
            key: _shortened(one) for key, one in value.items() if key not in ("input", "data", "thinking")
        }
    return [_shortened(one) for one in value] if isinstance(value, list) else value


def _first_read(graph: Graph) -> int:
    """Return where readers begin: in a large file at its last boundary, if that preserves nothing."""
    if graph.content.size <= _SKIPPED_BEFORE_BOUNDARY:
        return 0
    first = 0
    for number, record in enumerate(graph.records):
        if record.is_compact_boundary:
            metadata = graph.parsed(number).get("compactMetadata")
            preserved = isinstance(metadata, dict) and (
                metadata.get("preservedSegment") or metadata.get("preservedMessages")
            )
            first = first if preserved else record.offset
    return first
