"""Ask the scan, once, what the matching needs to know of transcripts beyond their metadata.

Matching compares uuids, looks at when a session was active, and quotes lines. One parallel scan of the
transcripts for which that can matter gives it all, so that no later stage opens a transcript again.
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from .. import _core
from ..stores.rows import bare_id
from ..stores.transcripts import folder_of, path_of, transcript_id
from .inventory import Inventory
from .places import Places

COMMON = 64
"""A first prompt that more sessions of a folder begin with says nothing ("continue", a slash command)."""
NEIGHBOURS = 32
"""So many sessions on either side, the nearest in time of birth in the same folder, count as related although
nothing else suggests it. A copy that shares neither end, birth nor first prompt has not been seen in the
field."""


class Details:
    """What the scan says of the transcripts that matching may look at, and which of them are related.

    A copy of a conversation has one of its ends, its time of birth or its first prompt in common with what it
    was copied from, or its times overlap the other's in the same folder. Only those are compared, since
    comparing every pair would be quadratic.
    """

    def __init__(self, inventory: Inventory, wanted: Iterable[_core.Transcript] | None = None) -> None:
        """Scan `wanted` (by default the transcripts that no readable row names) and all that is related."""
        self.places = Places(inventory)
        self._absent: frozenset[str] = frozenset()
        self._by_mark: dict[tuple[str, object], list[_core.Transcript]] = defaultdict(list)
        self._folders: dict[str, list[tuple[int, str, int, _core.Transcript]]] = defaultdict(list)
        for transcript in inventory.transcripts:
            for mark in _marks(transcript):
                self._by_mark[mark].append(transcript)
            times = (transcript.created_at or 0, path_of(transcript), transcript.last_activity_at or 0)
            self._folders[folder_of(transcript)].append((*times, transcript))
        for members in self._folders.values():
            members.sort(key=lambda member: member[:2])
        if wanted is None:
            wanted = [t for t in inventory.transcripts if inventory.unclaimed(transcript_id(t))]
            wanted += [t for name in inventory.released for t in inventory.by_id.get(name, ())]
            wanted += _owned_by_lost_rows(inventory)
        paths: dict[str, None] = {}
        for transcript in wanted:
            paths[path_of(transcript)] = None
            paths.update(dict.fromkeys(path_of(other) for other in self.related(transcript)))
            paths.update(dict.fromkeys(path_of(other) for other in self.neighbours(transcript)))
        self._details: Mapping[str, _core.Details] = {
            details.path: details for details in _core.details(list(paths)) if details.error is None
        }

    def without(self, transcripts: frozenset[str]) -> Details:
        """Return the same, as if the files of these transcripts' ids were not there."""
        fewer = copy.copy(self)
        fewer._absent = self._absent | transcripts
        return fewer

    def of(self, transcript: _core.Transcript) -> _core.Details | None:
        """Return what the scan says of a transcript; None where it vanished or cannot be read any more."""
        return self._details.get(path_of(transcript))

    def related(self, transcript: _core.Transcript) -> list[_core.Transcript]:
        """Return the transcripts that share an end, a time of birth or a first prompt with this one."""
        alike: Iterable[Sequence[_core.Transcript]] = (
            self._by_mark.get(mark, ()) for mark in _marks(transcript)
        )
        return self._others(
            transcript, (other for others in alike if len(others) <= COMMON for other in others)
        )

    def neighbours(self, transcript: _core.Transcript) -> list[_core.Transcript]:
        """Return the nearest transcripts of the same folder whose times overlap this one's."""
        members = self._folders.get(folder_of(transcript), [])
        born, ended = transcript.created_at or 0, transcript.last_activity_at or 0
        place = bisect_left(members, (born, ""), key=_birth)
        near = members[max(0, place - NEIGHBOURS) : place + NEIGHBOURS]
        overlapping = (other for start, _, end, other in near if start <= ended and end >= born)
        return self._others(transcript, overlapping)

    def _others(
        self, itself: _core.Transcript, transcripts: Iterable[_core.Transcript]
    ) -> list[_core.Transcript]:
        """Return each transcript once, without the one itself and without copies of it under its own name."""
        seen = {path_of(itself)}
        own = transcript_id(itself)
        found = []
        for transcript in transcripts:
            path, name = path_of(transcript), transcript_id(transcript)
            if path not in seen and name != own and name not in self._absent:
                seen.add(path)
                found.append(transcript)
        return found


def _owned_by_lost_rows(inventory: Inventory) -> Iterable[_core.Transcript]:
    """Yield the transcripts in the own folders of sessions that have no row that the app can read."""
    if inventory.own:
        healthy = {bare_id(row.session_id) for row in inventory.rows() if row.state == "ok"}
        for name, found in inventory.own.items():
            if name not in healthy:
                yield from (transcript for transcript in found if transcript.error is None)


def _birth(member: tuple[int, str, int, _core.Transcript]) -> tuple[int, str]:
    return member[:2]


def _marks(transcript: _core.Transcript) -> set[tuple[str, object]]:
    """Return what a copy has in common with what it was copied from; sharing one of these is enough."""
    marks: set[tuple[str, object]] = set()
    if transcript.first_uuid is not None:
        marks.add(("uuid", transcript.first_uuid))
    if transcript.last_uuid is not None:
        marks.add(("uuid", transcript.last_uuid))
    if transcript.created_at is not None:
        marks.add(("created", transcript.created_at))
    if transcript.first_prompt is not None:
        marks.add(("prompt", (transcript.cwd, transcript.first_prompt)))
    return marks
