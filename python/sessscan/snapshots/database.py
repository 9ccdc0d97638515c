"""The SQLite file of the snapshots: made so that only its owner can read it, and moved aside if damaged.

What stands in it is the content of rows, which may hold grants and connector settings. A file that this
sessscan cannot use is never changed or deleted: one that is damaged gets another name, and a new one is
begun; one that a newer sessscan has written is left alone.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import DamagedSnapshotsError, SnapshotError
from ..state import home as usual_home

FILE = "snapshots.db"
VERSION = 1
"""Of the tables below, as `user_version` in the file."""
APPLICATION = 0x53534E50
"""`application_id`: tells the file from any other program's."""
PATIENCE = 20.0
"""Seconds to wait while another process writes."""

_PRIVATE = 0o600
_TABLES = """
CREATE TABLE row (
    id INTEGER PRIMARY KEY,
    folder BLOB NOT NULL,
    name BLOB NOT NULL,
    signature TEXT,
    deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (folder, name)
);
CREATE TABLE version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    row INTEGER NOT NULL REFERENCES row,
    taken_at INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    transcript TEXT,
    title TEXT
);
CREATE INDEX version_of_row ON version (row, id);
CREATE INDEX version_of_transcript ON version (transcript);
CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE piece (
    version INTEGER NOT NULL REFERENCES version ON DELETE CASCADE,
    place INTEGER NOT NULL,
    blob INTEGER NOT NULL REFERENCES blob,
    PRIMARY KEY (version, place)
) WITHOUT ROWID;
CREATE INDEX piece_of_blob ON piece (blob);
CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


def place(home: Path | None, *, make: bool = True) -> Path:
    """The database of the state folder `home`, or of the usual one, which is made (mode 0700) if need be."""
    if home is None:
        home = usual_home()
    if make:
        with explained(home):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home / FILE


def connect(path: Path) -> sqlite3.Connection:
    """Opens the database, and makes it where there is none.

    Raises `DamagedSnapshotsError`, and `SnapshotError` where it cannot be opened or is of a newer sessscan.
    """
    with explained(path):
        _private(path)
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    if _known(connection, path):
        return
    connection.execute("PRAGMA journal_mode=WAL")
    with transaction(connection):
        if not _known(connection, path):  # another process may have been quicker
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={VERSION}")


def _known(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there; `False` for a file in which there is nothing yet."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    [application] = connection.execute("PRAGMA application_id").fetchone()
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not names and not version and not application:
        return False
    if application != APPLICATION:
        raise DamagedSnapshotsError(f"{path} is not a store of snapshots")
    if version > VERSION:
        raise SnapshotError(
            f"{path} was written by a newer sessscan (its tables are of version {version}, this one reads "
            f"{VERSION}): update sessscan, or choose another state folder with SESSSCAN_HOME"
        )
    if not {"row", "version", "blob", "piece", "setting"} <= names:
        raise DamagedSnapshotsError(f"{path} is damaged: some of its tables are gone")
    return True


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, one process at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # after some errors SQLite has rolled back itself
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the system as a `SnapshotError` that names the file and says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedSnapshotsError(f"{path} is damaged ({error})") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise SnapshotError(f"{path}: another sessscan is writing: try again later") from error
        raise SnapshotError(f"{path}: {error}") from error
    except OSError as error:
        raise SnapshotError(f"{error.filename or path}: {error.strerror or error}") from error


def move_aside(path: Path, opened: os.stat_result | None) -> Path | None:
    """Gives a damaged database another name, and what SQLite keeps beside it; returns the new name.

    None where the file is not the one that was opened: another process has done it already.
    """
    with explained(path):
        now = identity(path)
        if now is None or opened is None or (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino):
            return None
        aside, number = path.with_name(f"{path.name}.damaged"), 0
        while os.path.lexists(aside):
            number += 1
            aside = path.with_name(f"{path.name}.damaged.{number}")
        path.rename(aside)
        for ending in ("-wal", "-shm"):
            beside = Path(f"{path}{ending}")
            with contextlib.suppress(FileNotFoundError):
                beside.rename(f"{aside}{ending}")
    return aside


def identity(path: Path) -> os.stat_result | None:
    """What stands under a name, links not followed; None for nothing."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _private(path: Path) -> None:
    """Makes the file if it is not there; mode 0600, and so the files beside it, whose mode SQLite takes from
    it.

    An existing one is not opened here: to close it would drop the locks this process has on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE))
    except FileExistsError:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(0, "not a regular file", str(path)) from None
    if os.name == "posix":
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                name = f"{path}{ending}"
                if stat.S_IMODE(os.lstat(name).st_mode) & 0o077:
                    os.chmod(name, _PRIVATE)  # noqa: PTH101 - a str is at hand
