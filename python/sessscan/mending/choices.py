"""Read the user's word on held records: which record each is to hang on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import MatchError

Parents = Iterable[str] | Mapping[str, str]
"""RECORD=RECORD texts, or a mapping: uuids of records, or their beginnings."""

_SHORTEST = 4
"""Characters of the shortest beginning of a uuid that is taken for it."""


class Choices:
    """What the user said, and whether a transcript was found for each of it."""

    def __init__(self, parents: Parents) -> None:
        """Raise `MatchError` for what is no RECORD=RECORD, or says two things of one record."""
        if isinstance(parents, Mapping):
            pairs = list(parents.items())
        else:
            pairs = [_split(wish) for wish in ([parents] if isinstance(parents, str) else parents)]
        self._pairs: dict[str, str] = {}
        for record, parent in pairs:
            for one in (record, parent):
                if len(one) < _SHORTEST:
                    raise MatchError(
                        f"--parent {record}={parent}: {one!r} is too short for the id of a record"
                    )
            if record in self._pairs:
                raise MatchError(f"--parent {record}={parent}: the record has another parent already")
            self._pairs[record] = parent
        self._used: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def among(self, uuids: Iterable[str]) -> dict[str, str]:
        """Return what was said of the records of one transcript, which have these uuids.

        Raises `MatchError` where it cannot be: two records fit, or the other one is not in this transcript.
        """
        if not self._pairs:
            return {}
        known = sorted(set(uuids))
        found: dict[str, str] = {}
        for record, parent in self._pairs.items():
            fitting = [uuid for uuid in known if uuid.startswith(record)]
            if not fitting:
                continue
            self._used.add(record)
            above = [uuid for uuid in known if uuid.startswith(parent)]
            for name, uuids_of in ((record, fitting), (parent, above)):
                if len(uuids_of) != 1:
                    many = "no record" if not uuids_of else f"{len(uuids_of)} records"
                    raise MatchError(
                        f"--parent {record}={parent}: {many} of its transcript begin with {name!r}"
                    )
            if fitting == above:
                raise MatchError(f"--parent {record}={parent}: a record cannot hang on itself")
            found[fitting[0]] = above[0]
        return found

    def check_used(self) -> None:
        """Raise `MatchError` for a record that is in none of the damaged transcripts."""
        for record, parent in self._pairs.items():
            if record not in self._used:
                raise MatchError(f"--parent {record}={parent}: no damaged transcript has a record {record!r}")


def _split(wish: str) -> tuple[str, str]:
    record, equals, parent = wish.partition("=")
    if not (equals and record and parent):
        raise MatchError(f"--parent {wish}: write it as RECORD=RECORD, with the ids that `repair` shows")
    return record.strip().lower(), parent.strip().lower()
