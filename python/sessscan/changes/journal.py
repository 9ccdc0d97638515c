"""Keep a journal of each run, from which the run can be undone.

A run has one folder, `runs/<run id>/` in the state folder, and in it `journal.jsonl`. The first line is a
header. Then, for each file, an `intent` is on the disk before the file is touched, and a `done` or `failed`
follows it; then comes `end`. Undoing the run appends an `undone` for each file and `taken-back`. A record is
one line of JSON and is on the disk before the next one is written, so that after a crash only the last can be
torn, and what it was to announce has not begun.
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
from typing import Any, Final, Literal

import msgspec

from .._core import append_durable, sweep
from .._core import replace as core_replace
from ..errors import JournalError, RefusedError, SessscanError
from ..model import MOVE, MOVE_LEASES, TRANSCRIPT_KINDS
from ..state import check, home, make_home
from ..stores.locate import TRANSCRIPT_NAME
from ..stores.project_files import INDEX_NAME
from ..stores.rows import read_file
from ..stores.worktrees import FILE_NAME as LEASES_NAME
from .image import Image, Int64

SCHEMA: Final = "sessscan.journal/1"

BACKUP_SUFFIX = ".corrupted-bak"
"""What follows a file's name in the name of its backup; if that exists, `.1`, `.2`, … follow."""

_LONGEST = 1 << 31
"""Bytes that are read of a journal: about 2 million changes."""

_ROW_NAME = re.compile(r"local_.*\.json", re.DOTALL)

_OF_SESSION = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?:\..*)?", re.DOTALL)
"""The names of what is a session's in a project folder: its transcript, its folder, and files beside them."""

RunState = Literal["complete", "interrupted", "taken-back"]


# The records, as they are in the file. Members that this version does not know are passed over.


class _Header(msgspec.Struct, frozen=True):
    schema: Literal["sessscan.journal/1"]
    run: str
    time: Int64
    version: str


class _Record(msgspec.Struct, frozen=True, tag_field="record"):
    """A line after the header. `entry` is the number of the intent it belongs to, from 0."""


class _Intent(_Record, frozen=True, tag="intent"):
    entry: int
    kind: str
    path: str
    session_id: str | None
    title: str | None
    before: Image | None
    after: Image
    backup: str | None
    target: str | None = None  # only moves have it


class _Done(_Record, frozen=True, tag="done"):
    entry: int
    error: str | None


class _Failed(_Record, frozen=True, tag="failed"):
    entry: int
    error: str | None


class _Restoring(_Record, frozen=True, tag="restoring"):
    """An undo is about to put a transcript back, as a copy that will be this file."""

    entry: int
    image: Image


class _Undone(_Record, frozen=True, tag="undone"):
    entry: int


class _End(_Record, frozen=True, tag="end"):
    time: Int64


class _TakenBack(_Record, frozen=True, tag="taken-back"):
    time: Int64


_AnyRecord = _Intent | _Done | _Failed | _Restoring | _Undone | _End | _TakenBack


