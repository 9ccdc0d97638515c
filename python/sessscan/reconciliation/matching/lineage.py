"""Tell which transcripts are one conversation: older copies of a resumed one, and forks.

A resume copies the lines into a new file under the new id; the newest file then stands for the conversation,
and an older one must neither be matched nor offered as an orphan. A fork copies them too, but leaves the
parent's id in them: both live on (FORMATS section 1, Ids).
"""

from __future__ import annotations

from collections.abc import Iterable

from ... import _core
from ...stores.transcripts import folder_of, path_of, transcript_id
from ..details import Details

SHARED = 0.9
"""From this part of an older file's uuids on in a newer one, the two are one conversation (FORMATS: Ids)."""
FOREIGN = 0.1
"""With more than this part of its records under another session's id a transcript is a fork, or partly one:
resumed ones have all ids rewritten, and a stray foreign line is seen in ordinary ones."""


class Lineage:
    """How transcripts descend from each other."""

    def __init__(self, details: Details) -> None:
        self._details = details
        self._newer: dict[str, _core.Transcript | None] = {}

    def newer_copy(self, transcript: _core.Transcript, *, thorough: bool = False) -> _core.Transcript | None:
        """Return the newest file that a conversation went on in, if it was resumed elsewhere.

        `thorough` compares the neighbours in time as well: for a match that rests on nothing but time.
        """
        key = path_of(transcript)
        if key not in self._newer:
            self._newer[key] = self._newest(transcript, self._details.related(transcript))
        found = self._newer[key]
        if found is None and thorough:
            found = self._newest(transcript, self._details.neighbours(transcript))
        return found

    def older_copies(self, transcript: _core.Transcript, *, thorough: bool = False) -> list[_core.Transcript]:
        """Return the files whose conversation went on, or was forked, in a transcript."""
        others = self._details.related(transcript)
        if thorough:
            known = {path_of(other) for other in others}
            others += [o for o in self._details.neighbours(transcript) if path_of(o) not in known]
        return [
            other for other in others if _age(other) < _age(transcript) and self._shares(other, transcript)
        ]

    def is_fork(self, transcript: _core.Transcript) -> bool:
        """Tell whether many of a transcript's records bear another session's id."""
        own = transcript.own_records
        if own >= (1 - FOREIGN) * transcript.records:
            return False  # without counting uuids: some of the others have no id at all
        details = self._details.of(transcript)
        records = 0 if details is None else details.uuid_count
        return own == 0 or records - own > FOREIGN * records

    def goes_on_in(self, older: _core.Transcript, newer: _core.Transcript) -> bool:
        """Tell whether the files prove that `newer` continues `older`, and is no mere copy of it.

        A continuation has records of its own behind those of the older file, and lies in the same project
        folder. A copy that adds nothing, or lies elsewhere, was made by something else than a resume, and
        being younger proves nothing for it.
        """
        one, other = self._details.of(older), self._details.of(newer)
        return (
            one is not None
            and other is not None
            and folder_of(older) == folder_of(newer)
            and self._shares(older, newer)
            and not self._forked(older, newer)
            and other.uuid_count > other.count_shared(one)
            and (newer.last_activity_at or 0) > (older.last_activity_at or 0)
        )

    def _newest(
        self, transcript: _core.Transcript, others: Iterable[_core.Transcript]
    ) -> _core.Transcript | None:
        newest = None
        for other in others:
            if (
                _age(other) > _age(transcript)
                and (newest is None or _age(other) > _age(newest))
                and self._shares(transcript, other)
                and not self._forked(transcript, other)
            ):
                newest = other
        return newest

    def _shares(self, older: _core.Transcript, newer: _core.Transcript) -> bool:
        one, other = self._details.of(older), self._details.of(newer)
        if one is None or other is None or one.uuid_count == 0:
            return False
        wanted = SHARED * one.uuid_count
        return other.uuid_count >= wanted and one.count_shared(other) >= wanted

    def _forked(self, parent: _core.Transcript, other: _core.Transcript) -> bool:
        """Tell whether most records that `other` has from `parent` still bear the parent's id."""
        one, copy = self._details.of(parent), self._details.of(other)
        if one is None or copy is None:
            return False
        return copy.count_shared_under(one, transcript_id(parent)) * 2 > copy.count_shared(one)


def _age(transcript: _core.Transcript) -> tuple[int, int, int, str]:
    """Return a key by which a newer file is larger; of files that end at the same time, the one with more
    records of its own."""
    last = transcript.last_activity_at or 0
    return (last, transcript.own_records, transcript.records, path_of(transcript))
