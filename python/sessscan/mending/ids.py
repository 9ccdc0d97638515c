"""Mend the uuids that hold a byte that is no UTF-8, where the other half of the link says which it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .. import _core
from ..model import Edit
from ..stores.json_members import members
from .content import Content

RESTORED = "the byte that was there, as the other end of the link has it"

_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass
class MendedIds:
    """The uuids and parents of records as they are once bytes that are no UTF-8 are replaced."""

    uuids: dict[int, str] = field(default_factory=dict)
    parents: dict[int, str] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    """Those that restore a byte. Each other one becomes `?`, which is not among these."""


def mend_ids(content: Content, records: Sequence[_core.SurvivingRecord]) -> MendedIds:
    """Return how the ids of the records are mended that hold a byte that is no UTF-8."""
    mended = MendedIds()
    spoiled = [number for number, one in enumerate(records) if "\ufffd" in f"{one.uuid} {one.parent}"]
    if not spoiled:
        return mended
    uuids = {record.uuid for record in records if record.uuid}
    missing = {record.parent for record in records if record.parent and record.parent not in uuids}
    for number in spoiled:
        for key, known, found in (
            ("uuid", missing, mended.uuids),
            ("parentUuid", uuids | set(mended.uuids.values()), mended.parents),
        ):
            _mend(content, records[number], number, key, known, found, mended.edits)
    return mended


def _mend(
    content: Content,
    record: _core.SurvivingRecord,
    number: int,
    key: str,
    known: Iterable[str],
    found: dict[int, str],
    edits: list[Edit],
) -> None:
    text = content.read(record.offset, record.length).decode("utf-8", "surrogateescape")
    member = {one.key: one for one in members(text)}.get(key)
    if member is None:
        return
    value = text[member.value + 1 : member.end - 1]
    if not _ESCAPED.search(value):
        return
    pattern = re.compile(
        "".join("." if _ESCAPED.match(char) else re.escape(char) for char in value), re.DOTALL
    )
    fitting = [one for one in known if pattern.fullmatch(one) and one.isascii()]
    if len(fitting) != 1:
        found[number] = _ESCAPED.sub("?", value)
        return
    found[number] = fitting[0]
    begin = record.offset + len(text[: member.value + 1].encode("utf-8", "surrogateescape"))
    for spot in _ESCAPED.finditer(value):
        at = begin + len(value[: spot.start()].encode("utf-8", "surrogateescape"))
        old = spot[0].encode("utf-8", "surrogateescape")
        edits.append(Edit(at, old, fitting[0][spot.start()].encode(), RESTORED))
