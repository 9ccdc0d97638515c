"""Find the row and the version that the user means."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from ..errors import SnapshotError, UnknownSnapshotError
from ..stores.locate import StrPath, real_path
from ..stores.rows import bare_id
from .store import KeptRow, RowVersion, Snapshots

_MIN_PREFIX = 4
"""Characters of a session id that are enough to name it, if no other id begins with them."""


def kept_rows() -> list[KeptRow]:
    """Return every row of which snapshots are kept, in the order of their paths. Raises `SnapshotError`."""
    snapshots = Snapshots.open_existing()
    if snapshots is None:
        return []
    with snapshots:
        return snapshots.rows()


def kept_versions(row: StrPath) -> list[RowVersion]:
    """Return the versions of one row that are kept, newest first.

    `row`: its path, file name, session id, or the beginning of one. Raises `UnknownSnapshotError` where no
    kept row has that name, or several have, and `SnapshotError`.
    """
    with open_snapshots() as snapshots:
        return snapshots.versions(find_row(snapshots.rows(), os.fspath(row)).path)


def problems() -> list[str]:
    """Read all that is kept of rows; return what is wrong, a sentence each.

    Raises `SnapshotError` where the database cannot be read at all.
    """
    snapshots = Snapshots.open_existing()
    if snapshots is None:
        return []
    found = []
    with snapshots:
        for kept in snapshots.rows():
            for one in snapshots.versions(kept.path):
                try:
                    snapshots.content(one)
                except SnapshotError as error:
                    found.append(str(error))
    return found


def mark_removed(row: StrPath) -> KeptRow:
    """Remember that the user removed a row's file on purpose, so that it is not reported as missing.

    `row` and errors as in `kept_versions`. Returns the row; what is kept of it stays.
    """
    with open_snapshots() as snapshots:
        found = find_row(snapshots.rows(), os.fspath(row))
        snapshots.mark_removed(found.path)
    return found


def open_snapshots() -> Snapshots:
    """Open the snapshots that there are. Raises `UnknownSnapshotError` where none were ever taken."""
    snapshots = Snapshots.open_existing()
    if snapshots is None:
        raise UnknownSnapshotError("there are no snapshots yet: `sessscan snapshot` takes one")
    return snapshots


def find_row(rows: Sequence[KeptRow], name: str) -> KeptRow:
    """Return the row that `name` means: a path, a file name, a session id, or the beginning of one.

    Raises `UnknownSnapshotError` where no kept row has that name, or several have.
    """
    absolute = Path(name).absolute()
    physical = str(Path(real_path(absolute.parent), absolute.name))
    for kept in rows:
        if kept.path == physical:
            return kept
    wanted = bare_id(Path(name).name.removesuffix(".json")) if Path(name).name == name else ""
    found = [kept for kept in rows if wanted and bare_id(kept.session_id) == wanted]
    if not found and len(wanted) >= _MIN_PREFIX:
        found = [kept for kept in rows if bare_id(kept.session_id).startswith(wanted)]
    if not found:
        raise UnknownSnapshotError(
            f"there is no snapshot of a row {name}: `sessscan snapshots` lists what there is"
        )
    if len(found) > 1:
        paths = ", ".join(kept.path for kept in found[:5])
        raise UnknownSnapshotError(f"{name} may be one of {len(found)} rows; give the path: {paths}")
    return found[0]


class Kept(Protocol):
    """What is kept of a row or transcript at one time."""

    @property
    def session_id(self) -> str:
        """Whose it is."""

    @property
    def taken_at(self) -> int:
        """When it was kept, epoch ms."""

    @property
    def modified_ns(self) -> int:
        """The file's mtime at that moment, epoch ns."""


KeptT = TypeVar("KeptT", bound=Kept)


def version(versions: Sequence[KeptT], at: int | None) -> KeptT:
    """Return the version that a file had at a time (epoch ms), or its newest. `versions`: newest first.

    A version begins when its file was written, if that was after the snapshot before it was taken; otherwise
    when its own snapshot was taken. Raises `UnknownSnapshotError` for a time before the oldest version.
    """
    if at is None:
        return versions[0]
    for number, found in enumerate(versions):
        before = versions[number + 1].taken_at + 1 if number + 1 < len(versions) else 0
        written = found.modified_ns // 1_000_000
        if max(before, min(written, found.taken_at)) <= at:
            return found
    oldest = versions[-1]
    first = datetime.datetime.fromtimestamp(
        min(oldest.modified_ns // 1_000_000, oldest.taken_at) / 1000, datetime.UTC
    )
    raise UnknownSnapshotError(
        f"there is no snapshot of {oldest.session_id} from before {first:%Y-%m-%d %H:%M:%S} UTC"
    )
