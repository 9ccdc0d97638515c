"""Find the lost rows of a store and everything that remains of each."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ... import _core
from ...model import Row
from ...stores.row_states import LEFTOVER_TMP, LOST_STATES
from ...stores.rows import bare_id, classify_row, read_file
from ..inventory import Inventory
from .limits import SETTLING
from .lost_row import LostRow, Remains
from .missing_rows import missing_rows
from .sources import (
    SOURCES,
    Neighbourhood,
    cut_off_id,
    is_last_save,
    is_whole,
    names_two_transcripts,
)


def find_lost_rows(inventory: Inventory) -> tuple[LostRow, ...]:
    """Return each row the app cannot read, each `.tmp` whose row is not there, and each row that is gone but
    was kept, with all that remains of it. A row whose session the user deleted is not lost."""
    bare = _lost_rows(inventory)
    around = Neighbourhood(inventory, (lost.session_id for lost in bare))
    return tuple(lost if not can_be_written(lost) else _with_remains(lost, around) for lost in bare)


def can_be_written(lost: LostRow) -> bool:
    """Tell whether there is nothing in the row's place that must not be written over."""
    return LOST_STATES[lost.row.state].untouchable is None and lost.row.error is None


def why_not_written(lost: LostRow) -> str:
    """Return why nothing can be written in a row's place."""
    return LOST_STATES[lost.row.state].untouchable or "something else than a file stands in its place"


def newest(lost: LostRow) -> tuple[list[Remains], str | None]:
    """Return the remains that agree with the newest one; or none, and why it cannot be told which that is."""
    naming = [one for one in lost.remains if one.cli_session_id is not None]
    if not naming:
        return list(lost.remains), None
    best = naming[0]
    for other in naming[1:]:
        if other.cli_session_id != best.cli_session_id:
            order = _compare(best, other)
            if order == 0:
                return [], (
                    f"{best.path} and {other.path} name different transcripts, and it cannot be told "
                    "which of them is the newer"
                )
            if order < 0:
                best = other
    return [one for one in lost.remains if one.cli_session_id in (None, best.cli_session_id)], None


def _lost_rows(inventory: Inventory) -> list[LostRow]:
    found = []
    for contents in inventory.contents:
        deleted = contents.tombstones
        names = set()
        for row in contents.rows:
            names.add(row.session_id)
            if row.state != "ok" and bare_id(row.session_id) not in deleted:
                found.append(LostRow(row, contents.stats.get(row.path)))
        for leftover in contents.temporaries:
            if leftover.session_id not in names and bare_id(leftover.session_id) not in deleted:
                try:
                    status = os.lstat(leftover.path)
                except OSError:
                    continue
                target = str(Path(leftover.path).with_suffix(""))
                written = status.st_mtime_ns // 1_000_000
                row = Row(target, leftover.session_id, leftover.store, LEFTOVER_TMP, status.st_size, written)
                found.append(LostRow(row, None))
                names.add(leftover.session_id)
        found += missing_rows(inventory, contents, names)
    return found


def _with_remains(lost: LostRow, around: Neighbourhood) -> LostRow:
    """Return the lost row with every state of it that is left, those the app wrote last first."""
    lost = _read_own(lost, around)
    remains: list[Remains] = []
    notes = list(lost.notes)
    misnamed = None
    for source in SOURCES.values():
        for found in source.find(lost, around):
            if isinstance(found, str):
                notes.append(found)
                continue
            stated = found.fields.get("cliSessionId")
            if found.cli_session_id is None and isinstance(stated, str) and found.version is None:
                notes.append(f"{os.path.basename(found.path)} names no transcript, but {stated!r}")  # noqa: PTH119
                if found.path == lost.path:
                    misnamed = stated
            else:
                remains.append(found)
    snapshot = next((one for one in remains if one.version is not None), None)
    if snapshot is not None:
        newer = [one for one in remains if one is not snapshot and _is_saved_after(lost, one, snapshot)]
        remains = [*newer, snapshot, *(one for one in remains if one is not snapshot and one not in newer)]
    return replace(lost, remains=tuple(remains), notes=tuple(notes), misnamed=misnamed)


def _read_own(lost: LostRow, around: Neighbourhood) -> LostRow:
    """Return the lost row with what its own content tells of it: whose it is, and how a cut-off id begins."""
    row = lost.row
    if lost.status is None or LOST_STATES[row.state].content == "none":
        return lost
    if row.state == "id-mismatch" and around.inventory.snapshots.newest(row.path) is not None:
        return replace(lost, foreign=True)  # it once bore its own id: what is there now came from elsewhere
    try:
        data, _ = read_file(row.path)
    except OSError:
        return lost
    inner = row.fields.get("sessionId")
    whole = is_whole(row, data)
    stranger = bare_id(inner) if isinstance(inner, str) else bare_id(row.session_id)
    if stranger != bare_id(row.session_id) and (not whole or stranger in around.known_sessions):
        note = f"its content is that of {inner}, another session"
        return replace(lost, foreign=True, notes=(*lost.notes, note))
    if whole:
        return lost
    beginning = cut_off_id(data)
    if names_two_transcripts(row.fields, beginning):
        return replace(lost, contradiction="it names two transcripts, and the name it gives last is cut off")
    return replace(lost, id_beginning=beginning)


def _is_saved_after(lost: LostRow, one: Remains, snapshot: Remains) -> bool:
    """Tell whether a file holds the row whole, and as the app has written it since the snapshot was taken."""
    if one.kind == "tmp":
        if not is_last_save(one, lost) or one.modified_at <= snapshot.modified_at + SETTLING:
            return False
    elif one.kind != "own" or not LOST_STATES[lost.row.state].is_encoded:
        return False
    try:
        data = _core.row_text(read_file(one.path)[0])
    except OSError:
        return False
    return data != snapshot.data and classify_row(data, lost.session_id, lost.row.store.format)[0] == "ok"


def _compare(one: Remains, other: Remains) -> int:
    """Return a positive number if `one` is the newer state of the row, a negative one if `other` is, and 0 if
    that cannot be told."""
    direct = ("own", "prefix")
    if "snapshot" in (one.kind, other.kind) and "copy" in (one.kind, other.kind):
        return 1 if one.kind == "snapshot" else -1  # a copy went its own way
    if one.kind in direct and other.kind in ("copy", "snapshot"):
        return 1  # a copy was taken before the row was last written
    if other.kind in direct and one.kind in ("copy", "snapshot"):
        return -1
    difference = one.stated_until - other.stated_until
    if "copy" not in (one.kind, other.kind):
        difference = one.modified_at - other.modified_at
        if abs(difference) <= SETTLING:
            return 0
    return (difference > 0) - (difference < 0)
