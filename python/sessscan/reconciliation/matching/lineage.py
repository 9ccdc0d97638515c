"""Which transcripts are one conversation: older copies of a resumed one, and forks.

A resume copies the lines into a new file under the new id; the newest file then stands for the conversation,
and an older one must neither be matched nor offered as an orphan. A fork copies them too, but leaves the
parent's id in them: both live on.

Comparing every pair would be quadratic, and reading every uuid a second pass over all bytes. A copy, however,
has one of its ends, its time of birth or its first prompt in common with what it was copied from, or its
times overlap the other's in the same folder. Only those that do are compared.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ... import _core
from ..inventory import Survey, folder_of, path_of, transcript_id

SHARED = 0.9
"""From this part of an older file's uuids on in a newer one, the two are one conversation (FORMATS: Ids)."""
FOREIGN = 0.1
"""With more than this part of its records under another session's id a transcript is a fork, or partly one:
resumed ones have all ids rewritten, and a stray foreign line is seen in ordinary ones."""
NEIGHBOURS = 32
"""So many sessions of the same folder, the nearest in time of birth, are compared although nothing else
suggests it. A copy that shares neither end, birth nor first prompt has not been seen in the field."""
COMMON = 64
"""A first prompt that more sessions of a folder begin with says nothing ("continue", a slash command)."""
SAMPLE = 200
"""So many shared records are looked at to tell a fork from a resume: in one file they are all of one kind."""


class Lineage:
    """Answers, from as little reading as will do, how transcripts descend from each other."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._uuids: dict[str, frozenset[str]] = {}
        self._records: dict[str, int] = {}
        self._index: dict[tuple[str, object], list[_core.Transcript]] | None = None
        self._folders: dict[str, list[tuple[int, str, int, _core.Transcript]]] = {}
        self._newer: dict[str, _core.Transcript | None] = {}

    def newer_copy(self, transcript: _core.Transcript, *, thorough: bool = False) -> _core.Transcript | None:
        """The newest file that the conversation of `transcript` went on in, if it was resumed elsewhere.

        `thorough` compares the neighbours in time as well: for a match that nothing but time speaks for.
        """
        key = path_of(transcript)
        if key not in self._newer:
            self._newer[key] = self._newest(transcript, self._related(transcript))
        found = self._newer[key]
        if found is None and thorough:
            found = self._newest(transcript, self._neighbours(transcript))
        return found

    def older_copies(self, transcript: _core.Transcript, *, thorough: bool = False) -> list[_core.Transcript]:
        """The files whose conversation went on, or was forked, in `transcript`."""
        related = self._related(transcript)
        if thorough:
            related += self._neighbours(transcript)
        return [
            other
            for other in _each_once(related, transcript)
            if _age(other) < _age(transcript) and self._shares(other, transcript)
        ]

    def is_fork(self, transcript: _core.Transcript) -> bool:
        """Whether many of its records bear another session's id."""
        own = transcript.own_records
        if own >= (1 - FOREIGN) * transcript.records:
            return False  # without looking: some of the others have no id at all
        self._read(transcript)
        records = self._records[path_of(transcript)]
        return own == 0 or records - own > FOREIGN * records

    def _newest(
        self, transcript: _core.Transcript, others: Iterable[_core.Transcript]
    ) -> _core.Transcript | None:
        newest = None
        for other in _each_once(others, transcript):
            if (
                _age(other) > _age(transcript)
                and (newest is None or _age(other) > _age(newest))
                and self._shares(transcript, other)
                and not self._forked(transcript, other)
            ):
                newest = other
        return newest

    def _shares(self, older: _core.Transcript, newer: _core.Transcript) -> bool:
        ours, theirs = self._read(older), self._read(newer)
        if not ours or len(theirs) < SHARED * len(ours):
            return False
        return len(ours & theirs) >= SHARED * len(ours)

    def _forked(self, parent: _core.Transcript, other: _core.Transcript) -> bool:
        """Whether the records `other` has from `parent` still bear the parent's id."""
        shared = self._read(parent)
        parents_id, kept, seen = transcript_id(parent), 0, 0
        try:
            with Path(path_of(other)).open("rb") as lines:
                for line in lines:
                    record = _record(line)
                    if record.get("uuid") in shared:
                        seen += 1
                        session_id = record.get("sessionId")
                        kept += isinstance(session_id, str) and session_id.lower() == parents_id
                        if seen == SAMPLE:
                            break
        except OSError:
            return False
        return kept * 2 > seen

    def _read(self, transcript: _core.Transcript) -> frozenset[str]:
        path = path_of(transcript)
        found = self._uuids.get(path)
        if found is None:
            try:
                uuids = _core.uuids(path)
            except OSError:
                uuids = []
            found = self._uuids[path] = frozenset(uuids)
            self._records[path] = len(uuids)
        return found

    def _related(self, transcript: _core.Transcript) -> list[_core.Transcript]:
        if self._index is None:
            self._index = defaultdict(list)
            for other in self._survey.transcripts:
                for key in _marks(other):
                    self._index[key].append(other)
        alike: Iterable[Sequence[_core.Transcript]] = (
            self._index.get(mark, ()) for mark in _marks(transcript)
        )
        return [other for others in alike if len(others) <= COMMON for other in others]

    def _neighbours(self, transcript: _core.Transcript) -> list[_core.Transcript]:
        if not self._folders:
            folders = defaultdict(list)
            for other in self._survey.transcripts:
                times = (other.created_at or 0, path_of(other), other.last_activity_at or 0)
                folders[folder_of(other)].append((*times, other))
            for members in folders.values():
                members.sort(key=lambda member: member[:2])
            self._folders = dict(folders)
        members = self._folders.get(folder_of(transcript), [])
        born, died = transcript.created_at or 0, transcript.last_activity_at or 0
        place = bisect_left(members, (born, ""), key=lambda member: member[:2])
        near = members[max(0, place - NEIGHBOURS) : place + NEIGHBOURS]
        return [other for start, _, end, other in near if start <= died and end >= born]


def _marks(transcript: _core.Transcript) -> set[tuple[str, object]]:
    """What a copy has in common with what it was copied from; one of these will do."""
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


def _age(transcript: _core.Transcript) -> tuple[int, int, int, str]:
    """Newer is larger; of files that end at the same time the one with more of its own stands for them."""
    last = transcript.last_activity_at or 0
    return (last, transcript.own_records, transcript.records, path_of(transcript))


def _each_once(
    transcripts: Iterable[_core.Transcript], itself: _core.Transcript
) -> Iterable[_core.Transcript]:
    """Without repetitions, without the file itself, and without copies of it under its own name."""
    seen = {path_of(itself)}
    own = transcript_id(itself)
    for transcript in transcripts:
        path = path_of(transcript)
        if path not in seen and transcript_id(transcript) != own:
            seen.add(path)
            yield transcript


def _record(line: bytes) -> dict[str, object]:
    try:
        record = json.loads(line.strip(b"\0 \t\r\n").decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
