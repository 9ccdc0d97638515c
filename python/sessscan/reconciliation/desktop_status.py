"""How the desktop app has each session: what the rows and the findings say, from the session's side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .. import _core
from ..stores.transcripts import transcript_id
from .inventory import cli_session_id
from .matching.state import State

Desktop = Literal["listed", "lost", "orphan", "deleted", "continued", "none"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the desktop app has one session.

    `listed`: a row that the app can read names it. `lost`: a row that the app cannot read belonged to it.
    `orphan`: it was begun in the app, and no row names it. `deleted`: the user deleted it there. `continued`:
    the row that named it names another transcript now, in which it went on. `none`: no row names it, and none
    is missing.
    """

    desktop: Desktop
    row: str | None = None
    """The row that names it, or did."""


def standings(state: State, orphans: Iterable[_core.Transcript]) -> dict[str, Standing]:
    """Of each transcript's uuid, where that is not `none`."""
    inventory = state.inventory
    found = {name: Standing("deleted") for name in inventory.tombstones}
    for name, rows in inventory.claims.items():
        naming = next((row for row in rows if cli_session_id(row) == name), None)
        found[name] = (
            Standing("continued", rows[0].path) if naming is None else Standing("listed", naming.path)
        )
    for transcript in orphans:
        found[transcript_id(transcript)] = Standing("orphan")
    rows_of = {lost.session_id: lost.path for lost in state.lost}
    for name, session_id in state.taken.items():
        # What a readable row names is listed, whatever else may want it.
        if found.get(name, Standing("none")).desktop in ("none", "continued", "orphan"):
            found[name] = Standing("lost", rows_of.get(session_id))
    return found
