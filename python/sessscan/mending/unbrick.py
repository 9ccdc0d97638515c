"""Mend what the API refuses in a conversation that would be sent, by the smallest edit on the same line.

Each rule is one that users quote from the API's answers (anthropics/claude-code, public issues; counts of
late 2026):

- a `tool_use` without its `tool_result` in the next message, and a `tool_result` without its `tool_use` in
  the one before (14 reports): the block becomes a text that says so;
- an image over 8000 px on a side, or over 2000 px among more than 20 images (9): the block becomes a text;
- a thinking block that is empty (12): the block goes, or, where it is the only one, becomes a text;
- a text that is blank (part of 8): it becomes `(no content)`;
- a lone half of a surrogate pair, and NUL (the others of these 8): the escape becomes `\\ufffd`. Where it is
  in a thinking block, which must not be altered, the block goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _core
from ..model import Edit
from ..stores.json_members import elements, members
from .graph import Graph

MANY_IMAGES = 20
LARGEST = 8000
LARGEST_OF_MANY = 2000

_NO_CONTENT = "(no content)"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of a message's content: where it is in the record's text, and what it says."""

    begin: int
    end: int
    value: dict[str, Any]


class _Record:
    """A record's text, and the blocks of its message."""

    def __init__(self, graph: Graph, number: int) -> None:
        """Raise `ValueError` or `RecursionError` for a record that Python cannot read."""
        self.number = number
        self.offset = graph.records[number].offset
        self.role = graph.records[number].type
        self.text = graph.content.read(self.offset, graph.records[number].length).decode(
            "utf-8", "surrogateescape"
        )
        message = {one.key: one for one in members(self.text)}["message"]
        inner = {one.key: one for one in members(self.text, message.value)}
        content = inner.get("content")
        self.string: tuple[int, int] | None = None
        self.blocks: list[_Block] = []
        if content is None:
            return
        if self.text[content.value] == '"':
            self.string = content.value, content.end
        elif self.text[content.value] == "[":
            for begin, end in elements(self.text, content.value):
                value = json.loads(self.text[begin:end])
                self.blocks.append(_Block(begin, end, value if isinstance(value, dict) else {}))

    def edit(self, begin: int, end: int, new: str, reason: str) -> Edit:
        """Return the edit of a part of the text."""
        at = self.offset + len(self.text[:begin].encode("utf-8", "surrogateescape"))
        return Edit(at, self.text[begin:end].encode("utf-8", "surrogateescape"), new.encode(), reason)


def unsendable(graph: Graph, given: Sequence[int]) -> list[Edit]:
    """Return the edits for a conversation, in the order of the file.

    `given`: the numbers of its records, in a reader's order.
    """
    records: list[_Record] = []
    for number in given:
        try:
            records.append(_Record(graph, number))
        except (ValueError, RecursionError, KeyError):
            continue
    alone = _alone(records)
    many = sum(_images(block.value) for record in records for block in record.blocks) > MANY_IMAGES
    largest = LARGEST_OF_MANY if many else LARGEST
    edits = [edit for record in records for edit in _edits(record, alone, largest)]
    return sorted(edits, key=lambda edit: edit.offset)


def _alone(records: Sequence[_Record]) -> set[tuple[int, int]]:
    """Return the blocks whose other half is not in the message beside, by record number and begin.

    Records of one role that stand together are one message. The calls of the last one may still run.
    """
    groups: list[list[_Record]] = []
    for record in records:
        if groups and groups[-1][0].role == record.role:
            groups[-1].append(record)
        else:
            groups.append([record])
    alone: set[tuple[int, int]] = set()
    for place, group in enumerate(groups):
        before = groups[place - 1] if place else []
        after = groups[place + 1] if place + 1 < len(groups) else None
        calls = _ids(before, "tool_use", "id")
        results = None if after is None else _ids(after, "tool_result", "tool_use_id")
        for record in group:
            for block in record.blocks:
                kind = block.value.get("type")
                lost_result = (
                    kind == "tool_use" and results is not None and block.value.get("id") not in results
                )
                lost_call = kind == "tool_result" and block.value.get("tool_use_id") not in calls
                if lost_result or lost_call:
                    alone.add((record.number, block.begin))
    return alone


def _ids(records: Sequence[_Record], kind: str, key: str) -> set[Any]:
    blocks = (block.value for record in records for block in record.blocks)
    return {value[key] for value in blocks if value.get("type") == kind and isinstance(value.get(key), str)}


