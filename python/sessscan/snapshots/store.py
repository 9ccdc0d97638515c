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
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from ..errors import DamagedSnapshotsError, SnapshotError
from ..stores.json_members import split_large_members
from ..stores.rows import MAX_ROW_SIZE, bare_id, readable_members
from .capture import Fresh, Taken, look
from .database import connect, explained, identity, move_aside, place, transaction

__all__ = ["KEEP", "Kept", "Snapshots", "Taken", "Version"]

KEEP = 20
"""Versions of a row that are kept, where nothing else was asked for."""
_BATCH = 16 << 20
"""Bytes of rows that go into one transaction: others wait no longer than that takes."""
_SHOWN = 500
"""Characters of a title that are kept beside the row itself."""

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
    title: str | None
    """Its title; of a long one the beginning."""
    id: int
    """Larger for a newer one."""
    _snapshots: Snapshots = field(repr=False, compare=False)

    @property
    def database(self) -> Path:
        """The file that holds it."""
        return self._snapshots.path

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
        except DamagedSnapshotsError:
            aside = move_aside(path, before)
            connection = connect(path)
        opened = cls(path, connection)
        opened.aside = aside
        return opened

    @classmethod
    def existing(cls, home: Path | None = None) -> Snapshots | None:
        """The store as it is; None where there is none yet. Nothing is made or moved.

        Raises `SnapshotError` where it cannot be read, `DamagedSnapshotsError` among them.
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

    def renew(self) -> None:
        """Moves the database aside, which is damaged, and begins a new one."""
        self.close()
        self.aside = move_aside(self.path, self._opened) or self.aside
        self._connection = connect(self.path)
        self._opened = identity(self.path)

    @property
    def told_aside(self) -> str:
        """What became of a damaged database, in words for the user."""
        return f"{self.path} was damaged: it is kept as {self.aside}, and a new one is begun"

    # What goes in

    def take(self, rows: Iterable[StrPath], *, progress: Callable[[int, int], object] | None = None) -> Taken:
        """Keeps each healthy row of `rows` that has changed since its newest version.

        A row that is not healthy is passed over: its older versions stay. `progress` is called with the rows
        that are done and that there are.

        A database that turns out to be damaged is moved aside, and a new one begun.
        """
        listed = list(rows)
        try:
            return self._take(listed, progress)
        except DamagedSnapshotsError:
            self.renew()
            return self._take(listed, progress)

    def _take(self, listed: list[StrPath], progress: Callable[[int, int], object] | None) -> Taken:
        taken = Taken()
        now = time.time_ns() // 1_000_000
        known = self._signatures()
        batch: list[Fresh] = []
        amount = 0
        for count, path in enumerate(listed, 1):
            folder, name = self._place(path)
            fresh = look(os.fspath(path), known.get((folder, name)), taken)
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
        taken, now = Taken(), time.time_ns() // 1_000_000
        fresh = [Fresh(os.fspath(path), data, modified_ns, None)]
        try:
            self._write(fresh, now, taken)
        except DamagedSnapshotsError:
            self.renew()
            self._write(fresh, now, taken)
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

    def forget(self, path: StrPath) -> None:
        """The user's word that a row was removed on purpose: it is not missing. Its versions stay."""
        folder, name = self._place(path)
        with explained(self.path):
            self._connection.execute(
                "UPDATE row SET deleted = 1 WHERE folder = ? AND name = ?", (folder, name)
            )

    # What comes out

    def versions(self, path: StrPath) -> list[Version]:
        """The versions of a row, newest first; none where nothing is kept of it."""
        folder, name = self._place(path)
        return list(self._select("row.folder = ? AND row.name = ? ORDER BY version.id DESC", folder, name))

    def names(self, folder: StrPath) -> dict[str, bool]:
        """The rows of one folder of which versions are kept, by file name, and whether the session of each
        was seen to be deleted."""
        real = os.fsencode(self._real(os.fspath(folder)))
        with explained(self.path):
            found = self._connection.execute("SELECT name, deleted FROM row WHERE folder = ?", (real,))
            return {os.fsdecode(name): bool(deleted) for name, deleted in found}

    def written(self, folder: StrPath) -> dict[str, int]:
        """When the rows of one folder were last written as they were kept, epoch ms, by file name."""
        real = os.fsencode(self._real(os.fspath(folder)))
        with explained(self.path):
            found = self._connection.execute(
                "SELECT name, modified_ns, max(version.id) FROM row JOIN version ON version.row = row.id"
                " WHERE folder = ? GROUP BY row.id",
                (real,),
            )
            return {os.fsdecode(name): modified // 1_000_000 for name, modified, _ in found}

    def folders(self) -> list[str]:
        """The physical folders of all rows of which versions are kept, and that were not deleted."""
        with explained(self.path):
            found = self._connection.execute("SELECT DISTINCT folder FROM row WHERE NOT deleted").fetchall()
        return sorted(os.fsdecode(folder) for (folder,) in found)

    def rows(self) -> list[Kept]:
        """Every row of which versions are kept, in order of their paths."""
        with explained(self.path):
            found = self._connection.execute(
                "SELECT max(version.id), count(*), deleted FROM row JOIN version ON version.row = row.id"
                " GROUP BY row.id ORDER BY folder, name"
            ).fetchall()
        newest = {
            version.id: version
            for version in self._select("version.id IN (SELECT max(id) FROM version GROUP BY row)")
        }
        return [
            Kept(version.path, version.session_id, count, version, bool(deleted))
            for number, count, deleted in found
            if (version := newest.get(number)) is not None
        ]

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

    def _select(self, condition: str, *values: bytes) -> Iterator[Version]:
        with explained(self.path):
            found = self._connection.execute(
                "SELECT row.folder, row.name, taken_at, modified_ns, size, sha256, transcript, title,"
                " version.id"
                f" FROM version JOIN row ON row.id = version.row WHERE {condition}",
                values,
            ).fetchall()
        for folder, name, taken_at, modified_ns, size, digest, transcript, title, number in found:
            path = os.path.join(os.fsdecode(folder), os.fsdecode(name))  # noqa: PTH118 - there are thousands
            yield Version(
                path,
                _session(name),
                taken_at,
                modified_ns,
                size,
                digest.hex(),
                transcript,
                title,
                number,
                self,
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

    def _write(self, batch: list[Fresh], now: int, taken: Taken) -> None:
        if not batch:
            return
        keep = self.limit()
        with explained(self.path), transaction(self._connection):
            for fresh in batch:
                if self._insert(fresh, now, keep):
                    taken.kept.append(fresh.path)
                else:
                    taken.unchanged += 1

    def _insert(self, fresh: Fresh, now: int, keep: int) -> bool:
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
        fields = readable_members(fresh.data)
        transcript, title = _text(fields.get("cliSessionId")), _text(fields.get("title"))
        version = execute(
            "INSERT INTO version (row, taken_at, modified_ns, size, sha256, transcript, title)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row, now, fresh.modified_ns, len(fresh.data), digest, transcript and transcript.lower(), title),
        ).lastrowid
        for number, part in enumerate(split_large_members(fresh.data)):
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


def _text(value: object) -> str | None:
    """The beginning of a text, as SQLite takes it: no half surrogate pairs."""
    return value[:_SHOWN].encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _session(name: bytes) -> str:
    return os.fsdecode(name).removesuffix(".json")


def _unpacked(packed: bytes, size: int) -> bytes:
    """No more than `size` bytes, whatever the file says."""
    return zlib.decompressobj().decompress(packed, size) if size else b""
