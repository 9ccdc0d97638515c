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
_USELESS = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH)
"""What the system says of a file that is damaged, or has other tables."""

Merge = Callable[[int, bytes, bytes], tuple[bytes, bytes]]


class Cache:
    """The shards of an index: what there is of them."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._connection: sqlite3.Connection | None = None
        with contextlib.suppress(OSError, sqlite3.Error):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._open()
            except sqlite3.Error as error:
                self._give_up(error)
                if not _is_useless(error):
                    raise
                self._open()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def read(
        self, column: Literal["entries", "states"], shards: Iterable[int]
    ) -> Iterator[tuple[int, bytes]]:
        """What there is of these shards."""
        if self._connection is None:
            return
        select = f"SELECT {column} FROM shard WHERE id = ?"
        try:
            self._connection.execute("BEGIN")  # one look at the lock for all of them
            for shard in shards:
                row = self._connection.execute(select, (shard,)).fetchone()
                if row is not None and isinstance(row[0], bytes):
                    yield shard, row[0]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(error)

    def write(self, shards: list[int], merge: Merge) -> None:
        """Writes these shards, all or none. `merge` makes them of what they are by then."""
        if self._connection is None or not shards:
            return
        connection = self._connection
        try:
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
        except sqlite3.Error as error:
            self._give_up(error)

    def _open(self) -> None:
        _private(self._path)
        self._connection = connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        # A power cut may cost the index, as the shards' digests tell; to wait for the disk costs more.
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        if self._version() == VERSION:
            return
        connection.execute("PRAGMA page_size = 16384")
        connection.execute("BEGIN IMMEDIATE")
        if self._version() == VERSION:  # another process was quicker
            connection.execute("ROLLBACK")
            return
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")

    def _version(self) -> int:
        connection = self._connection
        assert connection is not None
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError("of another version")
        return version

    def _give_up(self, error: sqlite3.Error) -> None:
        """Goes on without the file, and removes it if it is of no use to anybody."""
        self._close()
        if _is_useless(error):
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _is_useless(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return (code & 0xFF) in _USELESS


def _private(path: Path) -> None:
    """Makes the file, for its owner only, where there is none. Raises OSError where it is no file."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
    finally:
        os.close(descriptor)
