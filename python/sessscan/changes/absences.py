"""Check that nothing has come since a row was matched that speaks against the match."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .. import _core
from ..model import Absence, Store
from ..stores.locate import format_of
from ..stores.opening import changed_ns
from ..stores.project_files import list_transcripts
from ..stores.project_folder import may_be_from
from ..stores.released import released_sessions
from ..stores.rows import PRIOR, read_store
from ..stores.transcripts import could_be_a_rows, directories, folder_of, path_of, transcript_id


class AbsenceChecker:
    """Looks at the stores and transcripts once, for all the matches of a plan."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, ...], dict[str, list[tuple[str, str]]]] = {}
        self._tombstones: dict[tuple[str, ...], frozenset[str]] = {}
        self._marks: dict[tuple[str, ...], frozenset[str]] = {}
        self._changed: dict[tuple[tuple[str, ...], int], list[_core.Transcript]] = {}
        self._details: dict[str, _core.Details | None] = {}

    def appeared(self, absence: Absence, session_id: str | None) -> str | None:
        """Return what has come since a row was matched and speaks against it; None if nothing has.

        That is a readable row of another session that names the transcript, a mark that it was deleted, a
        transcript that continues it, or one that was active in the time that decided.
        """
        claims, tombstones = self._rows(absence.stores)
        for path, claimant in claims.get(absence.transcript, ()):
            if claimant != session_id and path not in absence.named_by:
                return f"{path} names the transcript {absence.transcript} now"
        if absence.transcript in tombstones or absence.transcript in self._released(absence.projects):
            return f"the transcript {absence.transcript} was deleted in the app"
        places = frozenset(absence.directories)
        own = None
        for other in self._changed_since(absence):
            name = transcript_id(other)
            if name == absence.transcript or name in claims or name in tombstones:
                continue
            if name in self._released(absence.projects):
                continue
            if not could_be_a_rows(other):
                continue
            details = self._details_of(other)
            known = directories(other) if other.error is None else frozenset()
            if _was_active(details, other, absence) and may_be_from(known, folder_of(other), places):
                return f"{path_of(other)} was active when the row was written last"
            own = own or self._own(absence)
            if _continues(own, details):
                return f"{path_of(other)} continues the transcript {absence.transcript}"
        return None

    def _rows(self, stores: tuple[str, ...]) -> tuple[dict[str, list[tuple[str, str]]], frozenset[str]]:
        """Return by transcript id the rows that name it, as path and session id; and the ids that were
        deleted."""
        if stores not in self._claims:
            claims: dict[str, list[tuple[str, str]]] = {}
            deleted: set[str] = set()
            for path in stores:
                contents = read_store(Store(path, None, format_of(path)))
                deleted |= contents.tombstones
                for row in contents.rows:
                    if row.state == "ok":
                        prior = row.fields.get(PRIOR)
                        names = [row.fields.get("cliSessionId"), *(prior if isinstance(prior, list) else ())]
                        for name in names:
                            if isinstance(name, str):
                                claims.setdefault(name.lower(), []).append((row.path, row.session_id))
            self._claims[stores] = claims
            self._tombstones[stores] = frozenset(deleted)
        return self._claims[stores], self._tombstones[stores]

    def _released(self, projects: tuple[str, ...]) -> frozenset[str]:
        """Return the transcripts that a mark beside them says were deleted."""
        if projects not in self._marks:
            self._marks[projects] = frozenset(released_sessions(list_transcripts(projects)))
        return self._marks[projects]

    def _changed_since(self, absence: Absence) -> list[_core.Transcript]:
        """Return the transcripts that were made or written after the match was decided."""
        key = (absence.projects, absence.newest_change_ns)
        if key not in self._changed:
            paths = [
                path
                for path in list_transcripts(absence.projects).transcripts
                if changed_at(path) > absence.newest_change_ns
            ]
            self._changed[key] = _core.scan_many(paths)
        return self._changed[key]

    def _own(self, absence: Absence) -> _core.Details | None:
        name = f"{absence.transcript}.jsonl"
        for path in list_transcripts(absence.projects).transcripts:
            if path.lower().endswith(name):
                return self._details_at(path)
        return None

    def _details_of(self, transcript: _core.Transcript) -> _core.Details | None:
        return None if transcript.error is not None else self._details_at(path_of(transcript))

    def _details_at(self, path: str) -> _core.Details | None:
        if path not in self._details:
            [details] = _core.details([path])
            self._details[path] = None if details.error is not None else details
        return self._details[path]


def newest_change(paths: Iterable[str]) -> int:
    """Return the latest time, epoch ns, at which any of some files was made, written or moved; 0 for none."""
    return max(map(changed_at, paths), default=0)


def changed_at(path: str) -> int:
    """Return when a file was made, written or moved last, epoch ns; 0 where it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - there are thousands
        return max(status.st_mtime_ns, changed_ns(path, status))
    except OSError:
        return 0


def _continues(older: _core.Details | None, newer: _core.Details | None) -> bool:
    """Tell whether most records of one transcript are in another as well."""
    return (
        older is not None
        and newer is not None
        and older.uuid_count > 0
        and older.count_shared(newer) * 2 > older.uuid_count
    )


def _was_active(details: _core.Details | None, transcript: _core.Transcript, absence: Absence) -> bool:
    if details is None or not details.activity:
        at = transcript.modified_at
        return at is None or at > absence.after
    if transcript.modified_at is not None and absence.after < transcript.modified_at <= absence.until:
        return True
    return any(end > absence.after and start <= absence.until for start, end in details.activity)
