"""Check the conversations of transcripts with an index: those that have not changed since are not read again.

What was found of a file counts as long as its device, inode, size and times are the same. Nothing is kept of
a file that was changed shortly before, since a write in the same tick of the clock would not show, and
a power cut may leave its times as they were and its data zero.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from .. import _core
from ..state import home as default_home
from .cache import Cache

SETTLED = 60 * 10**9
"""Nanoseconds after its last change from which what was found of a file is kept."""

Place = tuple[int, int, int]
"""A record's line, offset and length."""


@dataclass(frozen=True, slots=True)
class ConversationCheck:
    """Whether a transcript's conversation is whole."""

    reached: int = 0
    """How many messages the official readers give."""
    damaged: int = 0
    """How many more they would give if nothing were damaged."""
    unread: int = 0
    """How many records are on lines that the readers do not take."""
    unpaired: int = 0
    """How many messages have a tool's call without its result, or a result without its call."""
    refused: int = 0
    """How many messages have something that the API refuses."""
    defects: int = 0
    """How many places of the file are damaged, by the whole grammar of JSON."""
    cut: Place | None = None
    """The last record whose parent is not found, where messages are cut off."""
    first_unpaired: Place | None = None
    first_refused: Place | None = None

    @property
    def is_whole(self) -> bool:
        return not (self.damaged or self.unpaired or self.refused)


_FIELDS = tuple(field.name for field in fields(ConversationCheck))


def check_many(
    paths: Sequence[str],
    *,
    index: bool = True,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    home: Path | None = None,
) -> dict[str, ConversationCheck]:
    """Return what was found of each transcript by its path; those that cannot be read are left out.

    With `index` only those are read that have changed. A problem with the index is not an error.
    """
    if not index:
        return _read(paths, threads, progress)
    began = time.time_ns()
    stamps = {path: stamp for path in paths if (stamp := _stamp(path, began)) is not None}
    found: dict[str, ConversationCheck] = {}
    with Cache(default_home() if home is None else home) as cache:
        for path, stamp, facts in cache.read_checks(stamps):
            if stamps[path] == stamp and (check := _parsed(facts)) is not None:
                found[path] = check
        new = _read([path for path in paths if path not in found], threads, progress)
        cache.write_checks([(path, stamps[path], _text(new[path])) for path in new if path in stamps])
    return found | new


def _read(
    paths: Sequence[str], threads: int | None, progress: Callable[[int, int], object] | None
) -> dict[str, ConversationCheck]:
    checks = _core.check_conversations(paths, threads=threads, progress=progress)
    return {
        path: ConversationCheck(*(getattr(check, name) for name in _FIELDS))
        for path, check in zip(paths, checks, strict=True)
        if check is not None
    }


def _stamp(path: str, now: int) -> str | None:
    """Return what tells whether a file has changed; None if it changed shortly before, or is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116  # of many files
        last = status.st_ctime_ns
        if sys.platform == "win32":
            last = _core.changed_at(path)  # `st_ctime` is the time of birth there
    except OSError:
        return None
    changed = max(status.st_mtime_ns, last)
    if not 0 < changed < now - SETTLED:
        return None
    times = (status.st_mtime_ns, last)
    return " ".join(map(str, (status.st_dev, status.st_ino, status.st_size, *times)))


def _text(check: ConversationCheck) -> str:
    return json.dumps([getattr(check, name) for name in _FIELDS])


def _parsed(text: str) -> ConversationCheck | None:
    """Return what `_text` made a text of; None if it made it otherwise."""
    try:
        reached, damaged, unread, unpaired, refused, defects, *found = json.loads(text)
        counts = (int(reached), int(damaged), int(unread), int(unpaired), int(refused), int(defects))
        cut, first_unpaired, first_refused = map(_place, found)
        return ConversationCheck(*counts, cut, first_unpaired, first_refused)
    except (ValueError, TypeError):
        return None


def _place(found: Sequence[int] | None) -> Place | None:
    if found is None:
        return None
    line, offset, length = found
    return int(line), int(offset), int(length)
