"""Every healthy row's bytes, kept by content in sessscan's own state folder: the best evidence there is when
a row is lost.

A row that has not changed costs a stat. Of one that has, only what is new goes into the store: large members,
such as connector settings, are pieces of their own, which versions and rows share. Of each row the last
versions are kept, the newest always. Several processes may take snapshots at once.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from ..errors import SnapshotError
from ..members import pieces
from ..registry import MAX_ROW_SIZE, bare_id, read_file, readable, verdict
from ..stores import REGISTRIES
from .database import DamagedError, connect, explained, identity, move_aside, place, transaction

KEEP = 20
"""Versions of a row that are kept, where nothing else was asked for."""
_BATCH = 16 << 20
"""Bytes of rows that go into one transaction: others wait no longer than that takes."""
_TICK_NS = 20_000_000
"""A file's clock ticks in steps of up to 10 ms (2 s on FAT): what was written in the same step as it was read
may have changed since without a sign."""
_FAT_NS = 2_000_000_000

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Version:
    """One state of a row that was seen healthy."""

    path: str
    """The row, in its physical folder."""
    session_id: str
    """The file's stem, `local_<uuid>`."""
    taken_at: int
    """When it was kept, epoch ms."""
    modified_ns: int
    """When the file was last written then, epoch ns."""
    size: int
    sha256: str
    cli_session_id: str | None
    """The transcript it names, in small letters."""
    id: int
    """Larger for a newer one."""
    _snapshots: Snapshots = field(repr=False, compare=False)

    @property
    def data(self) -> bytes:
        """Its bytes. Raises `SnapshotError` where they are not what they were."""
        return self._snapshots._content(self)


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of which versions are kept."""

    path: str
    session_id: str
    versions: int
    newest: Version
    deleted: bool
    """Whether its session was seen to be deleted by the user."""


@dataclass
class Taken:
    """What became of taking a snapshot."""

    kept: list[str] = field(default_factory=list)
    """Rows of which a new version was kept."""
    unchanged: int = 0
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Rows that were not healthy, were being written, or could not be read; and why."""

    @property
    def rows(self) -> int:
        """How many were looked at."""
        return len(self.kept) + self.unchanged + len(self.passed_over)


