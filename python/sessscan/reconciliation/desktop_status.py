"""Tell for each transcript whether the desktop app lists its session, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .. import _core
from ..model import DesktopState, Row
from ..stores.project_folder import matches_key
from ..stores.transcripts import folder_of, path_of, transcript_id
from .inventory import Inventory, cli_session_id
from .matching.lost_row import Matched
from .matching.state import State


@dataclass(frozen=True, slots=True)
class DesktopStatus:
    """Whether the desktop app lists one session.

    `listed`: a row that the app can read names it. `lost`: a row that the app cannot read, or that has lost
    its link, belonged to it. `orphan`: it was begun in the app, and no row names it. `deleted`: the user
    deleted it in the app. `continued`: the row that named it now names another transcript, in which it
    continues. `none`: no row names it, and none is missing.
    """

    desktop: DesktopState
    row: str | None = None
    """The path of the row that names it or did."""
    by: Row | None = None
    """The row itself, if the app can read it and it names the transcript now."""


def desktop_statuses(state: State, orphans: Iterable[_core.Transcript]) -> dict[str, DesktopStatus]:
    """Return the status of each transcript by its path, except where it is `none`.

    Where a uuid stands in several project folders, the row is about the one in the folder of its cwd.
    """
    inventory = state.inventory
    found: dict[str, DesktopStatus] = {}
    empty: dict[str, list[_core.Transcript]] = {}
    for transcript in inventory.empty:
        empty.setdefault(transcript_id(transcript), []).append(transcript)
    for name in inventory.tombstones:
        for transcript in (*inventory.files(name), *empty.get(name, ())):
            found[path_of(transcript)] = DesktopStatus("deleted")
    for name, rows in inventory.claims.items():
        naming = [row for row in rows if cli_session_id(row) == name]
        for row in naming or rows[:1]:
            named = _file(inventory, empty, name, row.fields.get("cwd"))
            if named is not None:
                listed = DesktopStatus("listed", row.path, row)
                found[path_of(named)] = listed if naming else DesktopStatus("continued", row.path)
    for transcript in orphans:
        found[path_of(transcript)] = DesktopStatus("orphan")
    lost_rows = {one.lost.session_id: one.lost for one in state.unlinked.values()}
    lost_rows |= {lost.session_id: lost for lost in state.lost}
    for name, session_id in state.taken.items():
        lost = lost_rows.get(session_id)
        verdict = None if lost is None else state.verdict(lost)
        if isinstance(verdict, Matched) and verdict.cli_session_id == name and verdict.transcript is not None:
            about: _core.Transcript | None = verdict.transcript
        else:
            about = _file(inventory, empty, name, None if lost is None else lost.row.fields.get("cwd"))
        # A transcript that a readable row names is listed, even if a lost row belonged to it as well.
        if about is not None and _may_be_lost(found.get(path_of(about))):
            found[path_of(about)] = DesktopStatus("lost", None if lost is None else lost.path)
    return found


def _may_be_lost(status: DesktopStatus | None) -> bool:
    return status is None or status.desktop in ("continued", "orphan")


def _file(
    inventory: Inventory, empty: dict[str, list[_core.Transcript]], name: str, cwd: object
) -> _core.Transcript | None:
    """Return the file that a row with this cwd is about; an empty one only where there is no other."""
    transcript = inventory.pick(name, cwd)
    if transcript is not None:
        return transcript
    found = empty.get(name, [])
    return max(found, key=lambda one: isinstance(cwd, str) and matches_key(cwd, folder_of(one)), default=None)
