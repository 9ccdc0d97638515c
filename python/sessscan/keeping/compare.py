"""Compare transcripts with what is kept of them: which are gone, shorter, or others than they were."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..changes.journal import runs
from ..stores.locate import real_path
from .database import folder
from .limits import databases
from .store import KeptFile, TranscriptVersion


@dataclass(frozen=True, slots=True)
class Loss:
    """What a transcript has lost."""

    kind: Literal["gone", "shrunk", "rewritten"]
    path: str
    whole: TranscriptVersion
    """The last version of it before that."""
    size: int
    """Bytes that it has now."""


def losses(roots: Iterable[str]) -> Iterator[Loss]:
    """Yield what transcripts under some roots have lost since they were kept.

    What sessscan itself has written since is no loss. Raises `SnapshotError`.
    """
    places = tuple(real_path(root).rstrip(os.sep) + os.sep for root in roots)
    touched: dict[str, int] | None = None
    for database in databases(folder()):
        with KeptFile.at(database) as kept:
            ends = kept.ends()
        for newest, before in ends:
            if not newest.path.startswith(places):
                continue
            loss = _loss(newest, before)
            if loss is not None:
                touched = _touched() if touched is None else touched
                if touched.get(loss.path, 0) <= loss.whole.taken_at:
                    yield loss


def _loss(newest: TranscriptVersion, before: TranscriptVersion | None) -> Loss | None:
    """Tell what a transcript has lost, by its newest version and the last one of another content."""
    try:
        size = os.stat(newest.path).st_size  # noqa: PTH116 - there are thousands
    except (FileNotFoundError, NotADirectoryError):
        return Loss("gone", newest.path, newest, 0)
    except OSError:
        return None  # it is told as unreadable
    if size < newest.size:
        return Loss("shrunk", newest.path, newest, size)
    if before is None:
        return None
    kind: Literal["shrunk", "rewritten"] = "shrunk" if size < before.size else "rewritten"
    return Loss(kind, newest.path, before, size)


def _touched() -> dict[str, int]:
    """Return when sessscan has last written each file, epoch ms."""
    found: dict[str, int] = {}
    for run in runs()[0]:
        for entry in run.entries:
            if entry.outcome != "failed":
                path = os.path.join(real_path(os.path.dirname(entry.path)), os.path.basename(entry.path))  # noqa: PTH118, PTH119, PTH120
                found[path] = max(found.get(path, 0), run.started_at)
    return found
