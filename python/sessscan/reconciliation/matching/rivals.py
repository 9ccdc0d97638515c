"""Decide whether evidence still holds for a row's last write, or whether another transcript explains it.

Every piece of evidence says what a row named at its own time: a snapshot when it was taken, a `.tmp` or a
copy when it was written, a lease when it was given. The row was written last at a later time. So evidence
that a row named a transcript decides only if that is the row's last write, or

1. *explained*: the transcript was active, or its file was written, within the bound before the row's last
   write, and no transcript that may have begun after that accounts for the write as well; or
2. *unrivalled*: from the evidence's time to the row's last write no other transcript that could be the row's
   was active or written, and there is nothing that could not be looked at.

A transcript could be a row's if no other row names it, if it may be the app's, and if it is from the row's
directories as far as both are known. One that cannot be read, holds no record or bears no times counts by the
time of its file.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ... import _core
from ...model import Absence
from ...stores.opening import changed_ns
from ...stores.project_folder import may_be_from, normalize
from ...stores.rows import bare_id
from ...stores.transcripts import (
    DESKTOP,
    could_be_a_rows,
    directories,
    folder_of,
    may_hold_conversation,
    path_of,
    transcript_id,
)
from ..details import Details
from ..inventory import Inventory
from .file_times import FileTimes
from .limits import BIRTH, SETTLING, SHOWN, SKEW
from .lineage import Lineage
from .lost_row import LostRow, moment, span


@dataclass(frozen=True, slots=True)
class Possible:
    """A transcript that could be some row's, and when it was active."""

    transcript: _core.Transcript
    id: str
    spans: tuple[tuple[int, int], ...]
    """When its records are from, epoch ms, sorted; empty where it cannot be read or bears no times."""
    written: int | None
    """When its file was last written, epoch ms; None where that is not known."""
    directories: frozenset[str]
    """Empty where nothing tells."""

    @property
    def is_legible(self) -> bool:
        """Whether its records tell when it was active."""
        return bool(self.spans)

    @property
    def latest(self) -> float:
        """The latest time at which it may have been active, epoch ms."""
        known = [end for _, end in self.spans[-1:]] + ([] if self.written is None else [self.written])
        return max(known) if self.is_legible or self.written is not None else float("inf")

    def last_before(self, time: int) -> int | None:
        """Return when it was last active, or its file written, at or before a time."""
        found = None
        place = bisect_right(self.spans, (time, time + 1)) - 1
        if place >= 0:
            found = min(self.spans[place][1], time)
        if self.written is not None and self.written <= time:
            found = self.written if found is None else max(found, self.written)
        return found

    def was_active(self, after: int, until: int) -> bool:
        """Tell whether it may have been active after one time and up to another."""
        if not self.is_legible:
            return self.written is None or self.written > after
        if self.written is not None and after < self.written <= until:
            return True
        place = bisect_left(self.spans, after, key=lambda span: span[1])
        while place < len(self.spans) and self.spans[place][0] <= until:
            if self.spans[place][1] > after:
                return True
            place += 1
        return False


@dataclass(frozen=True, slots=True)
class Stands:
    """The evidence holds for the row's last write."""

    rule: Literal["last write", "explained", "unrivalled"]
    because: str
    """In words that a person can check."""
    absence: Absence | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something else may explain the row's last write."""

    reason: str
    rivals: tuple[_core.Transcript, ...] = ()


