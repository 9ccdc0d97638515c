"""Keep the bytes of healthy rows, so that a lost row can be put back byte for byte.

Snapshots lie in one SQLite database in sessscan's own state folder. Large members of a row, such as connector
settings, are stored as pieces of their own, which versions and rows share; so a changed row costs only what
is new of it. Of each row the newest versions are kept, up to a limit, and at least one. Several processes may
read and write the database at once.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..errors import DamagedSnapshotsError, SnapshotError
from ..private_database import connect, lstat_if_present, move_aside, reporting_errors, transaction
from ..stores.json_members import split_large_members
from ..stores.locate import StrPath, real_path
from ..stores.rows import MAX_ROW_SIZE, bare_id, readable_members
from .database import LAYOUT, database_path

DEFAULT_LIMIT = 20
"""How many versions of a row are kept unless another limit was set."""
_TITLE_LENGTH = 500
"""Characters of a title that are kept beside the row's bytes, to be listed."""


@dataclass(frozen=True, slots=True)
class RowVersion:
    """One state of a row, kept when the row was healthy."""

    path: str
    """The row's path, with all links in its folder resolved."""
    session_id: str
    """The file's stem, `local_<uuid>`."""
    taken_at: int
    """When this version was kept, epoch ms."""
    modified_ns: int
    """The file's mtime at that moment, epoch ns."""
    size: int
    """Bytes."""
    sha256: str
    cli_session_id: str | None
    """The uuid of the transcript the row names, in lower case."""
    title: str | None
    """The row's title; of a long one the first 500 characters."""
    id: int
    """The version's number in the database; newer versions have larger numbers."""
    database: Path
    """The database that holds the bytes."""

    @property
    def data(self) -> bytes:
        """Read the row's bytes. Raises `SnapshotError` where they are not kept any more, or damaged."""
        with Snapshots.at(self.database) as snapshots:
            return snapshots.content(self)


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row of which at least one version is kept."""

    path: str
    session_id: str
    versions: int
    """How many versions of it are kept."""
    newest: RowVersion
    deleted: bool
    """Whether its session was deleted in the app, or the user said that the file was removed on purpose."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A healthy row whose bytes may differ from the newest version that is kept."""

    path: str
    data: bytes
    modified_ns: int
    signature: str | None
    """A text that changes whenever the file does; None where the file's times are too coarse to tell."""


