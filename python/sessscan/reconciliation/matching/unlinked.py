"""Find the readable rows that have lost their link to a transcript, although they counted turns.

A row without turns has rightly no link: its session was never started. One that runs on another machine, or
whose session was deleted, is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...model import Row
from ...stores.locate import real_path
from ...stores.project_folder import is_local_path, matches_key
from ...stores.rows import UNAVAILABLE, bare_id
from ..inventory import Inventory, counted_turns, is_hollow
from .lost_row import LostRow

Loss = Literal["absent", "nowhere", "hollow", "unavailable"]
"""How a row's link is lost: it names no transcript; it names one that is not there; the one that it names
holds no conversation; it says that its transcript is not available, although that is there."""


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A readable row that counted turns and has lost its transcript."""

    lost: LostRow
    """The row, as the steps of matching take it."""
    loss: Loss

    @property
    def row(self) -> Row:
        """The row itself."""
        return self.lost.row


def find_unlinked(inventory: Inventory) -> dict[str, Unlinked]:
    """Return the rows whose link is lost, by path."""
    found = {}
    for contents in inventory.contents:
        for row in contents.rows:
            if row.state == "ok" and row.remote is None and counted_turns(row):
                loss = _loss(inventory, row)
                if loss is not None and bare_id(row.session_id) not in contents.tombstones:
                    found[row.path] = Unlinked(LostRow(row, None), loss)
    return found


def _loss(inventory: Inventory, row: Row) -> Loss | None:
    name = row.fields.get("cliSessionId")
    if not isinstance(name, str) or not name:
        return "absent"
    name = name.lower()
    if name in inventory.tombstones:
        return None
    files = inventory.files(name)
    if files:
        if all(is_hollow(row, one) for one in files):
            return "hollow"
        return "unavailable" if row.fields.get(UNAVAILABLE) is True else None
    if name in inventory.unread_ids or hidden_in(inventory, row.fields.get("cwd")) is not None:
        return None
    return "nowhere"


def hidden_in(inventory: Inventory, cwd: object) -> str | None:
    """Return the folder that cannot be read and may hold the transcript of a row of this directory."""
    for path in _unread_folders(inventory):
        if path in inventory.projects:
            return path
        parent, name = os.path.split(path)
        if parent not in inventory.projects:
            continue
        if not isinstance(cwd, str) or not cwd or matches_key(cwd, name):
            return path
        if is_local_path(cwd) and matches_key(real_path(cwd), name):
            return path
    return None


def _unread_folders(inventory: Inventory) -> Iterator[str]:
    for error in inventory.errors:
        yield os.fsdecode(error.filename or "")
