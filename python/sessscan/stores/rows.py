"""The rows of a store and what lies beside them, each file with a verdict of its own.

A healthy row costs one open, one read and one lazy parse; only what is not plainly healthy is handed to the
core for its exact verdict. Nothing here follows a link or writes.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import _core
from ..model import Row, Store
from .locate import entries, is_file

try:
    import simdjson
except ImportError:  # no wheels for Python 3.14 and later
    simdjson = None  # type: ignore[assignment, unused-ignore]  # a module or nothing

MAX_ROW_SIZE = 10 * 1024 * 1024
"""The app reads no larger row."""
MAX_SOURCE_SIZE = 64 * 1024 * 1024
"""Of a row that is too large no more is read than this: a real one has kilobytes, the rest is no row."""

BOM = b"\xef\xbb\xbf"
TEMPORARY = ".json.tmp"
WORKTREES = "git-worktrees.json"

KEYS = (
    "cliSessionId",
    "cwd",
    "title",
    "createdAt",
    "lastActivityAt",
    "lastFocusedAt",
    "originCwd",
    "worktreePath",
    "processName",
)
PRIOR = "priorCliSessionIds"

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file beside the rows that may hold one: `local_<id>.json.tmp`, or a copy such as `.corrupted-bak`."""

    path: str
    session_id: str
    store: Store


@dataclass(frozen=True, slots=True)
class Lease:
    """A worktree of `git-worktrees.json` that is in use."""

    session_id: str
    path: str
    branch: str | None
    since: int
    """When the directory was made or last given back, epoch ms; 0 if that is not known."""


@dataclass
class Contents:
    """What is in one store."""

    store: Store
    rows: list[Row] = field(default_factory=list)
    temporaries: list[Leftover] = field(default_factory=list)
    copies: list[Leftover] = field(default_factory=list)
    tombstones: set[str] = field(default_factory=set)
    """The ids (without `local_`) of sessions and transcripts that the user deleted."""
    stats: dict[str, os.stat_result] = field(default_factory=dict)
    """Of each row that is not healthy, as it was when it was read."""
    errors: list[OSError] = field(default_factory=list)


@dataclass
class Worktrees:
    """The leases of one userData folder."""

    home: str
    path: str
    leases: list[Lease] = field(default_factory=list)
    error: OSError | None = None


def read_store(store: Store) -> Contents:
    """Reads every row of `store`, and lists what lies beside them. Raises nothing for a bad file."""
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
    """The paths of the rows of `store`, and the ids of what the user deleted, without reading any file."""
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
    """A session's uuid, however it is spelt: `local_` in front or not, capitals or not."""
    return name.removeprefix("local_").lower()


def read_file(path: str, limit: int = MAX_SOURCE_SIZE) -> tuple[bytes, os.stat_result]:
    """The first `limit` bytes of a regular file and what it was. Raises OSError, also for anything else."""
    descriptor = os.open(path, _READ)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file", path)
        return _read_all(descriptor, min(status.st_size, limit)), status
    finally:
        os.close(descriptor)


def verdict(data: bytes, session_id: str, agent_mode: bool) -> tuple[str, int, int]:
    """What the app would make of a row's bytes under the name `session_id`: the kind, and where it begins and
    how long it is."""
    state = _core.classify_bytes(data, stem=session_id)
    if agent_mode and state.kind == "ok":
        fields = readable(data)
        if not (isinstance(fields.get("processName"), str) and isinstance(fields.get("cwd"), str)):
            return "not-a-row", 0, len(data)
    return state.kind, state.offset, state.length


def readable(data: bytes) -> dict[str, Any]:
    """All members of a row, whole or damaged, that can be read from its beginning on."""
    return _core.row_prefix(data.removeprefix(BOM))


