"""The sources that may still hold a state of a lost row: where each lies, and what it proves.

A new source is one class here, and its name in `SOURCES`.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ... import _core
from ...model import ROW_FORMATS, Row, Source
from ...snapshots.store import RowVersion
from ...stores.locate import folders_in
from ...stores.row_fields import DEFAULTS, ELSEWHERE, ELSEWHERE_PARTS, GRANTS, PASSING
from ...stores.row_states import LOST_STATES
from ...stores.rows import (
    MAX_SOURCE_SIZE,
    Leftover,
    bare_id,
    classify_row,
    identifying_members,
    read_file,
    readable_members,
)
from ..inventory import UUID, Inventory
from .limits import PARTIAL_DIGITS, SETTLING, TMP_LIFE
from .lost_row import LostRow, Remains, RemainsKind, moment

REGISTRIES = tuple(row_format.registry for row_format in ROW_FORMATS)

Found = Remains | str
"""A state of the row; or a note that something looked like one, and why it is none."""


class Neighbourhood:
    """What lies beside the lost rows, indexed once for all of them."""

    def __init__(self, inventory: Inventory, wanted: Iterable[str]) -> None:
        self.inventory = inventory
        names = set(wanted)
        self.healthy: dict[str, list[Row]] = defaultdict(list)
        self.copies: dict[str, list[Leftover]] = defaultdict(list)
        self.known_sessions: set[str] = set(inventory.tombstones)
        for contents in inventory.every_store():
            for row in contents.rows:
                self.known_sessions.add(bare_id(row.session_id))
                if row.state == "ok" and row.session_id in names:
                    self.healthy[row.session_id].append(row)
            for leftover in contents.copies:
                self.copies[leftover.session_id].append(leftover)
            self.known_sessions.update(bare_id(leftover.session_id) for leftover in contents.temporaries)
        self.temporaries = frozenset(
            leftover.path for contents in inventory.contents for leftover in contents.temporaries
        )
        self._backups: dict[str, list[str]] = {}

    def complete(self, beginning: str) -> str | None:
        """Return the one transcript that a cut-off cliSessionId can be the beginning of."""
        if len(beginning.replace("-", "")) < PARTIAL_DIGITS:
            return None
        place = bisect_left(self._ids, beginning)
        fitting = [known for known in self._ids[place : place + 2] if known.startswith(beginning)]
        return fitting[0] if len(fitting) == 1 else None

    def backup_folders(self, row: Row) -> list[str]:
        """Return the account/organisation folders in backups beside the registry, such as
        `claude-code-sessions.bak`."""
        user_data = row.store.user_data
        if user_data is None:
            return []
        if user_data not in self._backups:
            self._backups[user_data] = [
                organisation
                for folder in folders_in(user_data, [])
                if _name(folder) not in REGISTRIES and _name(folder).startswith(REGISTRIES)
                for account in folders_in(folder, [])
                for organisation in folders_in(account, [])
            ]
        return self._backups[user_data]

    @cached_property
    def _ids(self) -> list[str]:
        return sorted(self.inventory.by_id)


class EvidenceSource(ABC):
    """One kind of place in which a state of a lost row may be left."""

    kind: ClassVar[RemainsKind]
    source: ClassVar[Source]
    """What the plan calls it."""
    names_it: ClassVar[str]
    """Why a transcript that it names is a candidate, in words."""
    name: ClassVar[str]
    """What it is called in a field's provenance."""

    @abstractmethod
    def find(self, lost: LostRow, around: Neighbourhood) -> Iterator[Found]:
        """Yield the states of `lost` that are left in this kind of place, the best first."""

    @abstractmethod
    def describe(self, remains: Remains, lost: LostRow) -> str:
        """Return in words what it is, for the plan's evidence."""

    def contribute(self, remains: Remains, members: dict[str, Any]) -> dict[str, Any]:
        """Return those of its members that may go into the row."""
        return members

    def provenance(self, remains: Remains) -> str:
        """Return where a field that comes from it is from."""
        return self.name