class Snapshots:
    """The store of snapshots. A context manager; to be used by the thread that has opened it.

    Every method raises `SnapshotError` where the database cannot be read or written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        """The database."""
        self.aside: Path | None = None
        """Where a damaged database was moved that stood in this one's place."""
        self._connection = connection
        self._opened = identity(path)
        self._folders: dict[str, str] = {}

    @classmethod
    def open(cls, home: Path | None = None) -> Snapshots:
        """Opens the store in the state folder `home`, and makes it where there is none.

        A damaged one is moved aside, never deleted, and `aside` says where. Raises `SnapshotError` where it
        cannot be opened, or was written by a newer sessscan.
        """
        path = place(home)
        aside = None
        before = identity(path)
        try:
            connection = connect(path)
        except DamagedError:
            aside = move_aside(path, before)
            connection = connect(path)
        opened = cls(path, connection)
        opened.aside = aside
        return opened

    @classmethod
    def existing(cls, home: Path | None = None) -> Snapshots | None:
        """The store as it is; None where there is none yet. Nothing is made or moved.

        Raises `SnapshotError` where it cannot be read, `DamagedError` among them.
        """
        path = place(home, make=False)
        if identity(path) is None:
            return None
        return cls(path, connect(path))

    def __enter__(self) -> Snapshots:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    # What goes in

    def take(self, rows: Iterable[StrPath], *, progress: Callable[[int, int], object] | None = None) -> Taken:
        """Keeps each healthy row of `rows` that has changed since its newest version.

        A row that is not healthy is passed over: its older versions stay. `progress` is called with the rows
        that are done and that there are.
        """
        listed = list(rows)
        taken = Taken()
        now = time.time_ns() // 1_000_000
        known = self._signatures()
        batch: list[_Fresh] = []
        amount = 0
        for count, path in enumerate(listed, 1):
            folder, name = self._place(path)
            fresh = _look(os.fspath(path), known.get((folder, name)), taken)
            if fresh is not None:
                batch.append(fresh)
                amount += len(fresh.data)
                if amount >= _BATCH:
                    self._write(batch, now, taken)
                    batch, amount = [], 0
            if progress is not None and (count % 64 == 0 or count == len(listed)):
                progress(count, len(listed))
        self._write(batch, now, taken)
        return taken

    def keep(self, path: StrPath, data: bytes, modified_ns: int) -> bool:
        """Keeps one row that was just seen healthy; False if its newest version is that already."""
        taken = Taken()
        self._write([_Fresh(os.fspath(path), data, modified_ns, None)], time.time_ns() // 1_000_000, taken)
        return bool(taken.kept)

    def limit(self, versions: int | None = None) -> int:
        """How many versions of each row are kept; with `versions`, from now on that many (1 at least)."""
        with explained(self.path):
            if versions is not None:
                self._connection.execute("INSERT OR REPLACE INTO setting VALUES ('keep', ?)", (versions,))
            found = self._connection.execute("SELECT value FROM setting WHERE name = 'keep'").fetchone()
        return KEEP if found is None else max(1, int(found[0]))

    def deleted(self, folder: StrPath, ids: Iterable[str]) -> None:
        """Remembers that the sessions or transcripts `ids` (without `local_`) of a folder's rows were deleted
        by the user: their tombstones may not stay for ever. A row seen healthy again is not deleted."""
        wanted = set(ids)
        if not wanted:
            return
        real = os.fsencode(self._real(os.fspath(folder)))
        with explained(self.path):
            due = [
                (number,)
                for number, name, transcript in self._connection.execute(
                    "SELECT row.id, row.name, (SELECT transcript FROM version WHERE row = row.id"
                    " ORDER BY id DESC LIMIT 1) FROM row WHERE folder = ? AND NOT deleted",
                    (real,),
                )
                if bare_id(_session(name)) in wanted or transcript in wanted
            ]
            if due:
                with transaction(self._connection):
                    self._connection.executemany("UPDATE row SET deleted = 1 WHERE id = ?", due)

    # What comes out

    def versions(self, path: StrPath) -> list[Version]:
        """The versions of a row, newest first; none where nothing is kept of it."""
        folder, name = self._place(path)
        return list(self._select("row.folder = ? AND row.name = ? ORDER BY version.id DESC", folder, name))

    def newest(self, folder: StrPath) -> dict[str, Kept]:
        """By file name, the rows of one folder of which versions are kept."""
        real = os.fsencode(self._real(os.fspath(folder)))
        return {os.path.basename(kept.path): kept for kept in self._kept("WHERE folder = ?", real)}  # noqa: PTH119

    def rows(self) -> list[Kept]:
        """Every row of which versions are kept, in order of their paths."""
        return self._kept("")

    def named(self, path: StrPath, transcript: str) -> int | None:
        """When a version of a row that names `transcript` was first kept (epoch ms); None: none is."""
        folder, name = self._place(path)
        with explained(self.path):
            [first] = self._connection.execute(
                "SELECT min(taken_at) FROM version JOIN row ON row.id = version.row"
                " WHERE row.folder = ? AND row.name = ? AND transcript = ?",
                (folder, name, transcript),
            ).fetchone()
        return None if first is None else int(first)

    # Within

    def _signatures(self) -> dict[tuple[bytes, bytes], str | None]:
        with explained(self.path):
            found = self._connection.execute("SELECT folder, name, signature FROM row").fetchall()
        return {(folder, name): signature for folder, name, signature in found}

    def _kept(self, condition: str, *values: bytes) -> list[Kept]:
        with explained(self.path):
            counts = self._connection.execute(
                "SELECT max(version.id), count(*), deleted FROM row JOIN version ON version.row = row.id"
                f" {condition} GROUP BY row.id ORDER BY folder, name",
                values,
            ).fetchall()
        where = (
            f"version.id IN (SELECT max(version.id) FROM version JOIN row ON version.row = row.id {condition}"
        )
        newest = {version.id: version for version in self._select(f"{where} GROUP BY row.id)", *values)}
        return [
            Kept(version.path, version.session_id, count, version, bool(deleted))
            for number, count, deleted in counts
            if (version := newest.get(number)) is not None
        ]

    def _select(self, condition: str, *values: bytes) -> Iterator[Version]:
        with explained(self.path):
            found = self._connection.execute(
                "SELECT row.folder, row.name, taken_at, modified_ns, size, sha256, transcript, version.id"
                f" FROM version JOIN row ON row.id = version.row WHERE {condition}",
                values,
            ).fetchall()
        for folder, name, taken_at, modified_ns, size, digest, transcript, number in found:
            path = os.path.join(os.fsdecode(folder), os.fsdecode(name))  # noqa: PTH118 - there are thousands
            yield Version(
                path, _session(name), taken_at, modified_ns, size, digest.hex(), transcript, number, self
            )

    def _content(self, version: Version) -> bytes:
        with explained(self.path):
            parts = self._connection.execute(
                "SELECT blob.size, data FROM piece JOIN blob ON blob.id = piece.blob"
                " WHERE version = ? ORDER BY place",
                (version.id,),
            ).fetchall()
        try:
            data = b"".join(_unpacked(packed, min(size, MAX_ROW_SIZE)) for size, packed in parts)
        except zlib.error as error:
            raise SnapshotError(f"{self.path}: a snapshot of {version.path} is damaged ({error})") from error
        if hashlib.sha256(data).hexdigest() != version.sha256:
            gone = "" if parts else ": it is not kept any more"
            raise SnapshotError(f"{self.path}: a snapshot of {version.path} is damaged{gone}")
        return data

    def _write(self, batch: list[_Fresh], now: int, taken: Taken) -> None:
        if not batch:
            return
        keep = self.limit()
        with explained(self.path), transaction(self._connection):
            for fresh in batch:
                if self._insert(fresh, now, keep):
                    taken.kept.append(fresh.path)
                else:
                    taken.unchanged += 1

    def _insert(self, fresh: _Fresh, now: int, keep: int) -> bool:
        execute = self._connection.execute
        folder, name = self._place(fresh.path)
        execute("INSERT OR IGNORE INTO row (folder, name) VALUES (?, ?)", (folder, name))
        [row] = execute("SELECT id FROM row WHERE folder = ? AND name = ?", (folder, name)).fetchone()
        execute("UPDATE row SET signature = ?, deleted = 0 WHERE id = ?", (fresh.signature, row))
        newest = execute(
            "SELECT sha256 FROM version WHERE row = ? ORDER BY id DESC LIMIT 1", (row,)
        ).fetchone()
        digest = hashlib.sha256(fresh.data).digest()
        if newest is not None and newest[0] == digest:
            return False
        stated = readable(fresh.data).get("cliSessionId")
        transcript = stated.lower().encode("utf-8", "replace").decode() if isinstance(stated, str) else None
        version = execute(
            "INSERT INTO version (row, taken_at, modified_ns, size, sha256, transcript) VALUES (?,?,?,?,?,?)",
            (row, now, fresh.modified_ns, len(fresh.data), digest, transcript),
        ).lastrowid
        for number, part in enumerate(pieces(fresh.data)):
            execute("INSERT INTO piece VALUES (?, ?, ?)", (version, number, self._blob(part)))
        self._prune(row, keep)
        return True

    def _blob(self, part: bytes) -> int:
        digest = hashlib.sha256(part).digest()
        found = self._connection.execute("SELECT id FROM blob WHERE sha256 = ?", (digest,)).fetchone()
        if found is None:
            found = self._connection.execute(
                "INSERT INTO blob (sha256, size, data) VALUES (?, ?, ?) RETURNING id",
                (digest, len(part), zlib.compress(part)),
            ).fetchone()
        return int(found[0])

    def _prune(self, row: int, keep: int) -> None:
        """Drops the oldest versions of a row, and the pieces that nothing else is made of."""
        execute = self._connection.execute
        old = execute("SELECT id FROM version WHERE row = ? ORDER BY id DESC LIMIT -1 OFFSET ?", (row, keep))
        for (version,) in old.fetchall():
            blobs = execute("SELECT blob FROM piece WHERE version = ?", (version,)).fetchall()
            execute("DELETE FROM version WHERE id = ?", (version,))
            self._connection.executemany(
                "DELETE FROM blob WHERE id = ? AND NOT EXISTS (SELECT 1 FROM piece WHERE blob = blob.id)",
                blobs,
            )

    def _place(self, path: StrPath) -> tuple[bytes, bytes]:
        folder, name = os.path.split(os.fspath(path))
        return os.fsencode(self._real(folder)), os.fsencode(name)

    def _real(self, folder: str) -> str:
        """The physical folder: a row is the same, whatever links lead to it."""
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = os.path.realpath(folder)
        return known


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A healthy row that may be a new version."""

    path: str
    data: bytes
    modified_ns: int
    signature: str | None


def _look(path: str, known: str | None, taken: Taken) -> _Fresh | None:
    """The row if it has changed and is healthy; else what it is goes into `taken`."""
    try:
        status = os.lstat(path)
        if known is not None and _signature(status) == known:
            taken.unchanged += 1
            return None
        if not stat.S_ISREG(status.st_mode):
            taken.passed_over.append((path, "it is no file"))
            return None
        if status.st_size > MAX_ROW_SIZE:
            taken.passed_over.append((path, "it is larger than the app reads"))
            return None
        status = _settled(path, status)
        data, before = read_file(path, MAX_ROW_SIZE)
        if not (_signature(status) == _signature(before) == _signature(os.lstat(path))):
            taken.passed_over.append((path, "it is being written"))
            return None
    except OSError as error:
        taken.passed_over.append((path, error.strerror or str(error)))
        return None
    account = Path(path).parents[1:3]
    agent_mode = REGISTRIES.get(account[-1].name, False) if account else False
    state, _, _ = verdict(data, Path(path).name.removesuffix(".json"), agent_mode)
    if state != "ok":
        taken.passed_over.append((path, state))
        return None
    return _Fresh(path, data, status.st_mtime_ns, None if _ambiguous(status) else _signature(status))


def _signature(status: os.stat_result) -> str:
    """What is the same as long as a file has not changed."""
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return ":".join(map(str, parts))


def _settled(path: str, status: os.stat_result) -> os.stat_result:
    """What the file is, when its clock has ticked since it was last written: what comes after shows."""
    age = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
    if 0 <= age < _TICK_NS:
        time.sleep((_TICK_NS - age) / 1e9)
        return os.lstat(path)
    return status


def _ambiguous(status: os.stat_result) -> bool:
    """Whether the file may be written again without a sign, on a file system whose clock ticks slowly."""
    slow = status.st_mtime_ns % _FAT_NS == 0
    return slow and 0 <= time.time_ns() - status.st_mtime_ns < 2 * _FAT_NS


def _session(name: bytes) -> str:
    return os.fsdecode(name).removesuffix(".json")


def _unpacked(packed: bytes, size: int) -> bytes:
    """No more than `size` bytes, whatever the file says."""
    return zlib.decompressobj().decompress(packed, size) if size else b""
