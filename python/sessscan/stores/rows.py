"""Read the rows of a store and list the files beside them. Every file gets a state of its own.

A healthy row costs one open, one read and one lazy parse; only a row that is not plainly healthy goes to the
core for its exact state. Links are not followed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import _core
from ..model import ROW_FORMATS, Row, RowFormat, Store
from .locate import entries, is_file, is_folder, leads_to_folder
from .opening import open_descriptor
from .row_states import LOST_STATES

try:
    import simdjson
except ImportError:  # no wheels for Python 3.14 and later
    simdjson = None  # type: ignore[assignment, unused-ignore]

MAX_ROW_SIZE = 10 * 1024 * 1024
"""Bytes. The app reads no larger row."""
MAX_SOURCE_SIZE = 64 * 1024 * 1024
"""Bytes. Of a larger file only the beginning is read: a real row has kilobytes."""

TEMPORARY = ".json.tmp"

UNAVAILABLE = "transcriptUnavailable"
"""The member by which the app notes that it did not find a session's transcript."""

_KEYS = (
    "cliSessionId",
    "cwd",
    "title",
    "createdAt",
    "lastActivityAt",
    "lastFocusedAt",
    "originCwd",
    "worktreePath",
    "completedTurns",
    "isArchived",
    UNAVAILABLE,
    *sorted({name for row_format in ROW_FORMATS for name in row_format.required} - {"cwd"}),
)
"""The scalars that are read of a healthy row."""
PRIOR = "priorCliSessionIds"
_CONNECTIONS = frozenset(("sshConfig", "wslConfig"))
_REMOTE_PATH = "sshRemoteTranscriptPath"
_REMOTE = (*sorted(_CONNECTIONS), _REMOTE_PATH)

_SYNC_COPY = re.compile(
    r"(?P<id>local_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[^0-9a-zA-Z].*\.json",
    re.IGNORECASE | re.DOTALL,
)
"""How tools that sync folders name the second state of a row: `local_<uuid> (1).json`,
`local_<uuid>-LAPTOP.json`, `local_<uuid>.sync-conflict-20261120-101500-ABCDEFG.json`."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file beside the rows that may hold one: `local_<id>.json.tmp`, or a copy such as `.corrupted-bak`."""

    path: str
    session_id: str
    store: Store


@dataclass
class Contents:
    """The rows of one store and the files beside them."""

    store: Store
    rows: list[Row] = field(default_factory=list)
    temporaries: list[Leftover] = field(default_factory=list)
    copies: list[Leftover] = field(default_factory=list)
    conflict_copies: list[tuple[Row, str]] = field(default_factory=list)
    """Files that a sync tool named after a row that is there, each with the session of that row. They are
    among `copies`, and no rows."""
    folders: list[tuple[str, str]] = field(default_factory=list)
    """The sessions' own folders, `local_<id>/`: the session and the path."""
    tombstones: set[str] = field(default_factory=set)
    """The ids (without `local_`) of the sessions and transcripts that the user deleted."""
    deletions: list[tuple[str, str]] = field(default_factory=list)
    """The same ids, each with the path of the file that marks it."""
    stats: dict[str, os.stat_result] = field(default_factory=dict)
    """The status of each row that is not healthy, from when it was read, by path."""
    errors: list[OSError] = field(default_factory=list)


def read_store(store: Store) -> Contents:
    """Read every row of `store` and list the files beside them. Raises nothing for a bad file."""
    contents = Contents(store)
    rows: list[os.DirEntry[str]] = []
    for entry in entries(store.path, contents.errors):
        name = entry.name
        if name.startswith("local_"):
            if name.endswith(".json"):
                rows.append(entry)
            elif name.endswith(TEMPORARY):
                contents.temporaries.append(Leftover(entry.path, name[: -len(TEMPORARY)], store))
            elif ".json" not in name:
                if is_folder(entry) or leads_to_folder(entry, []):
                    contents.folders.append((name, entry.path))
            elif is_file(entry):
                contents.copies.append(Leftover(entry.path, name[: name.index(".json")], store))
        elif name.startswith("deleted_"):
            contents.tombstones.add(_tombstone(name))
            contents.deletions.append((_tombstone(name), entry.path))
    rows.sort(key=lambda entry: entry.name)
    contents.temporaries.sort(key=lambda leftover: leftover.path)
    contents.copies.sort(key=lambda leftover: leftover.path)
    parse: Callable[[bytes], Any] = _parse if simdjson is None else simdjson.Parser().parse
    names = {entry.name for entry in rows}
    for entry in rows:
        row = _read_row(entry, store, parse, contents.stats)
        if row is None:
            continue
        original = None if row.state == "ok" else original_of(entry.name, names)
        if original is None:
            contents.rows.append(row)
        else:
            contents.conflict_copies.append((row, original))
            contents.copies.append(Leftover(row.path, original, store))
    return contents


