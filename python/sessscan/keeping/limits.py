"""Drop old versions of transcripts: beyond a number of contents of each, or beyond a size of all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import SnapshotError
from .store import KeptFile


@dataclass(frozen=True, slots=True)
class _Content:
    """A content of a transcript, which may be dropped."""

    database: Path
    id: int
    path: str
    taken_at: int
    """When its newest version was kept."""
    age: int
    """How many newer contents its transcript has."""


def drop_contents(folder: Path, keep: int) -> None:
    """Drop all but the `keep` newest contents of each transcript. Raises `SnapshotError`."""
    for database in databases(folder):
        with KeptFile.at(database) as kept:
            due = [content.id for content in _contents(kept) if content.age >= keep]
            if due:
                with kept.transaction():
                    for content in due:
                        kept.drop_content(content)
                with contextlib.suppress(SnapshotError):  # what another process reads now is freed later
                    kept.shrink()


def fit(folder: Path, max_size: int, remarks: list[str]) -> None:
    """Drop the oldest contents until all take at most `max_size` bytes; say so in `remarks` if they cannot.

    First those that a newer one of the same transcript follows; then the last ones of transcripts that are
    still there. The last one of a transcript that is gone is never dropped. Raises `SnapshotError`.
    """
    used: dict[Path, int] = {}
    contents: list[_Content] = []
    for database in databases(folder):
        with KeptFile.at(database) as kept:
            used[database] = kept.used()
            contents += _contents(kept)
    due = [content for content in contents if content.age or os.path.lexists(content.path)]
    due.sort(key=lambda content: (not content.age, content.taken_at))
    for content in due:
        if sum(used.values()) <= max_size:
            return
        with KeptFile.at(content.database) as kept:
            with kept.transaction():
                kept.drop_content(content.id)
            with contextlib.suppress(SnapshotError):  # what another process reads now is freed later
                kept.shrink()
            used[content.database] = kept.used()
    total = sum(used.values())
    if total > max_size:
        remarks.append(
            f"what is kept takes {total:,} bytes, more than {max_size:,}: the rest is of transcripts that "
            "are gone, and only `sessscan forget` removes it"
        )


def size_of(folder: Path) -> int:
    """Return how many bytes the files in which transcripts are kept take, damaged ones included."""
    total = 0
    for file in folder.glob("*.db*"):
        with contextlib.suppress(FileNotFoundError):  # SQLite removes its log when it is closed
            total += file.stat().st_size
    return total


def databases(folder: Path) -> list[Path]:
    """Return the files in which transcripts are kept."""
    return sorted(folder.glob("[0-9a-f].db"))


def _contents(kept: KeptFile) -> Iterator[_Content]:
    seen: dict[str, list[int]] = {}
    for version in kept.versions():  # the newest first
        own = seen.setdefault(version.path, [])
        if version.content not in own:
            yield _Content(kept.path, version.content, version.path, version.taken_at, len(own))
            own.append(version.content)