class Rivals:
    """The transcripts without a row that could be a lost row's, and when each was active."""

    def __init__(
        self,
        inventory: Inventory,
        details: Details,
        lineage: Lineage,
        times: FileTimes,
        naming: Mapping[str, frozenset[str]],
    ) -> None:
        """`naming`: by transcript id the lost sessions whose remains name it."""
        self._inventory = inventory
        self._details = details
        self._lineage = lineage
        self._times = times
        self.naming = naming
        self.unseen: tuple[str, ...] = tuple(
            dict.fromkeys(str(error.filename) for error in inventory.errors if error.filename)
        )
        """What could not be looked at, and may hide rows or transcripts."""
        self._removals: dict[str, int | None] = {}
        self._named: dict[str, list[Possible]] = {}
        unnamed = []
        for transcript in (*inventory.transcripts, *inventory.unread):
            name = transcript_id(transcript)
            if inventory.unclaimed(name) and could_be_a_rows(transcript):
                possible = self.possible(transcript)
                if name in naming:
                    self._named.setdefault(name, []).append(possible)
                else:
                    unnamed.append(possible)
        self._unnamed = sorted(unnamed, key=lambda possible: possible.latest)
        self._latest = [possible.latest for possible in self._unnamed]

    @property
    def unnamed(self) -> list[Possible]:
        """Those that not even a lost row's remains name."""
        return self._unnamed

    def possible(self, transcript: _core.Transcript) -> Possible:
        """Return when a transcript was active, and where."""
        details = None if transcript.error is not None else self._details.of(transcript)
        return Possible(
            transcript,
            transcript_id(transcript),
            () if details is None else tuple(details.activity),
            self._times.written(transcript),
            directories(transcript) if transcript.error is None else frozenset(),
        )

    def decide(
        self,
        lost: LostRow,
        transcript: _core.Transcript | None,
        since: int,
        places: frozenset[str] | None = None,
    ) -> Stands | Doubt:
        """Decide whether `lost` still named `transcript` when it was written last.

        `since`: the latest time, epoch ms, at which the evidence shows that it did. `places`: the directories
        that the row is from, where the evidence tells; by default what its remains and the transcript say.
        """
        write = self._times.last_write(lost)
        name = None if transcript is None else transcript_id(transcript)
        if write is not None and since >= write - SETTLING:
            return Stands("last write", "that is the row's last write", self._absence(name, since, write))
        own = None if transcript is None else self.possible(transcript)
        if lost.row.state == "id-mismatch":
            places = frozenset()  # what its content says may be another session's
        places = _places(lost, own) if places is None else places
        if own is not None and write is not None:
            last = own.last_before(write + SKEW)
            if last is not None and write - last <= self._times.bound:
                return self._explained(lost, own, last, write, places)
        return self._unrivalled(lost, own, since, places)

    def explains(self, transcript: _core.Transcript, lost: LostRow) -> int | None:
        """Return when a transcript was last active or written, if shortly before a row's last write."""
        write = self._times.last_write(lost)
        if write is None:
            return None
        last = self.possible(transcript).last_before(write + SKEW)
        return last if last is not None and write - last <= self._times.bound else None

    def _explained(
        self, lost: LostRow, own: Possible, last: int, write: int, places: frozenset[str]
    ) -> Stands | Doubt:
        """A transcript that accounts for the write stands, unless one that began later does so as well."""
        later = [
            other
            for other in self._others(lost, own, last, write + BIRTH, places)
            if not other.is_legible or other.spans[0][0] >= last - SKEW
        ]
        if later:
            return Doubt(
                f"the row may have gone on with another transcript since: {_told(later)}",
                tuple(other.transcript for other in later),
            )
        when = f"{span(write - last)} before" if write >= last else f"{span(last - write)} after"
        return Stands(
            "explained",
            f"that transcript was active {moment(last)}, {when} the row's last write",
            self._absence(own.id, last, write + BIRTH, places),
        )

    def _unrivalled(
        self, lost: LostRow, own: Possible | None, since: int, places: frozenset[str]
    ) -> Stands | Doubt:
        bound = self._times.last_write_bound(lost)
        until = self._inventory.now if bound is None else bound
        after = since
        name = None if own is None else own.id
        if own is not None and own.transcript.entrypoint == DESKTOP:
            # The app writes to a transcript only under the row that names it, so it was named until then.
            after = max(since, own.last_before(until) or since)
        if after >= until:
            return Stands(
                "last write", "that is later than the row's last write", self._absence(name, after, until)
            )
        if self.unseen:
            return Doubt(f"{self.unseen[0]} cannot be looked at, and may hide the row's own transcript")
        emptier = self._removed_since(after, places, own)
        if emptier is not None:
            return Doubt(
                f"files were removed from {emptier} since {moment(after)}, and the row's own transcript may "
                "have been among them"
            )
        rivals = list(self._others(lost, own, after, until + BIRTH, places))
        if rivals:
            return Doubt(
                f"it was written last {'at an unknown time' if bound is None else moment(bound)}, and since "
                f"{moment(after)} another transcript without a row was active: {_told(rivals)}",
                tuple(other.transcript for other in rivals),
            )
        end = "now" if bound is None else f"the row's last write, {moment(bound)}"
        return Stands(
            "unrivalled",
            f"between {moment(after)} and {end}, no other transcript that could be the row's was active or "
            "written",
            self._absence(name, after, until, places),
        )

    def _others(
        self, lost: LostRow, own: Possible | None, after: int, until: int, places: frozenset[str]
    ) -> Iterable[Possible]:
        """Yield the transcripts, but `own`, that could be the row's and may have been active in between."""
        mine = [
            possible
            for name in lost.named
            if self.naming.get(name) == frozenset((lost.session_id,))
            for possible in self._named.get(name, ())
        ]
        beside = self._in_own_folder(lost)
        # A session with a folder of its own beside its row keeps no transcript in the project folders.
        apart = bool(beside) and not lost.row.store.format.transcripts_in_projects
        others = [] if apart else self._unnamed[bisect_right(self._latest, after) :]
        found = 0
        for other in (*mine, *beside, *others):
            if own is not None and other.id == own.id:
                continue
            if (
                other.was_active(after, until)
                and other.id.startswith(lost.id_beginning)
                and (other in beside or may_be_from(other.directories, folder_of(other.transcript), places))
                and not self._is_older_copy(other, own)
            ):
                yield other
                found += 1
                if found == SHOWN:
                    return

    def _in_own_folder(self, lost: LostRow) -> list[Possible]:
        """Return the transcripts in the folder of a lost row's own name that could be its own."""
        found = self._inventory.own.get(bare_id(lost.session_id), ())
        return [self.possible(one) for one in found if may_hold_conversation(one)]

    def _removed_since(self, after: int, places: frozenset[str], own: Possible | None) -> str | None:
        """Return a project folder of the row's directories from which files were removed after a time.

        A folder's own time tells when a file was made in it or removed from it last: a folder that changed
        after all that is in it has lost something.
        """
        folders = {os.path.dirname(path_of(own.transcript))} if own is not None else set()  # noqa: PTH120
        folders.update(
            folder
            for folder in self._inventory.listing.folders
            if places and may_be_from(frozenset(), os.path.basename(folder), places)  # noqa: PTH119
        )
        for folder in sorted(folders):
            if folder not in self._removals:
                self._removals[folder] = self._inventory.removals.get(folder) or _removed_at(folder)
            at = self._removals[folder]
            if at is not None and at > after:
                return folder
        return None

    def _is_older_copy(self, other: Possible, own: Possible | None) -> bool:
        """Tell whether a transcript is an older copy of the conversation that is being matched."""
        if own is None or not other.is_legible:
            return False
        newer = self._lineage.newer_copy(other.transcript)
        return newer is not None and path_of(newer) == path_of(own.transcript)

    def _absence(
        self, name: str | None, after: int, until: int, places: frozenset[str] = frozenset()
    ) -> Absence | None:
        if name is None:
            return None
        return Absence(
            transcript=name,
            after=after,
            until=until,
            directories=tuple(sorted(places)),
            newest_change_ns=self._inventory.newest_change_ns,
            stores=tuple(contents.store.path for contents in self._inventory.every_store()),
            projects=tuple(self._inventory.projects),
            named_by=tuple(row.path for row in self._inventory.claims.get(name, ())),
        )


def _removed_at(folder: str) -> int | None:
    """Return when something was removed from a folder, epoch ms, where that was the last change to it."""
    try:
        changed = os.stat(folder).st_mtime_ns  # noqa: PTH116 - a str is at hand
        with os.scandir(folder) as entries:
            newest = max(
                (changed_ns(entry.path, entry.stat(follow_symlinks=False)) for entry in entries), default=0
            )
    except OSError:
        return None
    return changed // 1_000_000 if changed > newest else None


def _places(lost: LostRow, own: Possible | None) -> frozenset[str]:
    """Return the directories that a row is from, as far as its remains and its transcript tell."""
    stated = {
        normalize(value)
        for remains in lost.remains
        for key in ("cwd", "originCwd", "worktreePath")
        if isinstance(value := remains.fields.get(key), str) and value
    }
    return frozenset(stated) | (frozenset() if own is None else own.directories)


def _told(rivals: Iterable[Possible]) -> str:
    return ", ".join(possible.id for possible in rivals)
