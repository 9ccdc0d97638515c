"""Read of a transcript what the official SDKs read of it, and find in it what they look for.

They read 64 KiB at either end and search that for the text of a key. What they find there decides whether
they show the session, right or wrong: so here it is searched as they do, and not parsed as by a scan.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ..stores.opening import open_stream

SIZE = 65_536
"""Bytes that they read of either end."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The beginning and the end of a transcript, as text; the same of one that is no longer than either."""

    head: str
    tail: str

    @property
    def first_line(self) -> str:
        """The first line, as far as it is in the beginning."""
        return self.head.partition("\n")[0]


def read_ends(path: str) -> Ends | None:
    """Return both ends of a transcript, also of one behind a link; None of an empty one.

    Raises OSError, also where it is no regular file.
    """
    with open_stream(path, follow=True) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file", path)
        head = file.read(SIZE)
        tail = head
        if status.st_size > SIZE:
            file.seek(status.st_size - SIZE)
            tail = file.read(SIZE)
    return Ends(head.decode("utf-8", "replace"), tail.decode("utf-8", "replace")) if head else None


def begins_in_sidechain(ends: Ends) -> bool:
    """Tell whether both SDKs take the file for a subagent's."""
    return has(ends.first_line, "isSidechain", "true")


def has(text: str, key: str, value: str) -> bool:
    """Tell whether a text has a key with a value, with a blank between them or none."""
    return f'"{key}":{value}' in text or f'"{key}": {value}' in text


def openings(key: str) -> tuple[str, str]:
    """Return how the SDKs expect the value of a key to begin, if it is a string."""
    return f'"{key}":"', f'"{key}": "'


def end_of_string(text: str, begin: int) -> int | None:
    """Return where a JSON string ends whose content begins at `begin`; None where its end is not there."""
    at = begin
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == '"':
            return at
        else:
            at += 1
    return None


def strings(text: str, opening: str, begin: int = 0) -> Iterator[tuple[int, str]]:
    """Yield where a string with this opening stands, and what is between its quotes, each time it occurs."""
    while (at := text.find(opening, begin)) >= 0:
        content = at + len(opening)
        end = end_of_string(text, content)
        if end is None:
            return
        yield at, text[content:end]
        begin = end + 1


def lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, in order."""
    yield from text.split("\n")


def lines_backwards(text: str) -> Iterator[str]:
    """Yield the lines of a text, the last one first."""
    yield from reversed(text.split("\n"))
