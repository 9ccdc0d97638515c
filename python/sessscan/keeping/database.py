"""Define the SQLite files that hold transcripts, `transcripts/<digit>.db` in sessscan's own state.

There are sixteen, by the first digit of the session's id, so that one that is damaged takes a sixteenth of
the sessions along, not all. Deleted content is overwritten, for `forget`.

A content is what one transcript held while it only grew. Its parts join to it, and each of its versions is a
beginning of it: so a transcript that grew costs its new pieces and one row. A transcript that was rewritten
begins another content, which shares the pieces that are the same.
"""

from __future__ import annotations

from pathlib import Path

from ..private_database import Layout, reporting_errors
from ..state import home as usual_home
from ..state import make_private

FOLDER = "transcripts"
DIGITS = "0123456789abcdef"

_TABLES = """
CREATE TABLE transcript (
    id INTEGER PRIMARY KEY,
    folder BLOB NOT NULL,
    name BLOB NOT NULL,
    signature TEXT,
    UNIQUE (folder, name)
);
CREATE TABLE content (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transcript INTEGER NOT NULL REFERENCES transcript ON DELETE CASCADE
);
CREATE INDEX content_of_transcript ON content (transcript, id);
CREATE TABLE piece (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE part (
    content INTEGER NOT NULL REFERENCES content ON DELETE CASCADE,
    begin INTEGER NOT NULL,
    piece INTEGER NOT NULL REFERENCES piece,
    PRIMARY KEY (content, begin)
) WITHOUT ROWID;
CREATE INDEX part_of_piece ON part (piece);
CREATE TABLE version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content INTEGER NOT NULL REFERENCES content ON DELETE CASCADE,
    size INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    passing INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX version_of_content ON version (content, id);
CREATE INDEX passing_version ON version (content, id) WHERE passing
"""
_TO_2 = """
ALTER TABLE version ADD COLUMN passing INTEGER NOT NULL DEFAULT 0;
CREATE INDEX passing_version ON version (content, id) WHERE passing
"""
LAYOUT = Layout(
    0x5353544B,
    2,
    _TABLES,
    frozenset({"transcript", "content", "piece", "part", "version"}),
    # Pages of 16 KiB hold pieces with a third of the overhead that pages of 4 KiB have.
    before=("page_size=16384", "auto_vacuum=INCREMENTAL"),
    # In WAL mode only FULL keeps what was committed through a power cut.
    each_time=("synchronous=FULL", "secure_delete=ON"),
    upgrades={1: _TO_2},
)


def folder(home: Path | None = None, *, make: bool = False) -> Path:
    """Return the folder of the files in the state folder `home`, by default the usual one.

    With `make` it is created, with mode 0700, if it does not exist. Raises `SnapshotError` if it cannot be.
    """
    place = (usual_home() if home is None else home) / FOLDER
    if make:
        with reporting_errors(place):
            make_private(place)
    return place


def digit_of(name: str) -> str:
    """Return which of the files a transcript of this name belongs to."""
    return name[:1].lower()
