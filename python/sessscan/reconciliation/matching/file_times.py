"""Decide which files' times can be trusted, and how soon after a turn this store's rows are saved."""

from __future__ import annotations

import math
import os
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from ... import _core
from ...changes.journal import runs
from ...model import Row
from ...stores.row_states import LEFTOVER_TMP, LOST_STATES
from ..inventory import Inventory, cli_session_id
from .limits import (
    AFTER,
    BOUND,
    FIRST_RELEASE,
    FUTURE,
    MARGIN,
    OWN_BIRTH,
    PERCENTILE,
    SAME_TIME,
    SKEW,
    SWEEP,
    SWEPT,
    TELLING,
    TOUCHED,
)
from .lost_row import LostRow


class FileTimes:
    """What the modification times of rows and transcripts prove. Built once for a whole matching."""

    def __init__(self, inventory: Inventory, lost: Sequence[LostRow]) -> None:
        self._inventory = inventory
        self._former = former_rows(inventory, lost)
        self._own_runs = _own_runs({one.path for one in lost})
        times = Counter(row.mtime for contents in inventory.every_store() for row in contents.rows)
        current = {row.path: row.mtime for row in inventory.rows()}
        times.update(row.mtime for row in self._former if current.get(row.path) != row.mtime)
        self._row_times = times

    def distrust(self, row: Row) -> str | None:
        """Return why a row's time is not that of its last write; None if it may be."""
        if row.mtime < FIRST_RELEASE or row.mtime > self._inventory.now + FUTURE:
            return "the time of its last write was lost"
        if any(start <= row.mtime <= end for start, end in self._own_runs.get(row.path, ())):
            return "sessscan itself wrote it last, so its time is not that of the app's last save"
        if self._row_times[row.mtime] >= SAME_TIME:
            return "several rows bear the same time, so it is not that of its last write"
        rows, transcripts = self._touched
        swept = _count(rows, row.mtime, SWEEP) + _count(transcripts, row.mtime, SWEEP)
        if _count(rows, row.mtime, TOUCHED) or swept >= SWEPT:
            return (
                "other files were rewritten at the same time (a restored backup, a copy), which hides when "
                "it was itself last written"
            )
        return None

    def last_write(self, lost: LostRow) -> int | None:
        """Return when a lost row was last written, epoch ms; None where that is not known.

        Only what a crash does to a row leaves it the time of its last save. A row of which only a `.tmp` is
        there was written last when that was, as far as anything tells; one that is gone has no time.
        """
        if lost.row.state == LEFTOVER_TMP:
            return lost.row.mtime
        if lost.is_gone or lost.foreign or not LOST_STATES[lost.row.state].from_crash:
            return None
        return None if self.distrust(lost.row) is not None else lost.row.mtime

    def last_write_bound(self, lost: LostRow) -> int | None:
        """Return a time, epoch ms, after which a lost row was not written any more; None where none is known.

        What is in the row's file was written when the file was, whatever wrote it.
        """
        if lost.row.state == LEFTOVER_TMP:
            return lost.row.mtime
        if lost.is_gone or self.distrust(lost.row) is not None:
            return None
        return lost.row.mtime

    def born(self, row: Row) -> int | None:
        """Return when a row's file was made, epoch ms; None where that says nothing of its session."""
        try:
            born_ns = _core.born_at(row.path)
        except OSError:
            return None
        born = 0 if born_ns is None else born_ns // 1_000_000
        return born if FIRST_RELEASE <= born <= row.mtime - OWN_BIRTH else None

    @cached_property
    def births_tell(self) -> bool:
        """Whether this store's files are as old as their sessions, by what its healthy rows show."""
        fits = [
            abs(born - transcript.created_at) <= AFTER
            for row, transcript in self.healthy
            if transcript.created_at is not None and (born := self.born(row)) is not None
        ]
        return len(fits) >= TELLING and sum(fits) >= PERCENTILE * len(fits)

    def written(self, transcript: _core.Transcript) -> int | None:
        """Return when a transcript's file was last written, epoch ms; None where its time does not tell.

        A file whose own records do not explain its time, among several like it, was copied or restored.
        """
        at = transcript.modified_at
        if at is None or at < FIRST_RELEASE or at > self._inventory.now + FUTURE:
            return None
        if self._transcript_times[at] >= SAME_TIME or _count(self._touched[1], at, SWEEP) >= SWEPT:
            return None
        return at

    @cached_property
    def bound(self) -> int:
        """How long after a session's last line its row is saved in this store, ms: at most `BOUND`."""
        return min(BOUND, self._usual) if self._gaps_tell else BOUND

    @property
    def is_calibrated(self) -> bool:
        """Whether enough healthy rows show that this store's rows are saved within less than `BOUND`."""
        return self._gaps_tell and self._usual <= BOUND

    @property
    def _gaps_tell(self) -> bool:
        return len(self._gaps) >= TELLING

    @cached_property
    def _usual(self) -> int:
        return MARGIN * self._gaps[math.ceil(PERCENTILE * len(self._gaps)) - 1] + SKEW

    @cached_property
    def _gaps(self) -> list[int]:
        """How long after its transcript's last line each healthy row was written, ms, sorted."""
        gaps = []
        for row, transcript in self.healthy:
            last = transcript.last_activity_at
            if last is not None and row.mtime >= last - SKEW and self.distrust(row) is None:
                gaps.append(max(0, row.mtime - last))
        return sorted(gaps)

    @cached_property
    def healthy(self) -> list[tuple[Row, _core.Transcript]]:
        """The healthy rows whose transcripts are there, each with its transcript."""
        found = []
        for contents in self._inventory.every_store():
            for row in contents.rows:
                name = cli_session_id(row) if row.state == "ok" else None
                transcript = None if name is None else self._inventory.pick(name, row.fields.get("cwd"))
                if transcript is not None:
                    found.append((row, transcript))
        return found

    @cached_property
    def _transcript_times(self) -> Counter[int]:
        return Counter(
            at
            for transcript in (*self._inventory.transcripts, *self._inventory.unread)
            if (at := transcript.modified_at) is not None
        )

    @cached_property
    def _touched(self) -> tuple[list[int], list[int]]:
        """The times of healthy rows, and of transcripts, that were written when nothing in them happened."""
        rows, transcripts = [], []
        known = [row for contents in self._inventory.every_store() for row in contents.rows]
        for row in (*known, *self._former):
            if row.state == "ok" and not any(
                isinstance(at := row.fields.get(key), int | float) and row.mtime - at <= AFTER
                for key in ("lastFocusedAt", "lastActivityAt", "createdAt")
            ):
                rows.append(row.mtime)
        for transcript in self._inventory.transcripts:
            at = transcript.modified_at
            if at is not None and at - (transcript.last_activity_at or 0) > AFTER:
                transcripts.append(at)
        return sorted(rows), sorted(transcripts)


