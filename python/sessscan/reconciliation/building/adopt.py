"""Make rows for orphans, where it can be told which account each is from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ... import _core
from ...errors import UnbuildableError
from ...model import Action, Evidence, Row, Store
from ...stores.project_folder import normalize
from ...stores.row_states import MISSING
from ...stores.transcripts import transcript_id
from ..inventory import Inventory
from ..matching.lost_row import Held, LostRow
from ..matching.state import State
from .row import adopt


def adoptions(state: State, orphans: Iterable[_core.Transcript]) -> list[Action]:
    """Return a new row for each orphan that may have one.

    An orphan that is a held row's candidate gets none, since matching that row brings it back under its old
    name; neither does one of which it cannot be told which account it is from.
    """
    sought = {
        one.cli_session_id
        for verdict in state.verdicts.values()
        if isinstance(verdict, Held)
        for one in verdict.candidates
    }
    homes = _homes(state.inventory)
    actions = []
    for transcript in orphans:
        name = transcript_id(transcript)
        store = _store(state.inventory, transcript, homes)
        if name in sought or store is None:
            continue
        path = str(Path(store.path, f"local_{name}.json"))
        lost = LostRow(Row(path, f"local_{name}", store, MISSING, 0, 0), None)
        evidence = Evidence("orphan", "it was born in the app, and no row names it")
        try:
            actions.append(adopt(lost, state.match(lost, transcript, evidence), state.details))
        except UnbuildableError:
            continue
    return actions


def _homes(inventory: Inventory) -> dict[str, set[str]]:
    """Return by directory the stores that have rows from it."""
    homes: dict[str, set[str]] = {}
    for contents in inventory.contents:
        for row in contents.rows:
            for key in ("cwd", "originCwd"):
                value = row.fields.get(key)
                if isinstance(value, str) and value:
                    homes.setdefault(normalize(value), set()).add(contents.store.path)
    return homes


def _store(inventory: Inventory, transcript: _core.Transcript, homes: dict[str, set[str]]) -> Store | None:
    """Return the store an orphan is from: the only one, or the only one with rows from its directory."""
    stores = [
        contents.store for contents in inventory.contents if contents.store.format.transcripts_in_projects
    ]
    if len(stores) > 1 and transcript.cwd is not None:
        paths = homes.get(normalize(transcript.cwd), set())
        stores = [store for store in stores if store.path in paths]
    return stores[0] if len(stores) == 1 else None
