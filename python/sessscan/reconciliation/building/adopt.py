"""Make rows for orphans, where it can be told which account each is from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ... import _core
from ...errors import UnbuildableError, UsageError
from ...model import Action, Evidence, Row, Store
from ...stores.project_folder import normalize
from ...stores.row_states import MISSING
from ...stores.transcripts import transcript_id
from ..inventory import Inventory
from ..matching.lost_row import Held, LostRow
from ..matching.state import State
from .row import adopt

NO_ACCOUNT = (
    "there is no account folder to make rows in: start the desktop app, sign in and begin a session, which "
    "makes one; then try again"
)


@dataclass
class Adoptions:
    """The rows that are made for orphans, and why some orphans get none."""

    actions: list[Action] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """For each reason a sentence for the user."""


def adoptions(state: State, orphans: Sequence[_core.Transcript], account: str | None = None) -> Adoptions:
    """Return a new row for each orphan that may have one.

    An orphan that is a held row's candidate gets none, since matching that row brings it back under its old
    name; neither does one of which it cannot be told which account it is from.

    `account`: the account, organisation, `account/organisation` or folder in which all of them are made.
    Raises `UsageError` if no store or several stores are called so.
    """
    made = Adoptions()
    stores = stores_of_sessions(state.inventory)
    named = None if account is None else _named(stores, account)
    if not orphans:
        made.remarks.append("--adopt: no session of the desktop app is without a row")
    elif not stores:
        made.remarks.append(f"--adopt: {NO_ACCOUNT}")
        return made
    sought = {
        one.cli_session_id
        for verdict in state.verdicts.values()
        if isinstance(verdict, Held)
        for one in verdict.candidates
    }
    homes = _homes(state.inventory)
    offered = unplaced = 0
    for transcript in orphans:
        name = transcript_id(transcript)
        store = named or _store(stores, transcript, homes)
        if name in sought:
            offered += 1
        elif store is None:
            unplaced += 1
        else:
            try:
                made.actions.append(_adoption(state, transcript, store))
            except UnbuildableError as error:
                made.remarks.append(f"--adopt: {transcript.path}: {error}")
    if offered:
        made.remarks.append(
            f"--adopt: {_sessions(offered)} no new row: a held row may be about it. Decide that one with "
            "--match first"
        )
    if unplaced:
        made.remarks.append(
            f"--adopt: {_sessions(unplaced)} no new row: it cannot be told which account it is from. Name "
            f"one with --account: {', '.join(_label(store) for store in stores)}"
        )
    return made


def stores_of_sessions(inventory: Inventory) -> list[Store]:
    """Return the stores in which a session of the projects' roots may have its row."""
    return [
        contents.store for contents in inventory.contents if contents.store.format.transcripts_in_projects
    ]


def _adoption(state: State, transcript: _core.Transcript, store: Store) -> Action:
    name = transcript_id(transcript)
    path = str(Path(store.path, f"local_{name}.json"))
    lost = LostRow(Row(path, f"local_{name}", store, MISSING, 0, 0), None)
    evidence = Evidence("orphan", "it was born in the app, and no row names it")
    return adopt(lost, state.match(lost, transcript, evidence), state.details)


def _sessions(count: int) -> str:
    return "1 session gets" if count == 1 else f"{count:,} sessions get"


def _label(store: Store) -> str:
    """Return what a store can be called by, unless its folder says more."""
    return "/".join(Path(store.path).parts[-2:])


def _named(stores: Iterable[Store], account: str) -> Store:
    """Return the store that an account, an organisation, both or a folder names."""
    stores = list(stores)
    wanted = account.rstrip("/\\").replace("\\", "/")
    found = [
        store
        for store in stores
        if wanted in (*Path(store.path).parts[-2:], _label(store)) or _same_folder(store.path, account)
    ]
    if len(found) == 1:
        return found[0]
    if not stores:
        raise UsageError(f"--account {account}: {NO_ACCOUNT}")
    several = "several accounts are" if found else "no account is"
    listed = ", ".join(_label(store) for store in found or stores)
    raise UsageError(f"--account {account}: {several} called so; there are: {listed}")


def _same_folder(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


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


def _store(stores: Sequence[Store], transcript: _core.Transcript, homes: dict[str, set[str]]) -> Store | None:
    """Return the store an orphan is from: the only one, or the only one with rows from its directory."""
    if len(stores) > 1 and transcript.cwd is not None:
        paths = homes.get(normalize(transcript.cwd), set())
        stores = [store for store in stores if store.path in paths]
    return stores[0] if len(stores) == 1 else None
