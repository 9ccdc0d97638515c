"""Open the SQLite file of the snapshots, readable by its owner alone, and rename it if it is damaged.

It holds the content of rows, which may include grants and connector settings. A file that this sessscan
cannot use is not changed or deleted: a damaged one is renamed and replaced by an empty one, and one that a
newer sessscan has written is left alone.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import DamagedSnapshotsError, SnapshotError
from ..state import check, make_private
from ..state import home as usual_home

FILE = "snapshots.db"
SCHEMA_VERSION = 1
"""The version of the tables below, kept in the file as `user_version`."""
APPLICATION_ID = 0x53534E50
"""Kept in the file as `application_id`, which tells it from other programs' databases."""
BUSY_TIMEOUT = 20.0
"""Seconds to wait while another process writes."""

_PRIVATE_MODE = 0o600
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


def database_path(home: Path | None, *, make: bool = True) -> Path:
    """Return the path of the database in the state folder `home`, by default the usual one.

    With `make` the folder is created, with mode 0700, if it does not exist.
    """
    if home is None:
        home = usual_home()
    if make:
        with reporting_errors(home):
            make_private(home)
    return home / FILE


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, and create it if it does not exist.

    Raises `DamagedSnapshotsError`, or another `SnapshotError` where it cannot be opened, is another program's
    or was written by a newer sessscan, and `InsecureStateError` where others may have written it.
    """
    check(path.parent, *(Path(f"{path}{ending}") for ending in ("", "-wal", "-shm")))
    with reporting_errors(path):
        _create_private(path)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            _initialize(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _initialize(connection: sqlite3.Connection, path: Path) -> None:
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    if _has_tables(connection, path):
        return
    connection.execute("PRAGMA journal_mode=WAL")
    with transaction(connection):
        if not _has_tables(connection, path):  # another process may have created them meanwhile
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _has_tables(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the tables exist; False for a file that is still empty.

    Raises `DamagedSnapshotsError` for a file with other content, `SnapshotError` for one of a newer sessscan.
    """
    [version] = connection.execute("PRAGMA user_version").fetchone()
    [application] = connection.execute("PRAGMA application_id").fetchone()
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not names and not version and not application:
        return False
    if application != APPLICATION_ID:
        raise SnapshotError(
            f"{path} is a database of another program, and is left alone: move it, or choose another state "
            "folder with SESSSCAN_HOME"
        )
    if version > SCHEMA_VERSION:
        raise SnapshotError(
            f"{path} was written by a newer sessscan (its tables have version {version}, this one reads "
            f"{SCHEMA_VERSION}): update sessscan, or choose another state folder with SESSSCAN_HOME"
        )
    if not {"row", "version", "blob", "piece", "setting"} <= names:
        raise DamagedSnapshotsError(f"{path} is damaged: some of its tables are missing")
    return True


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one transaction: all of it is written or nothing, by one process at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # after some errors SQLite has rolled back itself
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def reporting_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the system into a `SnapshotError` that names the file."""
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
    """Rename a damaged database and the files SQLite keeps beside it; return the new name.

    `opened`: the status of the file that was found damaged. Returns None where another file has this name by
    now, since another process has renamed the damaged one already.
    """
    with reporting_errors(path):
        now = lstat_if_present(path)
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


def lstat_if_present(path: Path) -> os.stat_result | None:
    """Return the status of a file, links not followed; None where there is none."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _create_private(path: Path) -> None:
    """Create the file with mode 0600 if it does not exist; give an existing one that mode.

    SQLite gives the files beside it the same mode. An existing file is not opened here, since closing it
    would drop the locks that this process holds on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE))
    except FileExistsError:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(0, "not a regular file", str(path)) from None
    if os.name == "posix":
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                name = f"{path}{ending}"
                if stat.S_IMODE(os.lstat(name).st_mode) & 0o077:
                    os.chmod(name, _PRIVATE_MODE)  # noqa: PTH101 - a str is at hand
