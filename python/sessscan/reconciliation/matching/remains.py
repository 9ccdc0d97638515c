"""The witnesses of a lost row: what the row, its `.tmp` and copies of it say themselves.

What they say is heard in `hearing`; here they are only found, and those that are none turned away.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from ... import _core
from ...model import Row
from ...stores.locate import REGISTRIES, folders_in
from ...stores.row_states import LOST_STATES
from ...stores.rows import (
    BOM,
    MAX_SOURCE_SIZE,
    Leftover,
    bare_id,
    classify_row,
    identifying_members,
    read_file,
    readable_members,
)
from ..inventory import UUID, Survey
from .lost_row import Case, Witness, span

TMP_LIFE = 30 * 86_400_000
"""Ms. The app itself promotes no older `.tmp` (FORMATS §2), so neither is one used here."""
PARTIAL_DIGITS = 12
"""So many hexadecimal digits of a cut-off id must be left: 48 bits fit no second transcript by chance, be
the uuids random or, as in version 7, led by 48 bits of time."""

SETTLING = 2_000
"""Ms. Two files whose times differ by less were written in the same moment: FAT counts in steps of 2 s."""

SALVAGE = frozenset(name for name, state in LOST_STATES.items() if state.content == "beginning")
"""States in which what can be read from the beginning on is what was written there."""
REFUSED = frozenset(name for name, state in LOST_STATES.items() if state.content == "whole")
"""States in which the whole content can be read, by everyone but the app."""


class Witnesses:
    """Finds what is left of lost rows, with one look at each folder."""

    def __init__(self, survey: Survey, wanted: Iterable[str]) -> None:
        self._survey = survey
        names = set(wanted)
        self._healthy: dict[str, list[Row]] = defaultdict(list)
        self._leftovers: dict[str, list[Leftover]] = defaultdict(list)
        self._known: set[str] = set(survey.tombstones)
        for contents in survey.every_store():
            for row in contents.rows:
                self._known.add(bare_id(row.session_id))
                if row.state == "ok" and row.session_id in names:
                    self._healthy[row.session_id].append(row)
            for leftover in contents.copies:
                self._leftovers[leftover.session_id].append(leftover)
            self._known.update(bare_id(leftover.session_id) for leftover in contents.temporaries)
        self._temporaries = {
            leftover.path: leftover for contents in survey.contents for leftover in contents.temporaries
        }
        self._backups: dict[str, list[str]] = {}

    def call(self, case: Case) -> None:
        """Adds to a case all that can be read of its row, the best first."""
        snapshot = self._snapshot(case)
        own: Iterable[Witness] = self._own(case)
        if snapshot is not None and case.row.state == "id-mismatch":
            own = ()  # it once bore its own id: what stands there now came from elsewhere
            case.foreign = True
        witnesses = [*self._temporary(case), *own, *self._copies(case)]
        if snapshot is not None:
            newer = [witness for witness in witnesses if _is_newer(case, witness, snapshot)]
            witnesses = [*newer, snapshot, *(witness for witness in witnesses if witness not in newer)]
        for witness in witnesses:
            stated = witness.fields.get("cliSessionId")
            if witness.cli_session_id is None and isinstance(stated, str) and witness is not snapshot:
                case.remarks.append(f"{_name(witness.path)} names no transcript, but {stated!r}")
                if witness.path == case.row.path:
                    case.misnamed = stated
            else:
                case.witnesses.append(witness)

    def _snapshot(self, case: Case) -> Witness | None:
        found = self._survey.memory.newest(case.row.path)
        if found is None:
            return None
        version, data = found
        if classify_row(data, case.session_id, case.row.store.format)[0] != "ok":
            return None
        fields = identifying_members(readable_members(data))
        path, status = str(version.database), os.stat_result((0,) * 10)
        return Witness("snapshot", path, status, fields, _id(fields), whole=True, version=version, data=data)

    def _temporary(self, case: Case) -> Iterable[Witness]:
        path = case.row.path + ".tmp"
        if path not in self._temporaries:
            return
        try:
            data, status = read_file(path)
        except OSError as error:
            case.remarks.append(f"its .tmp cannot be read ({error.strerror or error})")
            return
        kind, _, _ = classify_row(data, case.session_id, case.row.store.format)
        fields = identifying_members(readable_members(data)) if kind in ("ok", *SALVAGE) else {}
        age = self._survey.now - status.st_mtime_ns // 1_000_000
        if kind == "id-mismatch":
            case.remarks.append("its .tmp holds another session")
        elif kind not in ("ok", *SALVAGE) or (kind != "ok" and fields.get("sessionId") != case.session_id):
            case.remarks.append(f"its .tmp is itself damaged ({kind})")
        elif age > TMP_LIFE:
            case.remarks.append(f"its .tmp is {span(age)} old, too old to be trusted")
        elif kind == "ok":
            yield Witness("tmp", path, status, fields, _id(fields), whole=True)
        else:
            case.remarks.append("its .tmp is itself cut off")
            yield from self._prefix(case, path, data, status, fields)

    def _own(self, case: Case) -> Iterable[Witness]:
        row, status = case.row, case.status
        if status is None or row.state not in SALVAGE | REFUSED or row.error is not None:
            return
        fields, whole = row.fields, row.state in REFUSED
        try:
            data, _ = read_file(row.path)
        except OSError:
            return
        if row.state == "bom":
            kind, _, _ = classify_row(data[len(BOM) :], row.session_id, row.store.format)
            whole = kind in ("ok", "not-a-row", "id-mismatch")
        elif row.state == "oversize":
            whole = row.size <= MAX_SOURCE_SIZE and _is_object(data)
        inner = fields.get("sessionId")
        stranger = bare_id(inner) if isinstance(inner, str) else bare_id(row.session_id)
        if stranger != bare_id(row.session_id) and (not whole or stranger in self._known):
            case.remarks.append(f"its content is that of {inner}, another session")
            case.foreign = True
            return
        if not whole:
            yield from self._prefix(case, row.path, data, status, fields)
        elif fields:
            yield Witness("own", row.path, status, fields, _id(fields), whole=True)

    def _prefix(
        self, case: Case, path: str, data: bytes, status: Any, fields: dict[str, Any]
    ) -> Iterable[Witness]:
        partial = "cliSessionId" not in fields
        if partial:
            beginning = _cut_off_id(data)
            if path == case.row.path:
                case.id_beginning = beginning
            completed = self._complete(beginning)
            if completed is not None:
                fields = {**fields, "cliSessionId": completed}
        if fields:
            transcript_id = _id(fields)
            yield Witness(
                "prefix",
                path,
                status,
                fields,
                transcript_id,
                whole=False,
                partial=partial and transcript_id is not None,
            )

    def _complete(self, beginning: str) -> str | None:
        """The one transcript that a cut-off cliSessionId can be the beginning of."""
        if len(beginning.replace("-", "")) < PARTIAL_DIGITS:
            return None
        place = bisect_left(self._ids, beginning)
        fitting = [known for known in self._ids[place : place + 2] if known.startswith(beginning)]
        return fitting[0] if len(fitting) == 1 else None

    @cached_property
    def _ids(self) -> list[str]:
        return sorted(self._survey.by_id)

    def _copies(self, case: Case) -> Iterable[Witness]:
        found: list[Witness] = []
        for row in self._healthy.get(case.session_id, ()):
            if row.store.format == case.row.store.format:
                status = _stat(row.path)
                if status is not None:
                    found.append(
                        Witness("copy", row.path, status, row.fields, _id(row.fields), True, elsewhere=True)
                    )
        folder = str(Path(case.row.path).parent)
        paths = [leftover.path for leftover in self._leftovers.get(case.session_id, ())]
        paths += [str(Path(place, Path(case.row.path).name)) for place in self._backup_places(case)]
        for path in paths:
            try:
                data, status = read_file(path)
            except OSError:
                continue
            if classify_row(data, case.session_id, case.row.store.format)[0] == "ok":
                fields = identifying_members(readable_members(data))
                elsewhere = str(Path(path).parent) != folder
                found.append(Witness("copy", path, status, fields, _id(fields), True, elsewhere=elsewhere))
        found.sort(key=lambda copy: (stated_at(copy), copy.mtime), reverse=True)
        return found

    def _backup_places(self, case: Case) -> list[str]:
        """Account/organisation folders in backups beside the registry: `claude-code-sessions.bak` etc."""
        user_data = case.row.store.user_data
        if user_data is None:
            return []
        if user_data not in self._backups:
            self._backups[user_data] = [
                organisation
                for folder in folders_in(user_data, [])
                if _name(folder) not in REGISTRIES and _name(folder).startswith(tuple(REGISTRIES))
                for account in folders_in(folder, [])
                for organisation in folders_in(account, [])
            ]
        return self._backups[user_data]


def stated_at(witness: Witness) -> float:
    """When, in the row's own words, its session was last active: how recent a state of the row this is."""
    value = witness.fields.get("lastActivityAt")
    return min(value, 1e18) if isinstance(value, int | float) and not isinstance(value, bool) else 0


