"""What sessscan has done, kept so that it can be taken back.

One folder a run, `runs/<run id>/journal.jsonl` under `home()`. The first record is a header; then, for each
file, an `intent` that is on the disk before the file is touched, and after it a `done` or a `failed`; then
`end`. Taking a run back appends an `undone` for each file and `taken-back`. A record is one line of JSON and
is on the disk before the next is written, so that after a crash only the last can be torn, and what it was to
announce has not begun.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .._core import append_durable, sweep
from .._core import replace as core_replace
from ..errors import JournalError, RefusedError, SessscanError
from ..state import home as home  # part of this module, too
from ..state import make_home as make_home

SCHEMA = "sessscan.journal/1"

BACKUP_SUFFIX = ".corrupted-bak"
"""What follows a row's name in the name of its backup; `.1`, `.2`, … follow that where there is one."""

RunState = Literal["complete", "interrupted", "taken-back"]


@dataclass(frozen=True, slots=True)
class Image:
    """A file's content by its hash and size, and the time it bore (nanoseconds; None: not known)."""

    sha256: str
    size: int
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a run: what it was, what it was to become, and what came of it."""

    index: int
    kind: str
    """The action's kind: `restore`, `adopt`, …"""
    path: str
    session_id: str | None
    title: str | None
    before: Image | None
    """None: the file was not there."""
    after: Image
    backup: str | None
    """Where the file as it was is kept, beside it."""
    outcome: Literal["done", "failed"] | None = None
    """None: sessscan was interrupted, and nobody has looked yet."""
    error: str | None = None
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run that changed something, or was about to."""

    id: str
    journal: Path
    started_at: int
    """Epoch milliseconds."""
    version: str
    entries: tuple[Entry, ...] = ()
    ended: bool = False
    taken_back: bool = False
    length: int = field(default=0, compare=False)
    """Bytes of the journal that hold whole records: what follows is a torn one."""

    @property
    def state(self) -> RunState:
        """`interrupted` also where taking it back was begun and not finished."""
        if self.taken_back or (any(e.undone for e in self.entries) and not self.standing):
            return "taken-back"
        settled = self.ended and all(e.outcome is not None and not e.undone for e in self.entries)
        return "complete" if settled else "interrupted"

    @property
    def standing(self) -> tuple[Entry, ...]:
        """The entries whose change stands or may stand: not failed, not taken back."""
        if self.taken_back:
            return ()
        return tuple(e for e in self.entries if e.outcome != "failed" and not e.undone)


class Journal:
    """The journal of one run, open for appending. A record is on the disk when its method returns.

    After a record that failed, all later ones fail likewise: what of it is in the file nobody knows, and a
    sync that succeeds after one that did not says nothing.
    """

    def __init__(self, run: str, path: Path, count: int = 0) -> None:
        self.run = run
        self.path = path
        self._count = count
        self._broken: OSError | None = None

    @classmethod
    def create(cls) -> Journal:
        """Begins a run: its folder and its header. The caller holds the lock."""
        now = datetime.datetime.now(datetime.UTC)
        for attempts_left in reversed(range(16)):
            run = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
            folder = make_home() / "runs" / run
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                folder.mkdir(mode=0o700)  # the core makes the folders durable together with the file
                break
            except FileExistsError:  # a run of the same second has drawn the same
                if not attempts_left:
                    raise
        journal = cls(run, folder / "journal.jsonl")
        from .._core import __version__

        try:
            journal._append(schema=SCHEMA, run=run, time=int(now.timestamp() * 1000), version=__version__)
        except OSError:
            with contextlib.suppress(OSError):
                journal.discard()
            raise
        return journal

    @classmethod
    def reopen(cls, run: Run) -> Journal:
        """Goes on with the journal of `run`, in a new file without the torn last record. In the old one
        what follows would be part of that record; and who was interrupted may have had a sync that failed,
        after which no sync of that file says anything.

        Raises `RefusedError` where that cannot be done."""
        try:
            sweep(run.journal.parent)
            records = run.journal.read_bytes()
            core_replace(run.journal, records[: run.length], expected=records)
        except (OSError, SessscanError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RefusedError(f"{run.journal} cannot be gone on with ({reason})") from error
        return cls(run.id, run.journal, len(run.entries))

    def intent(
        self,
        *,
        kind: str,
        path: str,
        session_id: str | None,
        title: str | None,
        before: Image | None,
        after: Image,
        backup: str | None,
    ) -> int:
        """Announces a change; returns the entry's number for `done` and `failed`."""
        index = self._count
        self._append(
            record="intent",
            entry=index,
            kind=kind,
            path=path,
            session_id=session_id,
            title=title,
            before=_image(before),
            after=_image(after),
            backup=backup,
        )
        self._count += 1
        return index

    def done(self, entry: int, error: str | None = None) -> None:
        """The change was made; `error`: and what is not certain about it."""
        self._append(record="done", entry=entry, error=error)

    def failed(self, entry: int, error: str) -> None:
        """The change was not made: the file is what it was."""
        self._append(record="failed", entry=entry, error=error)

    def end(self) -> None:
        """The run is complete."""
        self._append(record="end", time=_now())

    def undone(self, entry: int) -> None:
        """The file is what it was before the run."""
        self._append(record="undone", entry=entry)

    def taken_back(self) -> None:
        """Every file of the run is what it was before it."""
        self._append(record="taken-back", time=_now())

    def discard(self) -> None:
        """Forgets a run that changed nothing."""
        self.path.unlink(missing_ok=True)
        self.path.parent.rmdir()

    def _append(self, **record: Any) -> None:
        if self._broken is not None:
            raise self._broken
        try:
            append_durable(self.path, json.dumps(record, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            self._broken = error
            raise


def _now() -> int:
    return time.time_ns() // 1_000_000


def _image(image: Image | None) -> dict[str, Any] | None:
    return None if image is None else {"sha256": image.sha256, "size": image.size, "mtime_ns": image.mtime_ns}


def runs() -> tuple[list[Run], list[JournalError]]:
    """All runs, newest first, and what is wrong with the journals that cannot be read."""
    folder = home() / "runs"
    found: list[Run] = []
    wrong: list[JournalError] = []
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except FileNotFoundError:
        names = []
    for name in names:
        try:
            run = read(folder / name / "journal.jsonl")
        except JournalError as error:
            wrong.append(error)
        else:
            if run is not None and run.entries:
                found.append(run)
    found.sort(key=lambda run: (run.started_at, run.id), reverse=True)
    return found, wrong


def read(path: Path) -> Run | None:
    """The run a journal tells of; None where it was interrupted before it could announce anything.

    Raises `JournalError`, with path and line, where it is damaged before its last record, or of a version
    that this sessscan does not know.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    reading = _Reading(path)
    length = 0
    *lines, torn = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines) and not torn:
                break  # its length reached the disk, its bytes did not
            raise JournalError(f"{path}, line {number}: damaged ({error})") from error
        try:
            reading.take(record)
        except (ValueError, TypeError, KeyError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise JournalError(f"{path}, line {number}: {reason}") from error
        length += len(line) + 1
    return reading.run(length)


class _Reading:
    """Records folded into a run. `take` raises where one cannot follow what came before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: tuple[str, int, str] | None = None
        self._entries: list[Entry] = []
        self._ended = False
        self._taken_back = False

    def run(self, length: int) -> Run | None:
        if self._header is None:
            return None
        run, started, version = self._header
        return Run(
            run, self._path, started, version, tuple(self._entries), self._ended, self._taken_back, length
        )

    def take(self, record: dict[str, Any]) -> None:
        if not isinstance(record, dict):
            raise ValueError("not an object")
        if self._header is None:
            self._header = self._begin(record)
            return
        kind = record["record"]
        if kind == "intent":
            self._entries.append(_entry(record, len(self._entries)))
        elif kind in ("done", "failed"):
            error = record["error"]
            if error is not None and not isinstance(error, str):
                raise ValueError("an error that is no text")
            self._change(record, outcome=kind, error=error)
        elif kind == "undone":
            self._change(record, undone=True)
        elif kind == "end":
            self._ended = True
        elif kind == "taken-back":
            self._taken_back = True
        else:
            raise ValueError(f"an unknown record ({kind!r})")

    def _begin(self, record: dict[str, Any]) -> tuple[str, int, str]:
        schema = record.get("schema")
        if schema != SCHEMA:
            raise ValueError(f"a journal of an unknown version ({schema!r})")
        run, started, version = record["run"], record["time"], record["version"]
        if run != self._path.parent.name or not isinstance(version, str) or type(started) is not int:
            raise ValueError("not the header of this run")
        return run, started, version

    def _change(self, record: dict[str, Any], **change: Any) -> None:
        index = record["entry"]
        if type(index) is not int or not 0 <= index < len(self._entries):
            raise ValueError(f"an entry that was never announced ({index!r})")
        self._entries[index] = replace(self._entries[index], **change)


def _entry(record: dict[str, Any], expected: int) -> Entry:
    path, backup, title, session_id = record["path"], record["backup"], record["title"], record["session_id"]
    if record["entry"] != expected:
        raise ValueError(f"entry {record['entry']!r} where {expected} was due")
    if not isinstance(record["kind"], str) or not isinstance(path, str) or not Path(path).is_absolute():
        raise ValueError("an entry without an absolute path")
    if b"\0" in os.fsencode(path):
        raise ValueError("a path that can be none")
    if not all(text is None or isinstance(text, str) for text in (backup, title, session_id)):
        raise ValueError("a value of the wrong type")
    before, after = _read_image(record["before"]), _read_image(record["after"])
    if after is None or (before is None) != (backup is None):
        raise ValueError("an entry that does not say what was and what comes")
    if backup is not None and not re.fullmatch(re.escape(path + BACKUP_SUFFIX) + r"(\.\d+)?", backup):
        raise ValueError("a backup that does not lie beside its file")
    return Entry(expected, record["kind"], path, session_id, title, before, after, backup)


def _read_image(value: Any) -> Image | None:
    if value is None:
        return None
    digest, size, mtime = value["sha256"], value["size"], value["mtime_ns"]
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError("a sha256 that is none")
    if not _is_number(size) or size < 0 or not (mtime is None or _is_number(mtime)):
        raise ValueError("a size or time that is no number")
    return Image(digest, size, mtime)


def _is_number(value: Any) -> bool:
    """Whether it is a whole number that the system has room for."""
    return type(value) is int and -1 << 63 <= value < 1 << 63
