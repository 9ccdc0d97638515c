"""Hide healthy rows from the matching, and leave of each only one kind of evidence.

Nothing is written: the rows, what is left of them, and the transcripts that are taken away differ only in the
records that are handed to the matching.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import ClassVar

from ..backtest_result import TriedEvidence
from ..model import Row
from ..snapshots.source import SnapshotSource
from ..stores.row_states import LOST_STATES
from ..stores.rows import bare_id, classify_row, identifying_members, read_file, readable_members
from ..stores.transcripts import path_of, transcript_id
from .inventory import Inventory, claims_of, cli_session_id
from .matching.lost_row import LostRow, Remains
from .matching.sources import Neighbourhood, ReadableCopy, UnfinishedSave, prefixes, stated_time

_BEFORE = 1_000
"""So long before the row's last write a `.tmp` that is made for a trial was written, at least, ms: with the
row's own time it would say nothing."""
_NAME = re.compile(rb'"cliSessionId"\s*:\s*"[^"\\]*"')


def hide(inventory: Inventory, rows: Iterable[Row]) -> Inventory:
    """Return the stores as they would be if these rows had lost their content."""
    hidden = {row.path for row in rows}
    contents = []
    for store in inventory.contents:
        left, stats = [], dict(store.stats)
        for row in store.rows:
            if row.path in hidden:
                try:
                    stats[row.path] = os.lstat(row.path)
                except OSError:
                    continue  # it vanished meanwhile
                row = zeroed(row)
            left.append(row)
        contents.append(replace(store, rows=left, stats=stats))
    every_store = (*contents, *inventory.context)
    return replace(inventory, contents=tuple(contents), claims=claims_of(every_store))


def zeroed(row: Row) -> Row:
    """Return a healthy row as it would be if a crash had left only its length and its time."""
    return replace(row, state="zero-filled", offset=0, length=row.size, fields={}, remote=None)


def unlink(inventory: Inventory, rows: Iterable[Row]) -> Inventory:
    """Return the stores as they would be if these readable rows had lost the transcripts that they name.

    No snapshot and no lease is left, since either would say which it was.
    """
    unlinked = {row.path for row in rows}
    contents = []
    for store in inventory.contents:
        left = [_without_link(row) if row.path in unlinked else row for row in store.rows]
        contents.append(replace(store, rows=left))
    claims = claims_of((*contents, *inventory.context))
    return replace(
        inventory, contents=tuple(contents), claims=claims, worktrees=(), snapshots=SnapshotSource()
    )


def _without_link(row: Row) -> Row:
    fields = {key: value for key, value in row.fields.items() if key != "cliSessionId"}
    return replace(row, fields=fields)


def take_away(inventory: Inventory, names: frozenset[str]) -> Inventory:
    """Return the inventory as it would be if the transcripts of these ids had been deleted just now.

    All that a deletion leaves is the time of the folder, which tells that something was removed from it.
    """
    deleted = [path_of(one) for name in names for one in inventory.files(name)]
    return replace(
        inventory,
        transcripts=tuple(one for one in inventory.transcripts if transcript_id(one) not in names),
        unread=tuple(one for one in inventory.unread if transcript_id(one) not in names),
        by_id={name: files for name, files in inventory.by_id.items() if name not in names},
        own={
            session: tuple(one for one in found if transcript_id(one) not in names)
            for session, found in inventory.own.items()
        },
        removals={os.path.dirname(path): inventory.now for path in deleted},  # noqa: PTH120
    )


def some_unclaimed(inventory: Inventory, dice: Random, one_in: int) -> frozenset[str]:
    """Return the ids of some of the transcripts that no readable row names, by chance one in so many."""
    owned = (transcript_id(one) for found in inventory.own.values() for one in found)
    names = sorted(name for name in {*inventory.by_id, *owned} if inventory.unclaimed(name))
    return frozenset(name for name in names if dice.randrange(one_in) == 0)


class Trial(ABC):
    """One kind of evidence, and what is left of a hidden row that has only that."""

    kind: ClassVar[TriedEvidence]

    def __init__(self, inventory: Inventory, snapshots: SnapshotSource, seed: int) -> None:
        self._inventory = inventory
        self._snapshots = snapshots
        self._seed = seed

    @abstractmethod
    def suits(self, row: Row) -> bool:
        """Tell whether a healthy row can be tried with this evidence."""

    def surroundings(self, inventory: Inventory) -> Inventory:
        """Return the inventory with this evidence alone: by default without leases and snapshots."""
        return replace(inventory, worktrees=(), snapshots=SnapshotSource())

    @abstractmethod
    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        """Return what is left of the healthy row `row`; None if the trial cannot be made after all.

        `lost`: the row as it is found hidden, with all that the stores have of it.
        """


class _Snapshot(Trial):
    """The newest snapshot that sessscan has of the row."""

    kind = "snapshot"

    def __init__(self, inventory: Inventory, snapshots: SnapshotSource, seed: int) -> None:
        super().__init__(inventory, snapshots, seed)
        self._kept = {
            contents.store.path: snapshots.deleted_by_name(contents.store.path)
            for contents in inventory.contents
        }

    def suits(self, row: Row) -> bool:
        return os.path.basename(row.path) in self._kept[row.store.path]  # noqa: PTH119 - there are thousands

    def surroundings(self, inventory: Inventory) -> Inventory:
        return replace(inventory, worktrees=(), snapshots=self._snapshots)

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        kept = tuple(one for one in lost.remains if one.kind == self.kind)
        return replace(lost, remains=kept, notes=()) if kept else None