class Snapshots:
    """An open database of snapshots. A context manager; only the thread that opened it may use it.

    Every method raises `SnapshotError` where the database cannot be read or written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        """The database file."""
        self.damaged_copy: Path | None = None
        """Where the damaged database lies that this one replaced; None where none was replaced."""
        self._connection = connection
        self._opened = lstat_if_present(path)
        self._real_folders: dict[str, str] = {}

    @classmethod
    def open(cls, home: Path | None = None) -> Snapshots:
        """Open the database in the state folder `home`, by default the usual one; create it if need be.

        A damaged database is renamed to `damaged_copy`, and an empty one is created in its place. Raises
        `SnapshotError` where it cannot be opened, or was written by a newer sessscan.
        """
        path = database_path(home)
        damaged_copy = None
        before = lstat_if_present(path)
        try:
            connection = connect(path, LAYOUT)
        except DamagedSnapshotsError:
            damaged_copy = move_aside(path, before)
            connection = connect(path, LAYOUT)
        opened = cls(path, connection)
        opened.damaged_copy = damaged_copy
        return opened

    @classmethod
    def open_existing(cls, home: Path | None = None) -> Snapshots | None:
        """Open the database in the state folder `home` if there is one; create and rename nothing.

        Raises `SnapshotError` where it cannot be read; for a damaged one this is a `DamagedSnapshotsError`.
        """
        path = database_path(home, make=False)
        return None if lstat_if_present(path) is None else cls(path, connect(path, LAYOUT))

    @classmethod
    def at(cls, path: Path) -> Snapshots:
        """Open the existing database file `path`. Raises `SnapshotError` where there is none."""
        if lstat_if_present(path) is None:
            raise SnapshotError(f"{path}: there is no such file any more")
        return cls(path, connect(path, LAYOUT))

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
        """Close the database."""
        self._connection.close()

    def replace_damaged(self) -> None:
        """Rename the database, which turned out to be damaged, and go on with an empty one."""
        self.close()
        self.damaged_copy = move_aside(self.path, self._opened) or self.damaged_copy
        self._connection = connect(self.path, LAYOUT)
        self._opened = lstat_if_present(self.path)

    @property
    def damage_remark(self) -> str | None:
        """A sentence for the user about the damaged database; None where none was replaced."""
        if self.damaged_copy is None:
            return None
        return f"{self.path} was damaged: it was renamed to {self.damaged_copy}, and a new one was created"

    # Writing

    def write(self, rows: Iterable[ChangedRow]) -> list[str]:
        """Keep a new version of each row whose bytes differ from its newest version, in one transaction.

        Returns the paths of the rows that got a new version. Their oldest versions beyond the limit are
        dropped.
        """
        now = time.time_ns() // 1_000_000
        limit = self.limit
        with reporting_errors(self.path), transaction(self._connection):
            return [row.path for row in rows if self._insert(row, now, limit)]

    @property
    def limit(self) -> int:
        """How many versions of each row are kept at most; at least 1. Setting it applies from the next write
        of a row on."""
        with reporting_errors(self.path):
            found = self._connection.execute("SELECT value FROM setting WHERE name = 'keep'").fetchone()
        return DEFAULT_LIMIT if found is None else max(1, int(found[0]))

    @limit.setter
    def limit(self, versions: int) -> None:
        with reporting_errors(self.path):
            self._connection.execute("INSERT OR REPLACE INTO setting VALUES ('keep', ?)", (versions,))

    def mark_deleted(self, folder: StrPath, ids: Iterable[str]) -> None:
        """Remember that the user deleted these sessions of a folder: the app may remove its tombstones.

        `ids`: of sessions, without `local_`, or of their transcripts. The mark is removed when a row is seen
        healthy again.
        """
        wanted = set(ids)
        if not wanted:
            return
        real = os.fsencode(self._real_folder(os.fspath(folder)))
        with reporting_errors(self.path):
            due = [
                (number,)
                for number, name, transcript in self._connection.execute(
                    "SELECT row.id, row.name, (SELECT transcript FROM version WHERE row = row.id"
                    " ORDER BY id DESC LIMIT 1) FROM row WHERE folder = ? AND NOT deleted",
                    (real,),
                )
                if bare_id(_session_id(name)) in wanted or transcript in wanted
            ]
            if due:
                with transaction(self._connection):
                    self._connection.executemany("UPDATE row SET deleted = 1 WHERE id = ?", due)

    def mark_removed(self, path: StrPath) -> None:
        """Remember that the user removed a row's file on purpose, so that it is not reported as missing.

        Its versions stay. The mark is removed when the row is seen healthy again.
        """
        folder, name = self.key(path)
        with reporting_errors(self.path):
            self._connection.execute(
                "UPDATE row SET deleted = 1 WHERE folder = ? AND name = ?", (folder, name)
            )

    def forget(self, transcript: str) -> list[str]:
        """Remove every row of which a version named this transcript; return their paths.

        What was deleted, then or earlier, is not to be found in the file any more.
        """
        with reporting_errors(self.path):
            execute = self._connection.execute
            execute("PRAGMA secure_delete=ON")
            execute("PRAGMA temp_store=MEMORY")
            with transaction(self._connection):
                found = execute(
                    "SELECT DISTINCT row.id, folder, name FROM row JOIN version ON version.row = row.id"
                    " WHERE transcript = ?",
                    (transcript,),
                ).fetchall()
                for row, _, _ in found:
                    self._drop_oldest(row, 0)
                    execute("DELETE FROM row WHERE id = ?", (row,))
            execute("VACUUM")
            [busy, _, _] = execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise SnapshotError(f"{self.path}: another sessscan is reading: try again later")
        return [str(Path(os.fsdecode(folder), os.fsdecode(name))) for _, folder, name in found]

    # Reading

    def rows(self) -> list[KeptRow]:
        """Return every row of which versions are kept, in the order of their paths."""
        with reporting_errors(self.path):
            found = self._connection.execute(
                "SELECT max(version.id), count(*), deleted FROM row JOIN version ON version.row = row.id"
                " GROUP BY row.id ORDER BY folder, name"
            ).fetchall()
        newest = {
            version.id: version
            for version in self._select("version.id IN (SELECT max(id) FROM version GROUP BY row)")
        }
        return [
            KeptRow(version.path, version.session_id, count, version, bool(deleted))
            for number, count, deleted in found
            if (version := newest.get(number)) is not None
        ]

    def versions(self, path: StrPath) -> list[RowVersion]:
        """Return the versions of one row, newest first; an empty list where none is kept."""
        folder, name = self.key(path)
        return list(self._select("row.folder = ? AND row.name = ? ORDER BY version.id DESC", folder, name))

    def content(self, version: RowVersion) -> bytes:
        """Return the bytes of a version. Raises `SnapshotError` where their SHA-256 does not match."""
        with reporting_errors(self.path):
            parts = self._connection.execute(
                "SELECT blob.size, data FROM piece JOIN blob ON blob.id = piece.blob"
                " WHERE version = ? ORDER BY place",
                (version.id,),
            ).fetchall()
        try:
            data = b"".join(_decompress(packed, min(size, MAX_ROW_SIZE)) for size, packed in parts)
        except zlib.error as error:
            raise SnapshotError(f"{self.path}: a snapshot of {version.path} is damaged ({error})") from error
        if hashlib.sha256(data).hexdigest() != version.sha256:
            reason = "is damaged" if parts else "is not kept any more"
            raise SnapshotError(f"{self.path}: a snapshot of {version.path} {reason}")
        return data

    def deleted_by_name(self, folder: StrPath) -> dict[str, bool]:
        """Return the file names of the rows of a folder that were ever kept, each with its deletion mark."""
        real = os.fsencode(self._real_folder(os.fspath(folder)))
        with reporting_errors(self.path):
            found = self._connection.execute("SELECT name, deleted FROM row WHERE folder = ?", (real,))
            return {os.fsdecode(name): bool(deleted) for name, deleted in found}

    def mtimes(self, folder: StrPath) -> dict[str, int]:
        """Return the mtime (epoch ms) that each row of a folder had in its newest version, by file name."""
        real = os.fsencode(self._real_folder(os.fspath(folder)))
        with reporting_errors(self.path):
            found = self._connection.execute(
                "SELECT name, modified_ns, max(version.id) FROM row JOIN version ON version.row = row.id"
                " WHERE folder = ? GROUP BY row.id",
                (real,),
            )
            return {os.fsdecode(name): modified // 1_000_000 for name, modified, _ in found}

    def folders(self) -> list[str]:
        """Return the folders, with links resolved, of all kept rows that were not deleted."""
        with reporting_errors(self.path):
            found = self._connection.execute("SELECT DISTINCT folder FROM row WHERE NOT deleted").fetchall()
        return sorted(os.fsdecode(folder) for (folder,) in found)

    def first_named(self, path: StrPath, transcript: str) -> int | None:
        """Return when a version of a row that names `transcript` was first kept, epoch ms; None if never."""
        folder, name = self.key(path)
        with reporting_errors(self.path):
            [first] = self._connection.execute(
                "SELECT min(taken_at) FROM version JOIN row ON row.id = version.row"
                " WHERE row.folder = ? AND row.name = ? AND transcript = ?",
                (folder, name, transcript),
            ).fetchone()
        return None if first is None else int(first)

    def signatures(self) -> dict[tuple[bytes, bytes], str | None]:
        """Return the file signature that each row had when it was last seen healthy, by `key`."""
        with reporting_errors(self.path):
            found = self._connection.execute("SELECT folder, name, signature FROM row").fetchall()
        return {(folder, name): signature for folder, name, signature in found}

    def key(self, path: StrPath) -> tuple[bytes, bytes]:
        """Return a row's folder, with links resolved, and its file name: what identifies the row here."""
        folder, name = os.path.split(os.fspath(path))
        return os.fsencode(self._real_folder(folder)), os.fsencode(name)

    # Inside

    def _real_folder(self, folder: str) -> str:
        """Resolve the links in a folder's path, so that a row is the same whichever links lead to it."""
        known = self._real_folders.get(folder)
        if known is None:
            known = self._real_folders[folder] = real_path(folder)
        return known

    def _select(self, condition: str, *values: bytes) -> Iterator[RowVersion]:
        with reporting_errors(self.path):
            found = self._connection.execute(
                "SELECT row.folder, row.name, taken_at, modified_ns, size, sha256, transcript, title,"
                " version.id"
                f" FROM version JOIN row ON row.id = version.row WHERE {condition}",
                values,
            ).fetchall()
        for folder, name, taken_at, modified_ns, size, digest, transcript, title, number in found:
            texts, numbers = (folder, name, digest), (taken_at, modified_ns, size)
            # SQLite keeps any value in any column, so a file that was tampered with may hold others.
            if not (all(type(t) is bytes for t in texts) and all(type(n) is int for n in numbers)):
                raise DamagedSnapshotsError(f"{self.path} is damaged: version {number} has odd values")
            path = os.path.join(os.fsdecode(folder), os.fsdecode(name))  # noqa: PTH118 - there are thousands
            yield RowVersion(
                path,
                _session_id(name),
                taken_at,
                modified_ns,
                size,
                digest.hex(),
                transcript if isinstance(transcript, str) else None,
                _text(title),
                number,
                self.path,
            )

    def _insert(self, changed: ChangedRow, now: int, limit: int) -> bool:
        """Keep a new version of a row; return False where its newest version has the same bytes."""
        execute = self._connection.execute
        folder, name = self.key(changed.path)
        execute("INSERT OR IGNORE INTO row (folder, name) VALUES (?, ?)", (folder, name))
        [row] = execute("SELECT id FROM row WHERE folder = ? AND name = ?", (folder, name)).fetchone()
        execute("UPDATE row SET signature = ?, deleted = 0 WHERE id = ?", (changed.signature, row))
        newest = execute(
            "SELECT sha256 FROM version WHERE row = ? ORDER BY id DESC LIMIT 1", (row,)
        ).fetchone()
        digest = hashlib.sha256(changed.data).digest()
        if newest is not None and newest[0] == digest:
            return False
        fields = readable_members(changed.data)
        transcript, title = _text(fields.get("cliSessionId")), _text(fields.get("title"))
        version = execute(
            "INSERT INTO version (row, taken_at, modified_ns, size, sha256, transcript, title)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                row,
                now,
                changed.modified_ns,
                len(changed.data),
                digest,
                transcript and transcript.lower(),
                title,
            ),
        ).lastrowid
        for number, piece in enumerate(split_large_members(changed.data)):
            execute("INSERT INTO piece VALUES (?, ?, ?)", (version, number, self._blob_id(piece)))
        self._drop_oldest(row, limit)
        return True

    def _blob_id(self, piece: bytes) -> int:
        """Return the id of the blob that holds these bytes; store them if there is none."""
        digest = hashlib.sha256(piece).digest()
        found = self._connection.execute("SELECT id FROM blob WHERE sha256 = ?", (digest,)).fetchone()
        if found is None:
            found = self._connection.execute(
                "INSERT INTO blob (sha256, size, data) VALUES (?, ?, ?) RETURNING id",
                (digest, len(piece), zlib.compress(piece)),
            ).fetchone()
        return int(found[0])

    def _drop_oldest(self, row: int, limit: int) -> None:
        """Drop a row's oldest versions beyond `limit`, and the blobs that no other version uses."""
        execute = self._connection.execute
        old = execute("SELECT id FROM version WHERE row = ? ORDER BY id DESC LIMIT -1 OFFSET ?", (row, limit))
        for (version,) in old.fetchall():
            blobs = execute("SELECT blob FROM piece WHERE version = ?", (version,)).fetchall()
            execute("DELETE FROM version WHERE id = ?", (version,))
            self._connection.executemany(
                "DELETE FROM blob WHERE id = ? AND NOT EXISTS (SELECT 1 FROM piece WHERE blob = blob.id)",
                blobs,
            )


def _text(value: object) -> str | None:
    """Return the beginning of a text, with lone surrogates replaced, which SQLite does not take."""
    return value[:_TITLE_LENGTH].encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _session_id(name: bytes) -> str:
    return os.fsdecode(name).removesuffix(".json")


def _decompress(packed: bytes, size: int) -> bytes:
    """Decompress at most `size` bytes, so that a forged blob cannot fill the memory."""
    return zlib.decompressobj().decompress(packed, size) if size else b""
