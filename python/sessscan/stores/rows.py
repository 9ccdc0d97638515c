"""Read the rows of a store and list the files beside them. Every file gets a state of its own.

A healthy row costs one open, one read and one lazy parse; only a row that is not plainly healthy goes to the
core for its exact state. Links are not followed.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import _core
from ..model import ROW_FORMATS, Row, RowFormat, Store
from .locate import entries, is_file
from .row_states import LOST_STATES

try:
    import simdjson
except ImportError:  # no wheels for Python 3.14 and later
    simdjson = None  # type: ignore[assignment, unused-ignore]

MAX_ROW_SIZE = 10 * 1024 * 1024
"""Bytes. The app reads no larger row."""
MAX_SOURCE_SIZE = 64 * 1024 * 1024
"""Bytes. Of a larger file only the beginning is read: a real row has kilobytes."""

BOM = b"\xef\xbb\xbf"
TEMPORARY = ".json.tmp"

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
    *sorted({name for row_format in ROW_FORMATS for name in row_format.required} - {"cwd"}),
)
"""The scalars that are read of a healthy row."""
PRIOR = "priorCliSessionIds"

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


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
            elif ".json" in name and is_file(entry):
                contents.copies.append(Leftover(entry.path, name[: name.index(".json")], store))
        elif name.startswith("deleted_"):
            contents.tombstones.add(_tombstone(name))
            contents.deletions.append((_tombstone(name), entry.path))
    rows.sort(key=lambda entry: entry.name)
    contents.temporaries.sort(key=lambda leftover: leftover.path)
    contents.copies.sort(key=lambda leftover: leftover.path)
    parse: Callable[[bytes], Any] = _parse if simdjson is None else simdjson.Parser().parse
    for entry in rows:
        row = _read_row(entry, store, parse, contents.stats)
        if row is not None:
            contents.rows.append(row)
    return contents


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
    descriptor = os.open(path, _READ)
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
    return _core.row_prefix(data.removeprefix(BOM))


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
        descriptor = os.open(path, _READ)
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
    fields = _healthy(data, session_id, store.format, parse) if len(data) == size else None
    if fields is not None:
        return Row(path, session_id, store, "ok", size, mtime, 0, 0, fields)
    if size > MAX_ROW_SIZE:
        kind, offset, length = "oversize", 0, size
        try:
            data, _ = read_file(path)
        except OSError:
            data = b""
    else:
        kind, offset, length = classify_row(data, session_id, store.format)
    if kind == "ok":
        fields = identifying_members(readable_members(data))
        return Row(path, session_id, store, kind, size, mtime, 0, 0, fields)
    values = {} if LOST_STATES[kind].content == "none" else readable_members(data)
    stats[path] = status
    return Row(path, session_id, store, kind, size, mtime, offset, length, identifying_members(values))


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
) -> dict[str, Any] | None:
    """Return the fields of a row that is plainly healthy; None leaves it to the core to classify it.

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
    return fields


_ARRAYS: tuple[Any, ...] = (list,) if simdjson is None else (list, simdjson.Array)


def identifying_members(values: dict[str, Any]) -> dict[str, Any]:
    """Return the scalars and the former transcripts: the other members may be large, and are read later."""
    found = {key: value for key, value in values.items() if isinstance(value, str | int | float)}
    if isinstance(values.get(PRIOR), list):
        found[PRIOR] = values[PRIOR]
    return found