# The run they tell of


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a run: its content before and after, and whether the change was made."""

    index: int
    kind: str
    """The kind of the action: `restore`, `adopt`, …"""
    path: str
    session_id: str | None
    title: str | None
    before: Image | None
    """None: the file did not exist."""
    after: Image
    backup: str | None
    """The path, beside the file, at which its old content is kept."""
    outcome: Literal["done", "failed"] | None = None
    """None: the run was interrupted, and nobody has compared the file since."""
    error: str | None = None
    undone: bool = False
    restored: Image | None = None
    """What a transcript is, or may be, once an undo has put it back."""
    target: str | None = None
    """Of a move, the path that the file or folder has afterwards; `path` is the one that it had."""

    @property
    def is_transcript(self) -> bool:
        """Whether the file is a transcript, which is known by its metadata alone."""
        return self.kind in TRANSCRIPT_KINDS

    def is_as_before(self) -> bool:
        """Tell whether the file is what it was before the run. Raises OSError where that cannot be told.

        Not of a move: see `moved.is_as_before`.
        """
        if self.restored is not None and (
            self.restored.is_at(self.path) or self.restored.has_grown_at(self.path)
        ):
            return True
        return not os.path.lexists(self.path) if self.before is None else self.before.is_at(self.path)


@dataclass(frozen=True, slots=True)
class Run:
    """One run that changed something, or was about to."""

    id: str
    journal: Path
    started_at: int
    """Epoch milliseconds."""
    version: str
    """The version of sessscan that made the run."""
    entries: tuple[Entry, ...] = ()
    ended: bool = False
    length: int = field(default=0, compare=False)
    """How many bytes of the journal hold whole records; what follows is a torn one."""

    @property
    def state(self) -> RunState:
        """`interrupted` also means that undoing the run was begun and not finished."""
        undone = any(entry.undone for entry in self.entries)
        if undone and not self.in_effect:
            return "taken-back"
        closed = all(entry.outcome is not None for entry in self.entries)
        return "complete" if self.ended and closed and not undone else "interrupted"

    @property
    def in_effect(self) -> tuple[Entry, ...]:
        """The entries whose change is, or may be, in effect: neither failed nor undone."""
        return tuple(entry for entry in self.entries if entry.outcome != "failed" and not entry.undone)


class Journal:
    """The journal of one run, open for appending. A record is on the disk when its method returns.

    After a record that could not be written, all later ones fail with the same error: how much of it reached
    the file is unknown, and a sync that succeeds after a failed one proves nothing.
    """

    def __init__(self, run: str, path: Path, count: int = 0) -> None:
        self.run = run
        self.path = path
        self._count = count
        """The number of intents so far."""
        self._broken: OSError | None = None

    @classmethod
    def create(cls) -> Journal:
        """Begin a run: make its folder and write the header. The caller holds the lock."""
        now = datetime.datetime.now(datetime.UTC)
        for attempts_left in reversed(range(16)):
            run = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
            folder = make_home() / "runs" / run
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                folder.mkdir(mode=0o700)  # the core fsyncs the folders together with the file
                break
            except FileExistsError:  # a run of the same second has drawn the same id
                if not attempts_left:
                    raise
        journal = cls(run, folder / "journal.jsonl")
        from .._core import __version__

        try:
            journal._append(_Header(SCHEMA, run, int(now.timestamp() * 1000), __version__))
        except OSError:
            with contextlib.suppress(OSError):
                journal.discard()
            raise
        return journal

    @classmethod
    def reopen(cls, run: Run) -> Journal:
        """Continue the journal of `run` in a new file, without the torn last record.

        In the old file, what is appended would be part of the torn record. Also, an interrupted run may have
        had a failed sync, after which a sync of the same file proves nothing.

        Raises `RefusedError` if the new file cannot be written.
        """
        try:
            sweep(run.journal.parent)
            records, _ = read_file(str(run.journal), _LONGEST)
            core_replace(run.journal, records[: run.length], expected=records)
        except (OSError, SessscanError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RefusedError(f"{run.journal} cannot be continued ({reason})") from error
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
        target: str | None = None,
    ) -> int:
        """Announce a change; return the entry's number for `done` and `failed`."""
        entry = self._count
        self._append(_Intent(entry, kind, path, session_id, title, before, after, backup, target))
        self._count += 1
        return entry

    def done(self, entry: int, error: str | None = None) -> None:
        """Record that a change was made. `error` says why it may not survive a power cut."""
        self._append(_Done(entry, error))

    def failed(self, entry: int, error: str) -> None:
        """Record that a change was not made: the file is as it was before."""
        self._append(_Failed(entry, error))

    def end(self) -> None:
        """Record that the run is complete."""
        self._append(_End(_now()))

    def restoring(self, entry: int, image: Image) -> None:
        """Announce that a transcript will be this file, which holds what was there before the run."""
        self._append(_Restoring(entry, image))

    def undone(self, entry: int) -> None:
        """Record that a file is as it was before the run."""
        self._append(_Undone(entry))

    def taken_back(self) -> None:
        """Record that every file of the run is as it was before it."""
        self._append(_TakenBack(_now()))

    def discard(self) -> None:
        """Remove the journal of a run that changed nothing."""
        self.path.unlink(missing_ok=True)
        self.path.parent.rmdir()

    def _append(self, record: _Header | _AnyRecord) -> None:
        if self._broken is not None:
            raise self._broken
        # Not by msgspec's own encoder: it refuses the half surrogate pairs that paths and titles may hold.
        members = msgspec.to_builtins(record)
        if members.get("target", "") is None:
            del members["target"]
        line = json.dumps(members, separators=(",", ":")).encode() + b"\n"
        try:
            append_durable(self.path, line)
        except OSError as error:
            self._broken = error
            raise


def _now() -> int:
    return time.time_ns() // 1_000_000


def runs() -> tuple[list[Run], list[JournalError]]:
    """Return all runs, newest first, and an error for each journal that cannot be read."""
    folder = home() / "runs"
    found: list[Run] = []
    errors: list[JournalError] = []
    try:
        check(folder)
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except FileNotFoundError:
        names = []
    for name in names:
        try:
            run = read(folder / name / "journal.jsonl")
        except JournalError as error:
            errors.append(error)
        else:
            if run is not None and run.entries:
                found.append(run)
    found.sort(key=lambda run: (run.started_at, run.id), reverse=True)
    return found, errors


