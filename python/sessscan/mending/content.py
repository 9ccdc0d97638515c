"""Read parts of a transcript's content, by offset, also of one that is UTF-16.

Offsets are those of the scan: into the bytes of the file, and of a UTF-16 file into its UTF-8 form.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any, Protocol

from ..errors import TooLargeError
from ..stores.transcripts import open_transcript

LARGEST_LINE = 64 << 20
"""Bytes of the longest damaged line that is read, and of the largest UTF-16 file."""

_BLOCK = 1 << 16


class Content(Protocol):
    """What a transcript holds."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, or what there is of them."""


class FileContent:
    """The bytes of a file, read when they are asked for."""

    def __init__(self, path: str) -> None:
        self._file = open_transcript(path)
        self.size = self._file.seek(0, 2)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, or what there is of them."""
        self._file.seek(offset)
        parts: list[bytes] = []
        while length > 0 and (part := self._file.read(length)):
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class BytesContent:
    """Content that is in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, or what there is of them."""
        return self.data[offset : offset + length]


def from_utf16(path: str) -> BytesContent:
    """Return the UTF-8 form of a UTF-16 file, without its BOM. Raises `TooLargeError`, OSError."""
    file = Path(path)
    if file.stat().st_size > LARGEST_LINE:
        raise TooLargeError(f"it is UTF-16 and larger than {LARGEST_LINE >> 20} MiB")
    data = file.read_bytes()
    if data.startswith(codecs.BOM_UTF16_LE):
        order = "utf-16-le"
    elif data.startswith(codecs.BOM_UTF16_BE) or data[:1] == b"\0":
        order = "utf-16-be"
    else:
        order = "utf-16-le"
    text = data.decode(order, "replace").removeprefix("\ufeff")
    return BytesContent(text.encode("utf-8", "replace"))


def line_around(content: Content, offset: int) -> tuple[int, int]:
    """Return where the line that holds `offset` begins and ends, its LF not included.

    Raises `TooLargeError` for a line that is longer than `LARGEST_LINE`.
    """
    begin = offset
    while begin > 0:
        place = max(0, begin - _BLOCK)
        found = content.read(place, begin - place).rfind(b"\n")
        if found >= 0:
            begin = place + found + 1
            break
        begin = place
        _check_length(offset - begin)
    end = offset
    while end < content.size:
        block = content.read(end, _BLOCK)
        found = block.find(b"\n")
        if found >= 0:
            return begin, end + found
        if not block:
            break
        end += len(block)
        _check_length(end - begin)
    return begin, end


def _check_length(length: int) -> None:
    if length > LARGEST_LINE:
        raise TooLargeError(f"a damaged line is longer than {LARGEST_LINE >> 20} MiB")


def parse(content: Content, offset: int, length: int) -> dict[str, Any]:
    """Return the JSON object at `offset`; an empty one for what Python cannot parse (it is too deep)."""
    try:
        found = json.loads(content.read(offset, length).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
