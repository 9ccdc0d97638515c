"""Change single members of a row in its bytes, and leave every other byte as the app wrote it.

Parsing a row and writing it again may change the spelling of its numbers and escapes, and their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
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


def members(text: str, place: int = 0) -> list[Member]:
    """Return the members of the JSON object in `text` that begins at `place`, in their order.

    Raises `ValueError` for what is no object, `RecursionError` for one nested too deeply.
    """
    place = _skip_whitespace(text, place)
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


def elements(text: str, place: int) -> list[tuple[int, int]]:
    """Return where each element of the JSON array that begins at `place` begins and ends.

    Raises as `members`.
    """
    if text[place : place + 1] != "[":
        raise ValueError("no array")
    found: list[tuple[int, int]] = []
    place = _skip_whitespace(text, place + 1)
    while text[place : place + 1] != "]":
        begin = place
        _, end = _read_value(text, place)
        found.append((begin, end))
        place = _skip_whitespace(text, end)
        if text[place : place + 1] == ",":
            place = _skip_whitespace(text, place + 1)
        elif text[place : place + 1] != "]":
            raise ValueError("an element that does not end")
    return found


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
    return _encode(_replaced(text, cuts))


def replace_texts(data: bytes, cuts: Iterable[tuple[int, int, str]]) -> bytes:
    """Return `data` with other texts in some places: for each where it begins and ends in characters, with
    undecodable bytes as half surrogates, and what comes there. Every other byte stays."""
    return _encode(_replaced(_decode(data), cuts))


def _replaced(text: str, cuts: Iterable[tuple[int, int, str]]) -> str:
    for begin, end, value in sorted(cuts, reverse=True):
        text = text[:begin] + value + text[end:]
    return text


def members_of(data: bytes) -> set[str]:
    """Return the keys of the row `data`. Raises as `members`."""
    return {member.key for member in members(_decode(data))}


def appended(data: bytes, key: str, value: str) -> str:
    """Return the JSON text of the array that is a row's member `key`, with one more value (a JSON text).

    Every other byte of it stays; where there is no array, it is a new one. Raises as `members`.
    """
    text = _decode(data)
    last = {member.key: member for member in members(text)}
    if key not in last or text[last[key].value] != "[":
        return f"[{value}]"
    array = text[last[key].value : last[key].end]
    found = elements(array, 0)
    place = found[-1][1] if found else 1
    return f"{array[:place]}{',' if found else ''}{value}{array[place:]}"


def edit_members(data: bytes, values: Mapping[str, str], dropped: Collection[str]) -> bytes:
    """Return the row `data` with other values as `replace_members` has it, and without some members.

    Raises as `members`.
    """
    text = _decode(replace_members(data, values))
    found = members(text)
    first = next((number for number, member in enumerate(found) if member.key not in dropped), len(found))
    left, place = [], 0
    for number, member in enumerate(found):
        if member.key not in dropped:
            continue
        # With the comma on one side of it: the one before, unless no member that stays comes before.
        if number > first:
            begin, end = found[number - 1].end, member.end
        else:
            begin = member.begin
            end = found[number + 1].begin if number + 1 < len(found) else member.end
        left.append(text[place:begin])
        place = end
    return _encode("".join((*left, text[place:])))


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