def is_fresh(case: Case, witness: Witness) -> bool:
    """Whether a `.tmp` is the last thing that was written of its row.

    Where both bear the very same time it is not the time of either's last write, and shows nothing.
    """
    if case.status is None:
        return True
    equal = witness.status.st_mtime_ns == case.status.st_mtime_ns
    return not equal and witness.mtime >= case.row.mtime - SETTLING


def _is_newer(case: Case, witness: Witness, snapshot: Witness) -> bool:
    """Whether a file holds the row whole, and as the app has written it since the snapshot was taken."""
    if witness.kind == "tmp":
        if not is_fresh(case, witness) or witness.mtime <= snapshot.mtime + SETTLING:
            return False
    elif witness.kind != "own" or case.row.state != "bom":
        return False
    try:
        data = read_file(witness.path)[0].removeprefix(BOM)
    except OSError:
        return False
    return data != snapshot.data and classify_row(data, case.session_id, case.row.store.format)[0] == "ok"


def _id(fields: dict[str, Any]) -> str | None:
    value = fields.get("cliSessionId")
    return value.lower() if isinstance(value, str) and UUID.fullmatch(value.lower()) else None


def _cut_off_id(data: bytes) -> str:
    """What is left of a cliSessionId in whose value a row's bytes end."""
    cut = data.removeprefix(BOM).rstrip(b"\0")
    # Closed with a quote and a brace the last member is whole exactly if it was a string at the top level.
    beginning = _core.row_prefix(cut + b'"}').get("cliSessionId")
    return beginning.lower() if isinstance(beginning, str) else ""


def _name(path: str) -> str:
    return Path(path).name


def _stat(path: str) -> Any:
    try:
        return Path(path).stat()
    except OSError:
        return None


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data.decode("utf-8", "replace")), dict)
    except (ValueError, RecursionError):
        return False
