"""Turn what is to be done about a transcript's links into edits of its bytes."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ..model import Edit
from ..stores.json_members import members
from .graph import Graph
from .relink import Mending

SET_ASIDE = "it lost the other half of its tool call, and a reader would give it all the same"


def all_edits(
    graph: Graph, mending: Mending, line_edits: Sequence[Edit], contents: Sequence[Edit] = ()
) -> list[Edit]:
    """Return all edits of a transcript, in order.

    Where two would change one byte, a link's comes first, then one of `contents`: of what messages say.
    """
    # A compaction may have relinked a record whose own link is as it should be.
    edits = [edit for edit in link_edits(graph, mending) if edit.old.rstrip() != edit.new.rstrip()]
    edits += _outside(contents, edits)
    edits += _outside(graph.ids.edits, edits)
    edits += _outside(line_edits, edits)
    return sorted(edits, key=lambda edit: edit.offset)


def _outside(edits: Sequence[Edit], others: Sequence[Edit]) -> list[Edit]:
    """Return those of `edits` that change no byte that `others` change."""
    ranges = sorted((other.offset, other.offset + len(other.old) * other.times) for other in others)
    begins = [begin for begin, _ in ranges]

    def is_free(edit: Edit) -> bool:
        place = bisect_right(begins, edit.offset) - 1
        return place < 0 or ranges[place][1] <= edit.offset

    return [edit for edit in edits if is_free(edit)]


def link_edits(graph: Graph, mending: Mending) -> Iterator[Edit]:
    """Yield the edits that give records their new parents, and set others aside."""
    for link in mending.links:
        new = None if link.parent is None else graph.uuid[link.parent]
        line = graph.records[link.record].line
        if link.parent is None:
            reason = f"line {line:,} begins the conversation: {link.why}"
        else:
            reason = f"line {line:,} follows line {graph.records[link.parent].line:,}: {link.why}"
        yield _member_edit(graph, link.record, "parentUuid", json.dumps(new), reason)
    for number in mending.set_aside:
        yield _member_edit(graph, number, "parentUuid", "null", SET_ASIDE)
        yield _member_edit(graph, number, "isSidechain", "true", SET_ASIDE)


def _member_edit(graph: Graph, number: int, key: str, value: str, reason: str) -> Edit:
    """Return the edit that gives a record's member another value; it is added if it is not there."""
    record = graph.records[number]
    text = graph.content.read(record.offset, record.length).decode("utf-8", "surrogateescape")
    found = {member.key: member for member in members(text)}.get(key)
    if found is None:
        return Edit(record.offset + text.index("{") + 1, b"", f'"{key}":{value},'.encode(), reason)
    before = text[: found.value].encode("utf-8", "surrogateescape")
    old = text[found.value : found.end].encode("utf-8", "surrogateescape")
    new = value.encode()
    # A shorter value is filled up with blanks, so that the bytes behind it stay where they are.
    return Edit(record.offset + len(before), old, new.ljust(len(old)), reason)
