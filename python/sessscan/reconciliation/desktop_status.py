"""Tell for each session whether the desktop app lists it, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .. import _core
from ..model import DesktopState
from ..stores.transcripts import transcript_id
from .inventory import cli_session_id
from .matching.state import State


@dataclass(frozen=True, slots=True)
class DesktopStatus:
    """Whether the desktop app lists one session.

    `listed`: a row that the app can read names it. `lost`: a row that the app cannot read belonged to it.
    `orphan`: it was begun in the app, and no row names it. `deleted`: the user deleted it in the app.
    `continued`: the row that named it now names another transcript, in which it continues. `none`: no row
    names it, and none is missing.
    """

    desktop: DesktopState
    row: str | None = None
    """The path of the row that names it or did."""


def desktop_statuses(state: State, orphans: Iterable[_core.Transcript]) -> dict[str, DesktopStatus]:
    """Return the status of each transcript by uuid, except where it is `none`."""
    inventory = state.inventory
    found = {name: DesktopStatus("deleted") for name in inventory.tombstones}
    for name, rows in inventory.claims.items():
        naming = next((row for row in rows if cli_session_id(row) == name), None)
        if naming is None:
            found[name] = DesktopStatus("continued", rows[0].path)
        else:
            found[name] = DesktopStatus("listed", naming.path)
    for transcript in orphans:
        found[transcript_id(transcript)] = DesktopStatus("orphan")
    rows_of = {lost.session_id: lost.path for lost in state.lost}
    for name, session_id in state.taken.items():
        # A transcript that a readable row names is listed, even if a lost row belonged to it as well.
        if name not in found or found[name].desktop in ("continued", "orphan"):
            found[name] = DesktopStatus("lost", rows_of.get(session_id))
    return found