def _edits(record: _Record, alone: set[tuple[int, int]], largest: int) -> Iterator[Edit]:
    if record.string is not None:
        begin, end = record.string
        if not json.loads(record.text[begin:end]).strip():
            yield record.edit(begin, end, json.dumps(_NO_CONTENT), "a blank text is refused")
        else:
            yield from _escapes(record, begin, end)
    for place, block in enumerate(record.blocks):
        kind = block.value.get("type")
        if (record.number, block.begin) in alone:
            name = block.value.get("name")
            what = (
                f"call of {name}, whose result is"
                if kind == "tool_use"
                else "result of a tool, whose call is"
            )
            yield _text_instead(record, block, f"[{what} lost]", "a call and its result are refused alone")
        elif kind in ("thinking", "redacted_thinking"):
            if _is_empty_thinking(block.value):
                yield _without(record, place, "an empty thinking block is refused")
            elif any(_escapes(record, block.begin, block.end)):
                yield _without(
                    record, place, "half a surrogate pair or NUL is refused, and thinking is not altered"
                )
        elif kind == "text" and not str(block.value.get("text") or "").strip():
            found = {one.key: one for one in members(record.text, block.begin)}.get("text")
            if found is not None:
                yield record.edit(found.value, found.end, json.dumps(_NO_CONTENT), "a blank text is refused")
        else:
            yield from _of_content(record, block, largest)


def _of_content(record: _Record, block: _Block, largest: int) -> Iterator[Edit]:
    """Yield the edits of a block that stays: its images, also those in a tool's result, and its texts."""
    images = list(_large_images(record, block, largest))
    yield from images
    taken = [(edit.offset, edit.offset + len(edit.old)) for edit in images]
    for edit in _escapes(record, block.begin, block.end):
        if not any(begin <= edit.offset < end for begin, end in taken):
            yield edit


def _large_images(record: _Record, block: _Block, largest: int) -> Iterator[Edit]:
    if block.value.get("type") == "image":
        size = _size(block.value)
        if size is not None and max(size) > largest:
            note = f"[image of {size[0]} x {size[1]} px left out: at most {largest} px are taken]"
            yield _text_instead(record, block, note, f"an image over {largest} px is refused")
    elif block.value.get("type") == "tool_result":
        content = {one.key: one for one in members(record.text, block.begin)}.get("content")
        if content is not None and record.text[content.value] == "[":
            for begin, end in elements(record.text, content.value):
                value = json.loads(record.text[begin:end])
                if isinstance(value, dict):
                    yield from _large_images(record, _Block(begin, end, value), largest)


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    source = image.get("source")
    data = source.get("data") if isinstance(source, dict) else None
    return _core.image_size(data) if isinstance(data, str) else None


def _images(block: dict[str, Any]) -> int:
    """Return how many images a block holds."""
    content = block.get("content")
    inner = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    return (block.get("type") == "image") + sum(_images(one) for one in inner)


def _is_empty_thinking(block: dict[str, Any]) -> bool:
    """Tell whether a thinking block holds nothing: neither a text nor the signature that stands for one."""
    return not any(str(block.get(key) or "").strip() for key in ("thinking", "signature", "data"))


def _text_instead(record: _Record, block: _Block, text: str, reason: str) -> Edit:
    return record.edit(block.begin, block.end, json.dumps({"type": "text", "text": text}), reason)


def _without(record: _Record, place: int, reason: str) -> Edit:
    """Return the edit that takes a block out, or, where it is the only one, puts a text there."""
    block = record.blocks[place]
    if len(record.blocks) == 1:
        return _text_instead(record, block, _NO_CONTENT, reason)
    if place + 1 < len(record.blocks):
        return record.edit(block.begin, record.blocks[place + 1].begin, "", reason)
    return record.edit(record.blocks[place - 1].end, block.end, "", reason)


def _escapes(record: _Record, begin: int, end: int) -> Iterator[Edit]:
    """Yield the edits of the escapes that no request can hold: lone halves of surrogate pairs, and NUL."""
    high: re.Match[str] | None = None
    for escape in [*_ESCAPE.finditer(record.text, begin, end), None]:
        unit = int(escape[1], 16) if escape is not None and escape[1] else -1
        if high is not None and not (
            0xDC00 <= unit < 0xE000 and escape is not None and escape.start() == high.end()
        ):
            yield record.edit(*high.span(), "\\ufffd", "half a surrogate pair is refused")
        elif high is not None:
            unit = -1  # the pair is whole
        high = escape if 0xD800 <= unit < 0xDC00 else None
        if escape is None:
            return
        if 0xDC00 <= unit < 0xE000:
            yield record.edit(*escape.span(), "\\ufffd", "half a surrogate pair is refused")
        elif unit == 0:
            yield record.edit(*escape.span(), "\\ufffd", "NUL is refused")
