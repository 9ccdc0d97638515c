"""Plan the edits that give each record of a damaged line a line of its own, for any reader.

- NUL bytes become blanks.
- Between two records, and between a record and the rest of a broken one, comes a line feed: in the place of a
  byte that is of no record, or, where two records stand close together, as a byte more.
- What is left of a broken record never becomes a record: a line feed in the run of NUL bytes within it keeps
  its two parts from being read as one.
- A byte that is no UTF-8 becomes `?`, since one of them makes the Python SDK refuse the whole file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .. import _core
from ..model import Edit
from .content import Content, line_around

_NULS = re.compile(rb"\0+")
_ESCAPED = re.compile("[\udc80-\udcff]")
_BLANK = b"\0 \t\r"

NUL = "NUL bytes become blanks"
SPLIT = "a record gets a line of its own"
BROKEN = "what is left of a broken record is kept apart from whole ones"
NOT_UTF8 = "a byte that is no UTF-8 becomes ?"
BOM = "a byte order mark becomes blanks"
TORN = "the last line gets its line feed, so that the next record is not appended to a torn one"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a record stands."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.offset + self.length


def line_edits(content: Content, damaged: Iterable[int], records: Sequence[Span]) -> list[Edit]:
    """Return the edits for the lines that hold the offsets `damaged`, in the order of their offsets.

    `records` are all records of the file, in order. Raises `TooLargeError`.
    """
    edits: list[Edit] = []
    done = -1
    place = 0
    for offset in sorted(set(damaged)):
        if offset < done:
            continue
        begin, end = line_around(content, min(offset, max(content.size - 1, 0)))
        while place < len(records) and records[place].offset < begin:
            place += 1
        last = place
        while last < len(records) and records[last].offset < end:
            last += 1
        edits += _edits_of_line(content.read(begin, end - begin), begin, records[place:last])
        if end == content.size and not _ends_whole(content, end, records[place:last]):
            edits.append(Edit(end, b"", b"\n", TORN))
        done = max(end, offset + 1)
    return edits


def _ends_whole(content: Content, end: int, records: Sequence[Span]) -> bool:
    """Tell whether a last line without LF ends with a record, or with nothing but blanks."""
    begin = records[-1].end if records else line_around(content, max(end - 1, 0))[0]
    return not content.read(begin, end - begin).strip(_BLANK)


def _edits_of_line(line: bytes, begin: int, records: Sequence[Span]) -> list[Edit]:
    """Return the edits of one line, which begins at `begin` of the file."""
    edits: list[Edit] = []
    for place in _INNER_RUNS:
        edits = _edits_with(line, begin, records, place)
        found = _core.scan_bytes(apply_edits(line, begin, edits))
        if found.records == len(records) and not any(
            one.kind in ("glued", "spliced") for one in found.defects
        ):
            break
    return edits


_INNER_RUNS = ("blank", "first", "last", "keep")
"""What becomes of a run of NUL bytes within a broken record: blanks; blanks with a line feed in the place of
the first or the last, where what is left of the record would be read as one; or the first byte stays, where
neither helps."""


def _edits_with(line: bytes, begin: int, records: Sequence[Span], inner: str) -> list[Edit]:
    """Return the edits of one line. `inner`: one of `_INNER_RUNS`."""
    new: dict[int, tuple[bytes, str]] = {}
    inserted: list[int] = []
    place = 0
    spans = [(record.offset - begin, record.end - begin) for record in records]
    for number, (first, end) in enumerate([*spans, (len(line), len(line))]):
        _edit_gap(line, place, first, number > 0, number < len(spans), inner, new, inserted)
        place = end
    if begin == 0 and spans and line.startswith(codecs.BOM_UTF8):
        new.update({at: (b" ", BOM) for at in range(len(codecs.BOM_UTF8))})
    new.update({at: (b"?", NOT_UTF8) for at in _not_utf8(line, new)})
    edits = [Edit(begin + at, b"", b"\n", SPLIT) for at in inserted]
    edits += [
        Edit(begin + at, line[at : at + 1], byte, reason)
        for at, (byte, reason) in new.items()
        if line[at : at + 1] != byte
    ]
    for run in _NULS.finditer(line):
        edits += _blanks(begin, *run.span(), new)
    return sorted(edits, key=lambda edit: edit.offset)


def apply_edits(data: bytes, begin: int, edits: Iterable[Edit]) -> bytes:
    """Return `data`, which begins at `begin` of the file, as the edits make it."""
    parts: list[bytes] = []
    place = 0
    for edit in edits:
        at = edit.offset - begin
        parts += [data[place:at], edit.new * edit.times]
        place = at + len(edit.old) * edit.times
    return b"".join([*parts, data[place:]])


def _edit_gap(
    line: bytes,
    begin: int,
    end: int,
    follows: bool,
    leads: bool,
    inner: str,
    new: dict[int, tuple[bytes, str]],
    inserted: list[int],
) -> None:
    """Plan the line feeds in what lies between two records, or between one and the line's end.

    `follows`: a record stands before it; `leads`: one stands behind it.
    """
    gap = line[begin:end]
    if not gap.strip(_BLANK):
        if follows and leads:
            if gap:
                new[begin + max(gap.find(b"\0"), 0)] = (b"\n", SPLIT)
            else:
                inserted.append(begin)
        return
    if gap == codecs.BOM_UTF8 and begin == 0:
        return
    text, text_end = len(gap) - len(gap.lstrip(_BLANK)), len(gap.rstrip(_BLANK))
    for run in _NULS.finditer(gap, text, text_end):
        if inner == "first":
            new[begin + run.start()] = (b"\n", BROKEN)
        elif inner == "last":
            new[begin + run.end() - 1] = (b"\n", BROKEN)
        elif inner == "keep":
            new[begin + run.start()] = (b"\0", BROKEN)
    if follows:
        new[begin] = (b"\n", SPLIT)
    if leads:
        new[end - 1] = (b"\n", SPLIT)


def _blanks(begin: int, first: int, end: int, new: Mapping[int, tuple[bytes, str]]) -> Iterator[Edit]:
    """Yield the edits that make blanks of the NUL bytes from `first` to `end`, those in `new` left out."""
    for place in [*sorted(at for at in new if first <= at < end), end]:
        if place > first:
            yield Edit(begin + first, b"\0", b" ", NUL, times=place - first)
        first = place + 1


def _not_utf8(line: bytes, new: Mapping[int, tuple[bytes, str]]) -> Iterator[int]:
    """Yield where the bytes stand that are no UTF-8 once the edits in `new` are made."""
    edited = bytearray(line)
    for at, (byte, _) in new.items():
        edited[at : at + 1] = byte
    text = edited.decode("utf-8", "surrogateescape")
    place = done = 0
    for found in _ESCAPED.finditer(text):
        place += len(text[done : found.start()].encode("utf-8", "surrogateescape"))
        yield place
        place += 1
        done = found.end()