def read_worktrees(user_data: str) -> Worktrees:
    """The leases in `git-worktrees.json`; none where it is missing or not what it should be."""
    found = Worktrees(user_data, str(Path(user_data, WORKTREES)))
    try:
        data, _ = read_file(found.path)
        document = json.loads(data.decode("utf-8-sig", "replace"))
    except FileNotFoundError:
        return found
    except OSError as error:
        found.error = error
        return found
    except (ValueError, RecursionError):
        return found
    worktrees = document.get("worktrees") if isinstance(document, dict) else None
    values: Iterable[Any] = ()
    if isinstance(worktrees, dict):
        values = worktrees.values()
    elif isinstance(worktrees, list):
        values = worktrees
    for value in values:
        if isinstance(value, dict):
            owner, path, branch = value.get("leasedBy"), value.get("path"), value.get("branch")
            if isinstance(owner, str) and owner and isinstance(path, str) and path:
                since = max(_time(value.get("createdAt")), _time(value.get("pooledAt")))
                found.leases.append(Lease(owner, path, branch if isinstance(branch, str) else None, since))
    return found


def _time(value: object) -> int:
    """A time in epoch ms, given as a number or as text; 0 for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if 0 < value < 1e15 else 0
    if isinstance(value, str):
        try:
            return int(datetime.fromisoformat(value).timestamp() * 1000)
        except (ValueError, OverflowError):
            return 0
    return 0


def _read_row(
    entry: os.DirEntry[str],
    store: Store,
    parse: Callable[[bytes], Any],
    stats: dict[str, os.stat_result],
) -> Row | None:
    """One row's verdict; None if it vanished."""
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
        return Row(path, session_id, store, "not-a-row", size, mtime, error="it is no file")
    fields = _healthy(data, session_id, store.agent_mode, parse) if len(data) == size else None
    if fields is not None:
        return Row(path, session_id, store, "ok", size, mtime, 0, 0, fields)
    if size > MAX_ROW_SIZE:
        kind, offset, length = "oversize", 0, size
        try:
            data, _ = read_file(path)
        except OSError:
            data = b""
    else:
        kind, offset, length = verdict(data, session_id, store.agent_mode)
    values = {} if kind in ("zero-filled", "empty") else readable(data)
    if kind == "ok":
        return Row(path, session_id, store, kind, size, mtime, 0, 0, kept(values))
    stats[path] = status
    return Row(path, session_id, store, kind, size, mtime, offset, length, kept(values))


def _without_content(
    path: str, session_id: str, store: Store, error: OSError, stats: dict[str, os.stat_result]
) -> Row | None:
    """What is there although it cannot be opened: a link made meanwhile, a socket, a forbidden file."""
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
        return Row(path, session_id, store, "not-a-row", status.st_size, mtime, error="it is no file")
    return Row(path, session_id, store, "unreadable", status.st_size, mtime, error=error.strerror)


def _parse(data: bytes) -> Any:
    """What simdjson would take, for where there is none. Raises ValueError or RecursionError."""
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
    data: bytes, session_id: str, agent_mode: bool, parse: Callable[[bytes], Any]
) -> dict[str, Any] | None:
    """The fields of a row that is plainly healthy; None leaves the verdict to the core.

    simdjson takes a BOM, which the app does not, and the first of two equal keys, not the last as the app.
    """
    if data[:1] != b"{":
        return None
    try:
        document = parse(data)
    except (ValueError, RuntimeError):
        return None
    names = list(document)
    present = set(names)
    fields = {key: document[key] for key in KEYS if key in present}
    own = document["sessionId"] if "sessionId" in present else None
    if PRIOR in present:
        prior = document[PRIOR]
        fields[PRIOR] = list(prior) if type(prior) in _ARRAYS else None
        del prior
    del document  # the parser is not free before its document is gone
    if (
        own != session_id
        or len(names) != len(present)
        or type(fields.get("createdAt")) not in (int, float)
        or type(fields.get("lastActivityAt")) not in (int, float)
        or (agent_mode and not (type(fields.get("processName")) is str and type(fields.get("cwd")) is str))
    ):
        return None
    return fields


_ARRAYS: tuple[Any, ...] = (list,) if simdjson is None else (list, simdjson.Array)


def kept(values: dict[str, Any]) -> dict[str, Any]:
    """Those members that may say which session it is: the rest may be large and is read again later."""
    kept = {key: value for key, value in values.items() if isinstance(value, str | int | float)}
    if isinstance(values.get(PRIOR), list):
        kept[PRIOR] = values[PRIOR]
    return kept
