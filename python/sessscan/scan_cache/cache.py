"""The file in which the index is kept: SQLite, for its owner only, and nothing that anybody would miss.

Whatever is wrong with it, there is no error: what cannot be read is not known, what cannot be written is not
kept, and a file that is no index of this version is replaced by a new one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

FILE = "index.db"
VERSION = 1
"""Of the table, as `user_version` in the file. What its blobs hold has a version of its own."""
PATIENCE = 5.0
"""Seconds to wait for another process."""

_TABLE = "CREATE TABLE shard (id INTEGER PRIMARY KEY, entries BLOB NOT NULL, states BLOB NOT NULL)"
_NOT_ITS_FAULT = (
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH),
)
"""What is said of a file that may be whole. Any other error tells that it is damaged, or has other tables."""

_ERRORS = (OSError, sqlite3.Error, UnicodeDecodeError)
"""What may come of it; the last where SQLite's own message quotes what is damaged."""

Merge = Callable[[int, bytes, bytes], tuple[bytes, bytes]]


class Cache:
    """The shards of an index: what there is of them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / FILE
        self._connection: sqlite3.Connection | None = None
        self._usable = True

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def read(
        self, column: Literal["entries", "states"], shards: Iterable[int]
    ) -> Iterator[tuple[int, bytes]]:
        """What there is of these shards."""
        shards = list(shards)
        if not (shards and self._path.exists()):
            return
        select = f"SELECT {column} FROM shard WHERE id = ?"
        try:
            connection = self._opened()
            connection.execute("BEGIN")  # one look at the lock for all of them
            for shard in shards:
                row = connection.execute(select, (shard,)).fetchone()
                if row is not None and isinstance(row[0], bytes):
                    yield shard, row[0]
            connection.execute("COMMIT")
        except _ERRORS as error:
            self._give_up(error)

    def write(self, shards: list[int], merge: Merge) -> None:
        """Writes these shards, all or none. `merge` makes them of what they are by then."""
        if not (shards and self._usable):
            return
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            for shard in shards:
                row = connection.execute(
                    "SELECT entries, states FROM shard WHERE id = ?", (shard,)
                ).fetchone()
                entries, states = row or (b"", b"")
                if not (isinstance(entries, bytes) and isinstance(states, bytes)):
                    entries, states = b"", b""
                connection.execute(
                    "INSERT OR REPLACE INTO shard VALUES (?, ?, ?)", (shard, *merge(shard, entries, states))
                )
            connection.execute("COMMIT")
        except _ERRORS as error:
            self._give_up(error)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        _private(self._path)
        connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        connection.text_factory = bytes  # whatever stands where a blob should
        self._connection = connection
        # A power cut may cost the index, as the shards' digests tell; to wait for the disk costs more.
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        if _version(connection) != VERSION:
            connection.execute("PRAGMA page_size = 16384")
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) != VERSION:  # else another process was quicker
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        return connection

    def _give_up(self, error: Exception) -> None:
        """Goes on without the file, and removes it if it is of no use to anybody."""
        self._close()
        self._usable = _is_damaged(error)  # for then there is a new one
        if self._usable:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _version(connection: sqlite3.Connection) -> int:
    """0 where there is nothing in the file."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError("of another version")
    return version


def _is_damaged(error: Exception) -> bool:
    if isinstance(error, OSError):
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code == sqlite3.SQLITE_IOERR_SHORT_READ or code & 0xFF not in _NOT_ITS_FAULT


def _private(path: Path) -> None:
    """Makes the file, for its owner only, where there is none. Raises OSError where it is no file."""
    try:
        # One that is there is not opened: to close it would take another thread's lock away.
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(f"{path} is not a regular file")
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