def original_of(name: str, names: Container[str]) -> str | None:
    """Return the session whose row a sync tool copied into the file `name`, which the app cannot read; None
    where that is a lost row of its own.

    `names`: the files of the rows there are. A copy without its original is all that is left of a session.
    """
    match = _SYNC_COPY.fullmatch(name)
    return match["id"] if match is not None and f"{match['id']}.json" in names else None


def list_rows(store: Store, errors: list[OSError]) -> tuple[list[str], set[str]]:
    """Return the paths of a store's rows, and the ids of what the user deleted, without reading any file."""
    rows: list[str] = []
    deleted: set[str] = set()
    for entry in entries(store.path, errors):
        if entry.name.startswith("local_") and entry.name.endswith(".json"):
            rows.append(entry.path)
        elif entry.name.startswith("deleted_"):
            deleted.add(_tombstone(entry.name))
    rows.sort()
    return rows, deleted


def _tombstone(name: str) -> str:
    return bare_id(name.removeprefix("deleted_").removesuffix(".json"))


def bare_id(name: str) -> str:
    """Return a session's uuid in lower case, without a `local_` in front."""
    return name.removeprefix("local_").lower()


def read_file(path: str, limit: int = MAX_SOURCE_SIZE) -> tuple[bytes, os.stat_result]:
    """Return the first `limit` bytes of a regular file, and its status. Raises OSError, also for others."""
    descriptor = open_descriptor(path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file", path)
        return _read_all(descriptor, min(status.st_size, limit)), status
    finally:
        os.close(descriptor)


def classify_row(data: bytes, session_id: str, row_format: RowFormat) -> tuple[str, int, int]:
    """Classify a row's bytes under the name `session_id`, as the app would.

    Returns the state, and the offset and length in bytes of what is wrong.
    """
    state = _core.classify_bytes(data, stem=session_id)
    if row_format.required and state.kind == "ok":
        fields = readable_members(data)
        if not all(isinstance(fields.get(name), str) for name in row_format.required):
            return "not-a-row", 0, len(data)
    return state.kind, state.offset, state.length


def readable_members(data: bytes) -> dict[str, Any]:
    """Return the members that can be read from the beginning of a row, whole or damaged."""
    return _core.row_prefix(data)


def _read_row(
    entry: os.DirEntry[str],
    store: Store,
    parse: Callable[[bytes], Any],
    stats: dict[str, os.stat_result],
) -> Row | None:
    """Read one row; None if it vanished."""
    path = entry.path
    session_id = entry.name[:-5]
    try:
        if entry.is_symlink():
            status = os.lstat(path)
            stats[path] = status
            return Row(path, session_id, store, "linked", status.st_size, status.st_mtime_ns // 1_000_000)
        descriptor = open_descriptor(path)
        try:
            status = os.fstat(descriptor)
            regular = stat.S_ISREG(status.st_mode)
            size = status.st_size
            data = _read_all(descriptor, size) if regular and size <= MAX_ROW_SIZE else b""
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _without_content(path, session_id, store, error, stats)
    mtime = status.st_mtime_ns // 1_000_000
    if not regular:
        stats[path] = status
        return Row(path, session_id, store, "not-a-row", size, mtime, error="it is not a file")
    healthy = _healthy(data, session_id, store.format, parse) if len(data) == size else None
    if healthy is not None:
        fields, remote = healthy
        return Row(path, session_id, store, "ok", size, mtime, 0, 0, fields, remote=remote)
    if size > MAX_ROW_SIZE:
        kind, offset, length = "oversize", 0, size
        try:
            data, _ = read_file(path)
        except OSError:
            data = b""
    else:
        kind, offset, length = classify_row(data, session_id, store.format)
    if kind == "ok":
        values = readable_members(data)
        fields, remote = identifying_members(values), remote_machine(values)
        offset, length = _not_utf8(data)
        return Row(path, session_id, store, kind, size, mtime, offset, length, fields, remote=remote)
    values = {} if LOST_STATES[kind].content == "none" else readable_members(data)
    stats[path] = status
    return Row(path, session_id, store, kind, size, mtime, offset, length, identifying_members(values))


def _not_utf8(data: bytes) -> tuple[int, int]:
    """Return the offset and length of the first bytes that are not UTF-8; length 0 where all are."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start, error.end - error.start
    return 0, 0


def _without_content(
    path: str, session_id: str, store: Store, error: OSError, stats: dict[str, os.stat_result]
) -> Row | None:
    """Describe a row that cannot be opened: a link made meanwhile, a socket, a forbidden file."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError:
        return Row(path, session_id, store, "unreadable", 0, 0, error=error.strerror)
    stats[path] = status
    mtime = status.st_mtime_ns // 1_000_000
    if stat.S_ISLNK(status.st_mode):
        return Row(path, session_id, store, "linked", status.st_size, mtime)
    if not stat.S_ISREG(status.st_mode):
        return Row(path, session_id, store, "not-a-row", status.st_size, mtime, error="it is not a file")
    return Row(path, session_id, store, "unreadable", status.st_size, mtime, error=error.strerror)


def _parse(data: bytes) -> Any:
    """Parse as simdjson would, where there is none. Raises ValueError or RecursionError."""
    return json.loads(data.decode("utf-8"), parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _read_all(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    while len(data) < size:
        more = os.read(descriptor, size - len(data))
        if not more:
            break
        data += more
    return data


def _healthy(
    data: bytes, session_id: str, row_format: RowFormat, parse: Callable[[bytes], Any]
) -> tuple[dict[str, Any], str | None] | None:
    """Return the fields of a row that is plainly healthy, and the other machine that it runs on; None leaves
    it to the core to classify it.

    simdjson accepts a BOM, which the app does not, and takes the first of two equal keys, the app the last.
    """
    if data[:1] != b"{":
        return None
    try:
        document = parse(data)
    except (ValueError, RuntimeError):
        return None
    names = list(document)
    present = set(names)
    fields = {key: document[key] for key in _KEYS if key in present}
    own = document["sessionId"] if "sessionId" in present else None
    remote = None
    if not present.isdisjoint(_CONNECTIONS):
        remote = remote_machine({key: _plain(document[key]) for key in _REMOTE if key in present})
    if PRIOR in present:
        prior = document[PRIOR]
        fields[PRIOR] = list(prior) if type(prior) in _ARRAYS else None
        del prior
    del document  # the parser takes no other document while this one lives
    if (
        own != session_id
        or len(names) != len(present)
        or type(fields.get("createdAt")) not in (int, float)
        or type(fields.get("lastActivityAt")) not in (int, float)
        or any(type(fields.get(name)) is not str for name in row_format.required)
    ):
        return None
    return fields, remote


def remote_machine(members: Mapping[str, Any]) -> str | None:
    """Return in words the other machine that a row's session runs on; None where it runs on this one."""
    for key, how, names in (
        ("sshConfig", "over SSH", ("sshHost", "host", "hostname", "id")),
        ("wslConfig", "in WSL", ("distro", "distribution", "name")),
    ):
        connection = members.get(key)
        if isinstance(connection, dict) and connection:
            name = next(
                (value for each in names if isinstance(value := connection.get(each), str) and value), ""
            )
            path = members.get(_REMOTE_PATH)
            where = f", {path}" if key == "sshConfig" and isinstance(path, str) and path else ""
            return f"{name} ({how}{where})" if name else f"{how}{where}"
    return None


def _plain(value: Any) -> Any:
    """Convert an object of simdjson's to a dict, which outlives the document."""
    return value.as_dict() if simdjson is not None and isinstance(value, simdjson.Object) else value


_ARRAYS: tuple[Any, ...] = (list,) if simdjson is None else (list, simdjson.Array)


def identifying_members(values: dict[str, Any]) -> dict[str, Any]:
    """Return the scalars and the former transcripts: the other members may be large, and are read later."""
    found = {key: value for key, value in values.items() if isinstance(value, str | int | float)}
    if isinstance(values.get(PRIOR), list):
        found[PRIOR] = values[PRIOR]
    return found
