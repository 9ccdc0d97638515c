"""The members of a row as they stand in its bytes, so that one can be changed without touching the rest.

A row that is parsed and written again may come back with another spelling of its numbers, escapes and order.
Here the bytes themselves are cut and joined; what is not meant stays as the app wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined]  # the parts `json` is made of

# Values are only skipped: a number stays the text it is, however many digits it has.
_SKIP = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode

_LARGE = 4096
"""Bytes from which a member is a piece of its own: connector settings, which many rows share."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object: where it begins, where its value does, and where that ends."""

    key: str
    begin: int
    value: int
    end: int


def members(text: str) -> list[Member]:
    """The members of the one JSON object in `text`, in their order.

    Raises `ValueError` for what is no object, `RecursionError` for one nested too deeply.
    """
    place = _blank(text, 0)
    if text[place : place + 1] != "{":
        raise ValueError("no object")
    found: list[Member] = []
    place = _blank(text, place + 1)
    if text[place : place + 1] == "}":
        return found
    while True:
        begin = place
        if text[place : place + 1] != '"':
            raise ValueError("no key")
        key, place = scanstring(text, place + 1, True)
        place = _blank(text, place)
        if text[place : place + 1] != ":":
            raise ValueError("a key without a value")
        value = _blank(text, place + 1)
        _, end = _SKIP(text, value)
        found.append(Member(key, begin, value, end))
        place = _blank(text, end)
        if text[place : place + 1] == "}":
            return found
        if text[place : place + 1] != ",":
            raise ValueError("a member that does not end")
        place = _blank(text, place + 1)


def changed(data: bytes, values: Mapping[str, str]) -> bytes:
    """The row `data` with other values (JSON texts) for some members; those it has not come last.

    Every other byte stays. Of a key given twice the last counts, so that one is changed. Raises as `members`.
    """
    text = _decoded(data)
    found = members(text)
    last = {member.key: member for member in found}
    cuts = [(last[key].value, last[key].end, value) for key, value in values.items() if key in last]
    new = "".join(f",{json.dumps(key)}:{value}" for key, value in values.items() if key not in last)
    if new:
        place = found[-1].end if found else text.index("{") + 1
        cuts.append((place, place, new if found else new[1:]))
    for begin, end, value in sorted(cuts, reverse=True):
        text = text[:begin] + value + text[end:]
    return _encoded(text)


def pieces(data: bytes) -> list[bytes]:
    """A row cut before and after each large member: joined they are `data`, and rows share the large ones."""
    if len(data) < 2 * _LARGE:
        return [data]
    text = _decoded(data)
    try:
        large = [member for member in members(text) if member.end - member.begin >= _LARGE]
    except (ValueError, RecursionError):
        return [data]
    places = [0, *(place for member in large for place in (member.begin, member.end)), len(text)]
    cut = [text[begin:end] for begin, end in pairwise(places)]
    return [_encoded(part) for part in cut if part]


def _blank(text: str, place: int) -> int:
    end: int = WHITESPACE.match(text, place).end()
    return end


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