class _UnfinishedSave(Trial):
    """A `.tmp` of the row: the one beside it, or else its own content as it was after its last activity."""

    kind = "tmp"

    def suits(self, row: Row) -> bool:
        return True

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        found = tuple(one for one in lost.remains if one.kind == self.kind)
        if not found and lost.status is not None:
            written = min(stated_time(row.fields), row.mtime - _BEFORE)
            status = _dated(lost.status, written)
            found = (UnfinishedSave().whole(lost, status, row.fields),)
        return replace(lost, remains=found, notes=())


class _Copy(Trial):
    """Readable copies of the row: those in the stores, or else one of its own content."""

    kind = "copy"

    def suits(self, row: Row) -> bool:
        return True

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        found = tuple(one for one in lost.remains if one.kind == self.kind)
        if not found and lost.status is not None:
            copy = ReadableCopy().copy(f"{row.path}.bak", lost.status, row.fields, elsewhere=False)
            found = (copy,)
        return replace(lost, remains=found, notes=())


class _Prefix(Trial):
    """The beginning of the row, cut off by chance somewhere behind the name of its transcript."""

    kind = "prefix"

    def __init__(self, inventory: Inventory, snapshots: SnapshotSource, seed: int) -> None:
        super().__init__(inventory, snapshots, seed)
        self._around = Neighbourhood(inventory, ())

    def suits(self, row: Row) -> bool:
        return True

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        try:
            data, status = read_file(row.path)
        except OSError:
            return None
        named = _NAME.search(data)
        if named is None or named.end() >= len(data) - 1:
            return None
        data = data[: Random(f"{self._seed} {row.session_id}").randrange(named.end(), len(data) - 1)]
        state, offset, length = classify_row(data, row.session_id, row.store.format)
        fields = identifying_members(readable_members(data))
        if state == "ok" or LOST_STATES[state].content != "beginning":
            return None
        cut = replace(row, state=state, size=len(data), offset=offset, length=length, fields=fields)
        lost = replace(lost, row=cut, notes=())
        found = prefixes(lost, row.path, data, status, fields, self._around, row.mtime)
        left = tuple(one for one in found if isinstance(one, Remains))
        whole_name = left and left[0].cli_session_id == cli_session_id(row)
        return replace(lost, remains=left) if whole_name else None


class _OwnFolder(Trial):
    """The folder of the row's own name, in which its session keeps its transcript (Cowork)."""

    kind = "own-folder"

    def suits(self, row: Row) -> bool:
        return bare_id(row.session_id) in self._inventory.own

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        return replace(lost, remains=(), notes=())


class _Name(Trial):
    """The row's name, where it is a transcript's uuid."""

    kind = "uuid"

    def suits(self, row: Row) -> bool:
        name = bare_id(row.session_id)
        return name in self._inventory.by_id and name not in self._inventory.own

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        return replace(lost, remains=(), notes=())


class _Lease(Trial):
    """The worktree that the app has lent to the row's session."""

    kind = "lease"

    def __init__(self, inventory: Inventory, snapshots: SnapshotSource, seed: int) -> None:
        super().__init__(inventory, snapshots, seed)
        self._leased = {
            (worktrees.home, bare_id(lease.session_id))
            for worktrees in inventory.worktrees
            for lease in worktrees.leases
        }

    def suits(self, row: Row) -> bool:
        home, name = row.store.user_data or "", bare_id(row.session_id)
        return (home, name) in self._leased and not _says_enough(self._inventory, row)

    def surroundings(self, inventory: Inventory) -> Inventory:
        return replace(inventory, snapshots=SnapshotSource())

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        return replace(lost, remains=(), notes=())


class _Time(Trial):
    """Nothing but the time of the row's last write."""

    kind = "time"

    def suits(self, row: Row) -> bool:
        return not _says_enough(self._inventory, row)

    def left_of(self, row: Row, lost: LostRow) -> LostRow | None:
        return replace(lost, remains=(), notes=())


_TRIALS: tuple[type[Trial], ...] = (
    _Snapshot,
    _UnfinishedSave,
    _Copy,
    _Prefix,
    _OwnFolder,
    _Name,
    _Lease,
    _Time,
)


def trials(inventory: Inventory, snapshots: SnapshotSource, seed: int) -> Mapping[TriedEvidence, Trial]:
    """Return a trial of each kind of evidence, in the order in which the matching considers them."""
    return {kind.kind: kind(inventory, snapshots, seed) for kind in _TRIALS}


def _says_enough(inventory: Inventory, row: Row) -> bool:
    """Tell whether a row's name leads to a transcript, so that no weaker evidence can be tried on it."""
    name = bare_id(row.session_id)
    return name in inventory.by_id or name in inventory.own


def _dated(status: os.stat_result, milliseconds: int) -> os.stat_result:
    """Return a file's status as it would be if it had last been written at a time, epoch ms."""
    seconds = milliseconds // 1000
    times = {"st_mtime_ns": milliseconds * 1_000_000, "st_ctime_ns": status.st_ctime_ns}
    return os.stat_result((*status[:8], seconds, status[9]), times)
