"""Change single members of a row in its bytes, and leave every other byte as the app wrote it.

Parsing a row and writing it again may change the spelling of its numbers and escapes, and their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

# Reads one value and returns where it ends. Numbers stay text, however many digits they have.
_read_value = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode
_WHITESPACE = re.compile(r"[ \t\n\r]*")

_LARGE = 4096
"""Bytes from which a member is split off: connector settings, which many rows share."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object, and where it begins, where its value begins, and where that ends."""

    key: str
    begin: int
    value: int
    end: int


def members(text: str) -> list[Member]:
    """Return the members of the one JSON object in `text`, in their order.

    Raises `ValueError` for what is no object, `RecursionError` for one nested too deeply.
    """
    place = _skip_whitespace(text, 0)
    if text[place : place + 1] != "{":
        raise ValueError("no object")
    found: list[Member] = []
    place = _skip_whitespace(text, place + 1)
    if text[place : place + 1] == "}":
        return found
    while True:
        begin = place
        if text[place : place + 1] != '"':
            raise ValueError("no key")
        key, place = _read_value(text, place)
        place = _skip_whitespace(text, place)
        if text[place : place + 1] != ":":
            raise ValueError("a key without a value")
        value = _skip_whitespace(text, place + 1)
        _, end = _read_value(text, value)
        found.append(Member(key, begin, value, end))
        place = _skip_whitespace(text, end)
        if text[place : place + 1] == "}":
            return found
        if text[place : place + 1] != ",":
            raise ValueError("a member that does not end")
        place = _skip_whitespace(text, place + 1)


def replace_members(data: bytes, values: Mapping[str, str]) -> bytes:
    """Return the row `data` with other values (JSON texts) for some members; new members come last.

    Every other byte stays. Of a key given twice the last is replaced, since it counts. Raises as `members`.
    """
    text = _decode(data)
    found = members(text)
    last = {member.key: member for member in found}
    cuts = [(last[key].value, last[key].end, value) for key, value in values.items() if key in last]
    new = "".join(f",{json.dumps(key)}:{value}" for key, value in values.items() if key not in last)
    if new:
        place = found[-1].end if found else text.index("{") + 1
        cuts.append((place, place, new if found else new[1:]))
    for begin, end, value in sorted(cuts, reverse=True):
        text = text[:begin] + value + text[end:]
    return _encode(text)


def split_large_members(data: bytes) -> list[bytes]:
    """Cut a row before and after each large member, so that rows can share it; joined it is `data`."""
    if len(data) < 2 * _LARGE:
        return [data]
    text = _decode(data)
    try:
        large = [member for member in members(text) if member.end - member.begin >= _LARGE]
    except (ValueError, RecursionError):
        return [data]
    places = [0, *(place for member in large for place in (member.begin, member.end)), len(text)]
    cut = [text[begin:end] for begin, end in pairwise(places)]
    return [_encode(part) for part in cut if part]


def _skip_whitespace(text: str, place: int) -> int:
    match = _WHITESPACE.match(text, place)
    return place if match is None else match.end()


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
