"""Rows for orphans: where they would go."""

from __future__ import annotations

from pathlib import Path

from ... import _core
from ...errors import UnbuildableError
from ...model import Action, Evidence, Row, Store
from ...stores.project_folder import normalize
from ...stores.row_states import MISSING
from ..inventory import transcript_id
from ..matching.lost_row import Case
from ..matching.state import Docket
from .row import adopt


def adoptions(docket: Docket, orphans: list[_core.Transcript]) -> list[Action]:
    """A new row for each orphan that may have one.

    None for an orphan that a held row may belong to (matching that row brings it back under its old name),
    and none where it cannot be told which account it is from.
    """
    sought = {c.cli_session_id for case in docket.cases for c in case.candidates if case.reason is not None}
    homes = _homes(docket)
    actions = []
    for transcript in orphans:
        name = transcript_id(transcript)
        store = _store(docket, transcript, homes)
        if name in sought or store is None:
            continue
        path = str(Path(store.path, f"local_{name}.json"))
        case = Case(Row(path, f"local_{name}", store, MISSING, 0, 0), None)
        docket.give(case, transcript, Evidence("orphan", "it was born in the app, and no row names it"))
        try:
            actions.append(adopt(case))
        except UnbuildableError:
            continue
    return actions


def _homes(docket: Docket) -> dict[str, set[str]]:
    """The stores whose rows are from a directory."""
    homes: dict[str, set[str]] = {}
    for contents in docket.survey.contents:
        for row in contents.rows:
            for key in ("cwd", "originCwd"):
                value = row.fields.get(key)
                if isinstance(value, str) and value:
                    homes.setdefault(normalize(value), set()).add(contents.store.path)
    return homes


def _store(docket: Docket, transcript: _core.Transcript, homes: dict[str, set[str]]) -> Store | None:
    """The store an orphan is from: the only one, or the only one with rows from its directory."""
    stores = [
        contents.store for contents in docket.survey.contents if contents.store.format.transcripts_in_projects
    ]
    if len(stores) > 1 and transcript.cwd is not None:
        paths = homes.get(normalize(transcript.cwd), set())
        stores = [store for store in stores if store.path in paths]
    return stores[0] if len(stores) == 1 else None