class SnapshotSource(EvidenceSource):
    """The newest snapshot of the row in sessscan's own state."""

    kind = "snapshot"
    source = "snapshot"
    names_it = "a snapshot of the row names it"
    name = "its snapshot"

    def find(self, lost: LostRow, around: Neighbourhood) -> Iterator[Found]:
        found = around.inventory.snapshots.newest(lost.path)
        if found is None:
            return
        version, data = found
        if classify_row(data, lost.session_id, lost.row.store.format)[0] != "ok":
            return
        fields = identifying_members(readable_members(data))
        yield Remains(
            self.kind,
            str(version.database),
            None,
            fields,
            _id(fields),
            whole=True,
            stated_until=_kept_until(lost, version),
            version=version,
            data=data,
        )

    def describe(self, remains: Remains, lost: LostRow) -> str:
        taken = moment(remains.version.taken_at if remains.version is not None else 0)
        return f"sessscan has a snapshot of the whole row, taken {taken}"


class UnfinishedSave(EvidenceSource):
    """The `.tmp` that the app left of the row."""

    kind = "tmp"
    source = "tmp"
    names_it = "the row's .tmp names it"
    name = "its .tmp"

    def find(self, lost: LostRow, around: Neighbourhood) -> Iterator[Found]:
        path = lost.path + ".tmp"
        if path not in around.temporaries:
            return
        try:
            data, status = read_file(path)
        except OSError as error:
            yield f"its .tmp cannot be read ({error.strerror or error})"
            return
        state, _, _ = classify_row(data, lost.session_id, lost.row.store.format)
        usable = state == "ok" or LOST_STATES[state].content == "beginning"
        fields = identifying_members(readable_members(data)) if usable else {}
        written = status.st_mtime_ns // 1_000_000
        if state == "id-mismatch":
            yield "its .tmp holds another session"
        elif not usable or (state != "ok" and fields.get("sessionId") != lost.session_id):
            yield f"its .tmp is itself damaged ({state})"
        elif around.inventory.now - written > TMP_LIFE:
            yield f"its .tmp was written {moment(written)}, more than 30 days ago: too old to be trusted"
        elif state == "ok":
            yield self.whole(lost, status, fields)
        else:
            yield "its .tmp is itself cut off"
            yield from prefixes(lost, path, data, status, fields, around, _end(lost, status))

    def whole(self, lost: LostRow, status: os.stat_result, fields: dict[str, Any]) -> Remains:
        """Return what a whole `.tmp` of a row proves, from its file's status and its members."""
        path = lost.path + ".tmp"
        return Remains(
            self.kind, path, status, fields, _id(fields), whole=True, stated_until=_end(lost, status)
        )

    def describe(self, remains: Remains, lost: LostRow) -> str:
        older = "" if is_last_save(remains, lost) else ", before the row's last write"
        return (
            f"the app left a whole copy of it in {remains.path}, written {moment(remains.modified_at)}{older}"
        )

    def provenance(self, remains: Remains) -> str:
        return f"{self.name}, {remains.path}"


class OwnContent(EvidenceSource):
    """The row's own content, which can be read as a whole, but which the app refuses."""

    kind = "own"
    source = "prefix"
    names_it = "the row's own content names it"
    name = "the row itself"

    def find(self, lost: LostRow, around: Neighbourhood) -> Iterator[Found]:
        row, status = lost.row, lost.status
        if (
            status is None
            or row.error is not None
            or lost.foreign
            or LOST_STATES[row.state].content == "none"
        ):
            return
        try:
            data, _ = read_file(row.path)
        except OSError:
            return
        if is_whole(row, data):
            if row.fields:
                until = row.mtime if row.state != "id-mismatch" else stated_time(row.fields)
                yield Remains(self.kind, row.path, status, row.fields, _id(row.fields), True, until)
        else:
            yield from prefixes(lost, row.path, data, status, row.fields, around, row.mtime)

    def describe(self, remains: Remains, lost: LostRow) -> str:
        return "its content is whole, only the app refuses it"


