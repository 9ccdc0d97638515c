"""Find the rows that were there when a snapshot was taken and are gone now, although nobody deleted them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from ...changes import journal
from ...model import Row
from ...stores.row_states import MISSING
from ...stores.rows import Contents, bare_id
from ..inventory import Inventory
from .lost_row import LostRow


def missing_rows(inventory: Inventory, contents: Contents, present: Collection[str]) -> Iterator[LostRow]:
    """Yield each row of one store that is gone. `present`: the sessions of which there is a file.

    A row is not missing if the user deleted its session, now or when an earlier snapshot was taken; if a row
    of that session lies in another store now; or if sessscan made the row itself and that was taken back. In
    a store that could not be listed no row counts as missing.
    """
    store = contents.store
    names = inventory.snapshots.deleted_by_name(store.path)
    absent = [name for name, deleted in names.items() if not deleted and _session(name) not in present]
    if not absent or contents.errors or (os.path.lexists(store.path) and not Path(store.path).is_dir()):
        return
    elsewhere = {row.session_id for found in inventory.every_store() for row in found.rows}
    undone = _taken_back()
    for name in sorted(absent):
        path, session_id = os.path.join(store.path, name), _session(name)  # noqa: PTH118 - names of any kind
        plain = name.startswith("local_") and name.endswith(".json") and os.path.basename(name) == name  # noqa: PTH119
        if (
            plain
            and session_id not in elsewhere
            and bare_id(session_id) not in contents.tombstones
            and path not in undone
            and not os.path.lexists(path)
        ):
            yield LostRow(Row(path, session_id, store, MISSING, 0, 0), None)


def _session(name: str) -> str:
    return name.removesuffix(".json")


def _taken_back() -> set[str]:
    """Return the rows that `--adopt` made and that were taken back."""
    return {
        entry.path
        for run in journal.runs()[0]
        for entry in run.entries
        if entry.kind == "adopt" and entry.undone
    }
