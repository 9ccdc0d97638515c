"""Define the SQLite file of the snapshots: the content of rows, with their grants and connector settings."""

from __future__ import annotations

from pathlib import Path

from ..private_database import Layout, reporting_errors
from ..state import home as usual_home
from ..state import make_private

FILE = "snapshots.db"
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
LAYOUT = Layout(0x53534E50, 1, _TABLES, frozenset({"row", "version", "blob", "piece", "setting"}))


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