class OwnPrefix(EvidenceSource):
    """What can still be read of the row's file, or of its `.tmp`, from its beginning on.

    `OwnContent` and `UnfinishedSave` find it, since only they have read the file.
    """

    kind = "prefix"
    source = "prefix"
    names_it = "what is left of the row names it"
    name = "what is left of the row"

    def find(self, lost: LostRow, around: Neighbourhood) -> Iterator[Found]:
        return iter(())

    def describe(self, remains: Remains, lost: LostRow) -> str:
        if remains.cli_session_id is None:
            return f"some of its fields can still be read in {remains.path}"
        what = "most of its transcript's id" if remains.partial else "its transcript's id"
        return f"{what} can still be read in {remains.path}"

    def contribute(self, remains: Remains, members: dict[str, Any]) -> dict[str, Any]:
        if remains.partial:
            members = {**members, "cliSessionId": remains.cli_session_id}
        return _lasting(members)


class ReadableCopy(EvidenceSource):
    """A readable copy of the same name: under another account, in a backup, or beside the row."""

    kind = "copy"
    source = "copy"
    names_it = "a copy of the row names it"
    name = "a copy"

    def find(self, lost: LostRow, around: Neighbourhood) -> Iterator[Found]:
        found = [*self._other_accounts(lost, around), *self._beside(lost, around)]
        found.sort(key=lambda copy: (stated_time(copy.fields), copy.modified_at), reverse=True)
        yield from found

    def _other_accounts(self, lost: LostRow, around: Neighbourhood) -> Iterator[Remains]:
        for row in around.healthy.get(lost.session_id, ()):
            if row.store.format == lost.row.store.format:
                try:
                    status = os.stat(row.path)  # noqa: PTH116 - as the rows' own paths are text
                except OSError:
                    continue
                yield self.copy(row.path, status, row.fields, elsewhere=True)

    def _beside(self, lost: LostRow, around: Neighbourhood) -> Iterator[Remains]:
        folder, name = os.path.split(lost.path)
        paths = [leftover.path for leftover in around.copies.get(lost.session_id, ())]
        paths += [str(Path(place, name)) for place in around.backup_folders(lost.row)]
        for path in paths:
            try:
                data, status = read_file(path)
            except OSError:
                continue
            if classify_row(data, lost.session_id, lost.row.store.format)[0] == "ok":
                fields = identifying_members(readable_members(data))
                yield self.copy(path, status, fields, elsewhere=str(Path(path).parent) != folder)

    def copy(self, path: str, status: os.stat_result, fields: dict[str, Any], *, elsewhere: bool) -> Remains:
        """Return what a readable copy proves. `elsewhere`: it lies under another account."""
        # A copy may be given any time by what copies it; what it says of itself cannot be younger than it.
        until = min(status.st_mtime_ns // 1_000_000, stated_time(fields))
        return Remains(self.kind, path, status, fields, _id(fields), True, until, elsewhere)

    def describe(self, remains: Remains, lost: LostRow) -> str:
        return f"{remains.path} is a readable copy of it, as it was {moment(remains.stated_until)}"

    def contribute(self, remains: Remains, members: dict[str, Any]) -> dict[str, Any]:
        members = _lasting(members)
        if not remains.elsewhere:
            return members
        here = {
            key: value
            for key, value in members.items()
            if key not in ELSEWHERE and key not in GRANTS and not key.startswith(ELSEWHERE_PARTS)
        }
        return here | {key: type(value)(value) for key, value in DEFAULTS.items()}

    def provenance(self, remains: Remains) -> str:
        return f"{self.name}, {remains.path}"


SOURCES: Mapping[RemainsKind, EvidenceSource] = {
    source.kind: source
    for source in (SnapshotSource(), UnfinishedSave(), OwnContent(), OwnPrefix(), ReadableCopy())
}
"""Every source, in the order in which their remains are considered."""


def prefixes(
    lost: LostRow,
    path: str,
    data: bytes,
    status: os.stat_result,
    fields: dict[str, Any],
    around: Neighbourhood,
    written: int,
) -> Iterator[Found]:
    """Yield what can be read of broken content from its beginning on.

    Where the content was a whole row that something cut off or wrote over, and zeros follow it, that row is
    an older state than the last one that was written: it counts as said when it says it was last active.
    """
    cut_off = cut_off_id(data)
    if names_two_transcripts(fields, cut_off):
        yield f"{_name(path)} names two transcripts, and the name it gives last is cut off"
        return
    partial = "cliSessionId" not in fields
    if partial:
        completed = around.complete(cut_off)
        if completed is not None:
            fields = {**fields, "cliSessionId": completed}
    if fields:
        transcript_id = _id(fields)
        until = stated_time(fields) if is_older_state(data) else written
        yield Remains(
            "prefix",
            path,
            status,
            fields,
            transcript_id,
            whole=False,
            stated_until=until,
            partial=partial and transcript_id is not None,
        )


def names_two_transcripts(fields: Mapping[str, Any], cut_off: str) -> bool:
    """Tell whether a whole cliSessionId is followed by another one that is cut off."""
    named = fields.get("cliSessionId")
    return isinstance(named, str) and bool(cut_off) and not named.lower().startswith(cut_off)


def is_older_state(data: bytes) -> bool:
    """Tell whether broken content is a whole JSON object with zeros behind it: an older, shorter state."""
    text = _core.row_text(data)
    rest = text.rstrip(b"\0")
    return len(rest) < len(text) and _is_object(rest)


def is_whole(row: Row, data: bytes) -> bool:
    """Tell whether the content of a row that the app refuses can be read as a whole."""
    if LOST_STATES[row.state].is_encoded:
        state, _, _ = classify_row(_core.row_text(data), row.session_id, row.store.format)
        return state in ("ok", "not-a-row", "id-mismatch")
    if row.state == "oversize":
        return row.size <= MAX_SOURCE_SIZE and _is_object(data)
    return LOST_STATES[row.state].content == "whole"


def is_last_save(tmp: Remains, lost: LostRow) -> bool:
    """Tell whether a `.tmp` is the last thing that was written of its row.

    Where both bear the very same time it is not the time of either's last write, and shows nothing.
    """
    if lost.status is None:
        return True
    equal = tmp.status is not None and tmp.status.st_mtime_ns == lost.status.st_mtime_ns
    return not equal and tmp.modified_at >= lost.row.mtime - SETTLING


def stated_time(fields: Mapping[str, Any]) -> int:
    """Return the latest time, epoch ms, that a row names as that of its session's last activity or focus;
    0 where it names none."""
    times = [0]
    for key in ("lastActivityAt", "lastFocusedAt", "createdAt"):
        value = fields.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18:
            times.append(int(value))
    return max(times)


def cut_off_id(data: bytes) -> str:
    """Return what is left of a cliSessionId in whose value a row's bytes end, in small letters."""
    cut = _core.row_text(data).rstrip(b"\0")
    # Closed with a quote and a brace the last member is whole exactly if it was a string at the top level.
    closed = _core.row_prefix(cut + b'"}').get("cliSessionId")
    return (
        closed.lower()
        if isinstance(closed, str) and closed != _core.row_prefix(cut).get("cliSessionId")
        else ""
    )


def _kept_until(lost: LostRow, version: RowVersion) -> int:
    """Return the latest time at which a row is known to have been as a snapshot has it.

    Where its file is younger than the one that was read, and yet older than the snapshot, it was written
    again while that was taken, or its time was set: then the snapshot proves no more than what was read.
    """
    modified = version.modified_ns // 1_000_000
    if lost.status is None:
        return version.taken_at
    if lost.status.st_mtime_ns == version.modified_ns:
        return max(version.taken_at, lost.row.mtime)
    return modified if modified < lost.row.mtime < version.taken_at else version.taken_at


def _end(lost: LostRow, status: os.stat_result) -> int:
    """Return when a `.tmp` was written; where its time is the row's own it tells nothing."""
    if lost.status is not None and lost.status.st_mtime_ns == status.st_mtime_ns:
        return 0
    return status.st_mtime_ns // 1_000_000


def _lasting(members: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in members.items() if k not in PASSING and not k.startswith("error")}


def _id(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("cliSessionId")
    return value.lower() if isinstance(value, str) and UUID.fullmatch(value.lower()) else None


def _name(path: str) -> str:
    return Path(path).name


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data.decode("utf-8", "replace")), dict)
    except (ValueError, RecursionError):
        return False
