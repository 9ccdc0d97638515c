"""Read and write the file of the index: an SQLite database, readable by its owner only, that may be lost.

Nothing that is wrong with the file is an error: what cannot be read is not known, what cannot be written is
not kept, and a file that is damaged or an index of another version is replaced by a new one. Another
program's database is left alone, and told.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from ..state import check, make_private

FILE = "index.db"
APPLICATION_ID = 0x53534958
"""Kept in the file as `application_id`, which tells it from other programs' databases."""
VERSION = 1
"""The version of the table, stored as `user_version` in the file. The blobs have a version of their own."""
TIMEOUT = 5.0
"""How long to wait for another process, in seconds."""

_TABLE = "CREATE TABLE shard (id INTEGER PRIMARY KEY, entries BLOB NOT NULL, states BLOB NOT NULL)"
_CHECKS = """CREATE TABLE IF NOT EXISTS conversation
    (path BLOB PRIMARY KEY, stamp TEXT NOT NULL, found TEXT NOT NULL) WITHOUT ROWID"""
MOST_CHECKS = 1_000_000
"""The conversations of transcripts that are gone stay in the file until there are this many; then it begins
anew."""
_FILE_MAY_BE_WHOLE = (
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH),
)
"""SQLite's errors for a file that may be whole. Any other means that it is damaged, or has other tables."""

Merge = Callable[[int, bytes, bytes], tuple[bytes, bytes]]


class Cache:
    """The shards of an index, as far as the file has them."""

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
        """Yield the shards that are in the file, each with its entries or its states."""
        shards = list(shards)
        if not (shards and self._path.exists()):
            return
        select = f"SELECT {column} FROM shard WHERE id = ?"
        try:
            connection = self._opened()
            connection.execute("BEGIN")  # one transaction, so that the lock is taken once for all shards
            for shard in shards:
                row = connection.execute(select, (shard,)).fetchone()
                if row is not None and isinstance(row[0], bytes):
                    yield shard, row[0]
            connection.execute("COMMIT")
        except _ERRORS as error:
            self._give_up(error)

    def write(self, shards: list[int], merge: Merge) -> None:
        """Write shards, all or none. `merge` makes their new content from what they hold at that time."""
        if not (shards and self._usable):
            return
        try:
            make_private(self._home)
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

    def read_checks(self, paths: Iterable[str]) -> Iterator[tuple[str, str, str]]:
        """Yield what the file has of these transcripts' conversations: path, stamp and what was found."""
        wanted = list(paths)
        if not (wanted and self._path.exists()):
            return
        try:
            connection = self._opened()
            connection.execute("BEGIN")
            connection.execute(_CHECKS)
            for path in wanted:
                row = connection.execute(
                    "SELECT stamp, found FROM conversation WHERE path = ?", (os.fsencode(path),)
                ).fetchone()
                if row is not None and all(isinstance(value, bytes) for value in row):
                    yield path, row[0].decode(), row[1].decode()
            connection.execute("COMMIT")
        except _ERRORS as error:
            self._give_up(error)

    def write_checks(self, checks: Sequence[tuple[str, str, str]]) -> None:
        """Write what was found of transcripts' conversations, all or nothing."""
        if not (checks and self._usable):
            return
        try:
            make_private(self._home)
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_CHECKS)
            [count] = connection.execute("SELECT count(*) FROM conversation").fetchone()
            if count + len(checks) > MOST_CHECKS:
                connection.execute("DELETE FROM conversation")
            connection.executemany(
                "INSERT OR REPLACE INTO conversation VALUES (?, ?, ?)",
                [(os.fsencode(path), stamp, found) for path, stamp, found in checks],
            )
            connection.execute("COMMIT")
        except _ERRORS as error:
            self._give_up(error)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        check(self._home, *(Path(f"{self._path}{ending}") for ending in ("", "-journal", "-wal", "-shm")))
        _private(self._path)
        connection = sqlite3.connect(self._path, timeout=TIMEOUT, isolation_level=None)
        connection.text_factory = bytes  # in case a damaged file has text in the place of a blob
        self._connection = connection
        # A power cut may damage the index, which the shards' digests reveal. Syncing would cost more.
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        _refuse_foreign(connection)
        if _version(connection) != VERSION:
            connection.execute("PRAGMA page_size = 16384")
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) != VERSION:  # otherwise another process has made the table meanwhile
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        return connection

    def _give_up(self, error: Exception) -> None:
        """Go on without the file, or remove it if it is damaged, so that a new one is made."""
        self._close()
        self._usable = _is_damaged(error)
        if isinstance(error, _ForeignError):
            warnings.warn(
                f"{self._path} is another program's database, and left alone: all transcripts are read whole",
                RuntimeWarning,
                stacklevel=4,
            )
        if self._usable:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def discard(self) -> None:
        """Remove the file, so that nothing is known of any transcript. Raises OSError."""
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


class _ForeignError(Exception):
    """The file is a database of another program."""


def _refuse_foreign(connection: sqlite3.Connection) -> None:
    """Raise `_ForeignError` if another program has made the file.

    An index of version 0.1.0 has no application id, but the table and nothing else.
    """
    [application] = connection.execute("PRAGMA application_id").fetchone()
    names = {bytes(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if application not in (0, APPLICATION_ID) or (not application and not names <= {b"shard"}):
        raise _ForeignError


_ERRORS = (OSError, sqlite3.Error, UnicodeDecodeError, _ForeignError)
"""What SQLite may raise; `UnicodeDecodeError` if its own message quotes damaged bytes."""


def _version(connection: sqlite3.Connection) -> int:
    """Return the version of the table, or 0 for an empty file; raise `sqlite3.DatabaseError` for another."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError("the index is of another version")
    return version


def _is_damaged(error: Exception) -> bool:
    if isinstance(error, OSError | _ForeignError):
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code == sqlite3.SQLITE_IOERR_SHORT_READ or code & 0xFF not in _FILE_MAY_BE_WHOLE


def _private(path: Path) -> None:
    """Create the file, readable by its owner only, if it is missing. Raise `OSError` if it is not a file."""
    try:
        # An existing file is not opened here: closing it would release the lock of another thread.
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(f"{path} is not a regular file")
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