def read(path: Path) -> Run | None:
    """Read a run from its journal. Return None if it was interrupted before it announced anything.

    Raises `JournalError`, with path and line, if the journal is damaged before its last record, or of a
    version that this sessscan does not know; `InsecureStateError` if others may have written it.
    """
    check(path.parent, path)
    try:
        data, _ = read_file(str(path), _LONGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    builder = _RunBuilder(path)
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
            builder.add(record)
        except (msgspec.ValidationError, ValueError) as error:
            raise JournalError(f"{path}, line {number}: {error}") from error
        length += len(line) + 1
    return builder.run(length)


class _RunBuilder:
    """A run as far as its journal has been read. `add` raises for a record that cannot follow the others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: _Header | None = None
        self._entries: list[Entry] = []
        self._ended = False

    def run(self, length: int) -> Run | None:
        if self._header is None:
            return None
        return Run(
            self._header.run,
            self._path,
            self._header.time,
            self._header.version,
            tuple(self._entries),
            self._ended,
            length,
        )

    def add(self, value: Any) -> None:
        if self._header is None:
            self._header = self._checked_header(value)
            return
        match msgspec.convert(value, _AnyRecord):
            case _Intent() as intent:
                self._entries.append(_checked_entry(intent, len(self._entries)))
            case _Done(entry, error):
                self._change(entry, outcome="done", error=error)
            case _Failed(entry, error):
                self._change(entry, outcome="failed", error=error)
            case _Restoring(entry, image):
                self._change(entry, restored=image)
            case _Undone(entry):
                self._change(entry, undone=True)
            case _End():
                self._ended = True
            case _TakenBack():
                self._entries = [replace(entry, undone=True) for entry in self._entries]

    def _checked_header(self, value: Any) -> _Header:
        schema = value.get("schema") if isinstance(value, dict) else None
        if schema != SCHEMA:
            raise ValueError(f"a journal of an unknown version ({schema!r})")
        header = msgspec.convert(value, _Header)
        if header.run != self._path.parent.name:
            raise ValueError("not the header of this run")
        return header

    def _change(self, index: int, **change: Any) -> None:
        if not 0 <= index < len(self._entries):
            raise ValueError(f"an entry that was never announced ({index!r})")
        self._entries[index] = replace(self._entries[index], **change)


def may_be_moved(name: str) -> bool:
    """Tell whether a file or folder of this name may go from one project folder to another."""
    return _OF_SESSION.fullmatch(name) is not None


def is_move_within_root(path: str, target: str) -> bool:
    """Tell whether both paths are of one name, in project folders of one root."""
    old, new = Path(path), Path(target)
    return old.name == new.name and old.parent.parent == new.parent.parent


def _may_be_written(kind: str, name: str) -> bool:
    """Tell whether a run may write a file of this name."""
    if kind == MOVE:
        return may_be_moved(name)
    if kind == MOVE_LEASES:
        return name == LEASES_NAME
    if kind in TRANSCRIPT_KINDS:
        return TRANSCRIPT_NAME.fullmatch(name) is not None
    return _ROW_NAME.fullmatch(name) is not None or name == INDEX_NAME


def _checked_entry(intent: _Intent, expected: int) -> Entry:
    path, backup, images = intent.path, intent.backup, (intent.before, intent.after)
    target = intent.target
    if intent.entry != expected:
        raise ValueError(f"entry {intent.entry} instead of {expected}")
    if not Path(path).is_absolute():
        raise ValueError("an entry without an absolute path")
    if b"\0" in os.fsencode(path):
        raise ValueError("a path that no file can have")
    if os.path.normpath(path) != path or not _may_be_written(intent.kind, Path(path).name):
        raise ValueError("a file that no run writes")
    is_transcript = intent.kind in TRANSCRIPT_KINDS
    if any(image is not None and (image.sha256 is None) != is_transcript for image in images):
        raise ValueError("a transcript with a hash, or another file without")
    if intent.kind == MOVE:
        if intent.before is None or backup is not None or target is None:
            raise ValueError("a move of nothing, to nowhere, or with a backup")
        if os.path.normpath(target) != target or not is_move_within_root(path, target):
            raise ValueError("a move that no run makes")
    elif target is not None or (intent.before is None) != (backup is None):
        raise ValueError("an entry with a backup and no old content, or the other way round")
    if backup is not None and not re.fullmatch(re.escape(path + BACKUP_SUFFIX) + r"(\.\d+)?", backup):
        raise ValueError("a backup that does not lie beside its file")
    return Entry(
        expected,
        intent.kind,
        path,
        intent.session_id,
        intent.title,
        intent.before,
        intent.after,
        backup,
        target=target,
    )
