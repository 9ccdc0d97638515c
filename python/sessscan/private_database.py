"""Open SQLite files of sessscan's own, readable by their owner alone, and rename those that are damaged.

A file that this sessscan cannot use is not changed or deleted: a damaged one is renamed, so that an empty one
can take its place, and one that a newer sessscan has written is left alone.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import DamagedSnapshotsError, SnapshotError
from .state import check

BUSY_TIMEOUT = 20.0
"""Seconds to wait while another process writes."""

_PRIVATE_MODE = 0o600


@dataclass(frozen=True)
class Layout:
    """What a kind of file holds."""

    application_id: int
    """Kept in the file, which tells it from other programs' databases."""
    version: int
    """The version of the tables, kept in the file as `user_version`."""
    tables: str
    """The statements that make them."""
    names: frozenset[str]
    """Tables without which a file is damaged."""
    before: tuple[str, ...] = ()
    """Pragmas for a file that is still empty."""
    each_time: tuple[str, ...] = ()
    """Pragmas for every connection."""
    upgrades: Mapping[int, str] = field(default_factory=dict)
    """For each older version the statements that make the tables of the next one of it."""


def connect(path: Path, layout: Layout) -> sqlite3.Connection:
    """Open the database, and create it if it does not exist.

    Raises `DamagedSnapshotsError`, or another `SnapshotError` where it cannot be opened, is another program's
    or was written by a newer sessscan, and `InsecureStateError` where others may have written it.
    """
    check(path.parent, *(Path(f"{path}{ending}") for ending in ("", "-wal", "-shm")))
    with reporting_errors(path):
        _create_private(path)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            _initialize(connection, path, layout)
        except BaseException:
            connection.close()
            raise
    return connection


def _initialize(connection: sqlite3.Connection, path: Path, layout: Layout) -> None:
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "foreign_keys=ON", *layout.each_time):
        connection.execute(f"PRAGMA {pragma}")
    if _has_tables(connection, path, layout):
        _upgrade(connection, layout)
        return
    for pragma in layout.before:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA journal_mode=WAL")
    with transaction(connection):
        if not _has_tables(connection, path, layout):  # another process may have created them meanwhile
            for statement in layout.tables.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={layout.application_id}")
            connection.execute(f"PRAGMA user_version={layout.version}")


def _upgrade(connection: sqlite3.Connection, layout: Layout) -> None:
    """Make the tables of an older version those of this one, all at once or not at all."""
    if _version(connection) == layout.version:
        return
    with transaction(connection):
        for version in range(_version(connection), layout.version):  # 0 of them if another process was first
            for statement in layout.upgrades[version].split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={layout.version}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _has_tables(connection: sqlite3.Connection, path: Path, layout: Layout) -> bool:
    """Return whether the tables exist; False for a file that is still empty.

    Raises `DamagedSnapshotsError` for a file with other content, `SnapshotError` for one of a newer sessscan.
    """
    [version] = connection.execute("PRAGMA user_version").fetchone()
    [application] = connection.execute("PRAGMA application_id").fetchone()
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not names and not version and not application:
        return False
    if application != layout.application_id:
        raise SnapshotError(
            f"{path} is a database of another program, and is left alone: move it, or choose another state "
            "folder with SESSSCAN_HOME"
        )
    if version > layout.version:
        raise SnapshotError(
            f"{path} was written by a newer sessscan (its tables have version {version}, this one reads "
            f"{layout.version}): update sessscan, or choose another state folder with SESSSCAN_HOME"
        )
    if not layout.names <= names:
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
        raise as_snapshot_error(path, error) from error
    except OSError as error:
        raise SnapshotError(f"{error.filename or path}: {error.strerror or error}") from error


def as_snapshot_error(path: Path, error: sqlite3.Error) -> SnapshotError:
    """Return the error that says what SQLite found wrong with a file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedSnapshotsError(f"{path} is damaged ({error})")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SnapshotError(f"{path}: another sessscan is writing: try again later")
    return SnapshotError(f"{path}: {error}")


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
