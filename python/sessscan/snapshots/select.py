"""Select the row and the version that the user names."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from ..stores.rows import bare_id
from .store import Kept, Version

_ENOUGH = 4
"""Characters by which a session may be called, if no other begins so."""


def row(rows: Sequence[Kept], name: str) -> Kept:
    """The row that `name` means: a path, a file name, a session id, or the beginning of one.

    Raises `ValueError`, with a text for the user, where nothing is kept of it, or it may be several.
    """
    absolute = Path(name).absolute()
    physical = str(absolute.parent.resolve() / absolute.name)
    for kept in rows:
        if kept.path == physical:
            return kept
    wanted = bare_id(Path(name).name.removesuffix(".json")) if Path(name).name == name else ""
    found = [kept for kept in rows if wanted and bare_id(kept.session_id) == wanted]
    if not found and len(wanted) >= _ENOUGH:
        found = [kept for kept in rows if bare_id(kept.session_id).startswith(wanted)]
    if not found:
        raise ValueError(f"there is no snapshot of a row {name}: `sessscan snapshots` lists what there is")
    if len(found) > 1:
        paths = ", ".join(kept.path for kept in found[:5])
        raise ValueError(f"{name} may be one of {len(found)} rows; give the path: {paths}")
    return found[0]


def version(versions: Sequence[Version], at: int | None) -> Version:
    """The version of a row that stood at a time (epoch ms); without one the newest. `versions`: newest first.

    A row stood from when its file was written, as far as that lies after the snapshot before; else from when
    the snapshot was taken. Raises `ValueError` for a time before the first.
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
    raise ValueError(
        f"the oldest snapshot of {oldest.session_id} has it as it was from {first:%Y-%m-%d %H:%M:%S} UTC on"
    )