def _own_runs(paths: set[str]) -> dict[str, list[tuple[int, int]]]:
    """Return, for each of these rows that sessscan wrote, when its runs began and ended, epoch ms.

    A run that was undone is left out: the row has its old time again.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    if not paths:
        return found
    for run in runs()[0]:
        for entry in run.in_effect:
            if entry.path in paths:
                with suppress(OSError):
                    ended = run.journal.stat().st_mtime_ns // 1_000_000
                    found.setdefault(entry.path, []).append((run.started_at, ended + SKEW))
    return found


def former_rows(inventory: Inventory, lost: Iterable[LostRow]) -> list[Row]:
    """Return rows as they were when a snapshot was taken, where they bear another time now: those that are
    lost, and those that were put back since. When they were written still tells of the others."""
    former = [
        replace(one.row, state="ok", mtime=remains.modified_at, fields=remains.fields, error=None)
        for one in lost
        for remains in one.remains
        if remains.version is not None
    ]
    for contents in inventory.contents:
        times = inventory.snapshots.mtimes(contents.store.path)
        for row in contents.rows:
            time = times.get(os.path.basename(row.path), row.mtime)  # noqa: PTH119 - there are thousands
            if row.state == "ok" and time != row.mtime:
                former.append(replace(row, mtime=time))
    return former


def _count(times: list[int], time: int, within: int) -> int:
    return bisect_right(times, time + within) - bisect_left(times, time - within)
