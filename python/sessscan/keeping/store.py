"""Read and write one of the files that hold transcripts."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .. import _core
from ..errors import DamagedSnapshotsError, SnapshotError
from ..private_database import as_snapshot_error, connect, lstat_if_present, reporting_errors, transaction
from .database import LAYOUT
from .thin import Moment

Key = tuple[bytes, bytes]
"""A transcript's folder, with links resolved, and its file name."""


@dataclass(frozen=True, slots=True)
class TranscriptVersion:
    """What a transcript held at one time."""

    path: str
    """The transcript's path, with all links in its folder resolved."""
    session_id: str
    """Its uuid, in small letters."""
    taken_at: int
    """When this was kept, epoch ms."""
    modified_ns: int
    """The file's mtime at that moment, epoch ns."""
    size: int
    """Bytes."""
    content: int
    """Versions with the same number grew into each other; among those of one file."""
    id: int
    """Newer versions of a transcript have larger numbers."""
    database: Path
    """The file that holds the bytes."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, at most 1 MiB at a time.

        Raises `SnapshotError` where they are not kept any more, or damaged.
        """
        with KeptFile.at(self.database) as kept:
            yield from kept.pieces(self)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece in its place."""

    begin: int
    size: int
    sha256: bytes
    piece: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.begin + self.size


class KeptFile:
    """An open file of kept transcripts. A context manager; only the thread that opened it may use it.

    Every method raises `SnapshotError` where the file cannot be read or written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def at(cls, path: Path, *, make: bool = False) -> KeptFile:
        """Open a file; with `make` create it if there is none, else raise `SnapshotError`."""
        if not make and lstat_if_present(path) is None:
            raise SnapshotError(f"{path}: there is no such file any more")
        return cls(path, connect(path, LAYOUT))

    def __enter__(self) -> KeptFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        """Whether something was begun and is not on the disk yet."""
        return self._connection.in_transaction

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that is written in the block, or nothing."""
        with reporting_errors(self.path), transaction(self._connection):
            yield

    def begin(self) -> None:
        """Begin a transaction, unless there is one."""
        if not self._connection.in_transaction:
            with reporting_errors(self.path):
                self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Put what was written since `begin` on the disk."""
        if self._connection.in_transaction:
            with reporting_errors(self.path):
                self._connection.execute("COMMIT")

    # What there is

    def signatures(self) -> list[tuple[bytes, bytes, str | None]]:
        """Return the folder and the name of each transcript, and what tells whether it has changed since."""
        return self._all("SELECT folder, name, signature FROM transcript")

    def versions(self, key: Key | None = None) -> list[TranscriptVersion]:
        """Return the versions of one transcript, or of all, the newest of each first."""
        return self._versions("") if key is None else self._versions("WHERE folder = ? AND name = ?", *key)

    def _versions(self, condition: str, *values: bytes) -> list[TranscriptVersion]:
        found = self._all(
            "SELECT folder, name, taken_at, modified_ns, version.size, content.id, version.id FROM version"
            " JOIN content ON content.id = version.content JOIN transcript ON transcript.id = transcript"
            f" {condition} ORDER BY folder, name, version.id DESC",
            *values,
        )
        versions = []
        for folder, name, *numbers in found:
            # SQLite keeps any value in any column, so a file that was tampered with may hold others.
            if not (type(folder) is type(name) is bytes and all(type(n) is int for n in numbers)):
                raise DamagedSnapshotsError(f"{self.path} is damaged: a version has odd values")
            taken_at, modified_ns, size, content, number = numbers
            path = os.path.join(os.fsdecode(folder), os.fsdecode(name))  # noqa: PTH118 - there are thousands
            session = os.fsdecode(name).removesuffix(".jsonl").lower()
            versions.append(
                TranscriptVersion(path, session, taken_at, modified_ns, size, content, number, self.path)
            )
        return versions

    def ends(self) -> list[tuple[TranscriptVersion, TranscriptVersion | None]]:
        """Return of each transcript the newest version, and the last one of the content before that."""
        by_path: dict[str, list[TranscriptVersion]] = {}
        last = "WHERE version.id IN (SELECT max(id) FROM version GROUP BY content)"
        for version in self._versions(last):
            by_path.setdefault(version.path, []).append(version)
        return [(own[0], own[1] if len(own) > 1 else None) for own in by_path.values()]

    def stored(self) -> dict[Key, int]:
        """Return how many bytes the pieces of each transcript take; what it shares counts in each."""
        found = self._all(
            "SELECT folder, name, sum(length(data)) FROM transcript JOIN (SELECT DISTINCT transcript, piece"
            " FROM content JOIN part ON part.content = content.id) ON transcript = transcript.id"
            " JOIN piece ON piece.id = piece GROUP BY transcript.id"
        )
        return {(folder, name): stored for folder, name, stored in found}

    def used(self) -> int:
        """Return how many bytes of the file are in use."""
        [(pages,)], [(free,)], [(size,)] = (
            self._all(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def parts(self, content: int) -> list[Part]:
        """Return the parts of a content. Raises `DamagedSnapshotsError` where they do not join."""
        found = self._all(
            "SELECT begin, size, sha256, piece.id FROM part JOIN piece ON piece.id = piece"
            " WHERE content = ? ORDER BY begin",
            content,
        )
        parts = [Part(*row) for row in found]
        end = 0
        for part in parts:
            if part.begin != end or type(part.size) is not int or part.size < 1:
                raise DamagedSnapshotsError(f"{self.path} is damaged: pieces of a transcript are missing")
            end = part.end
        return parts

    def pieces(self, version: TranscriptVersion) -> Iterator[bytes]:
        """Yield the bytes of a version. Raises `SnapshotError` where a piece is missing or damaged."""
        left = version.size
        for part in self.parts(version.content):
            if left <= 0:
                break
            data = self.piece(part)[:left]
            left -= len(data)
            yield data
        if left:
            raise SnapshotError(f"{self.path}: {version.path} of {version.taken_at} is not kept any more")

    def piece(self, part: Part) -> bytes:
        """Return the bytes of a part."""
        found = self._all("SELECT data FROM piece WHERE id = ?", part.piece)
        try:
            return _core.unpack(found[0][0], part.size, part.sha256)
        except (ValueError, IndexError, TypeError) as error:
            raise DamagedSnapshotsError(f"{self.path} is damaged: piece {part.piece} ({error})") from error

    def problems(self) -> list[str]:
        """Read everything and return what is wrong, a sentence each."""
        found = [f"{self.path}: {text}" for (text,) in self._all("PRAGMA integrity_check") if text != "ok"]
        bad = set()
        for number, size, sha256 in self._all("SELECT id, size, sha256 FROM piece"):
            try:
                self.piece(Part(0, size, sha256, number))
            except SnapshotError:
                bad.add(number)
        lost: dict[str, int] = {}
        parts: dict[int, list[Part] | None] = {}
        for version in self.versions():
            if version.content not in parts:
                try:
                    parts[version.content] = self.parts(version.content)
                except SnapshotError:
                    parts[version.content] = None
            own = parts[version.content]
            whole = own is not None and (own[-1].end if own else 0) >= version.size
            if not whole or any(part.piece in bad for part in own or () if part.begin < version.size):
                lost[version.path] = lost.get(version.path, 0) + 1
        for path, count in lost.items():
            found.append(f"{self.path}: {count} of the versions of {path} cannot be read")
        return found

    # Writing, in a transaction

    def transcript(self, key: Key) -> int:
        """Return the number of a transcript, which is new if it was not known."""
        self._run("INSERT OR IGNORE INTO transcript (folder, name) VALUES (?, ?)", *key)
        [(number,)] = self._all("SELECT id FROM transcript WHERE folder = ? AND name = ?", *key)
        return int(number)

    def sign(self, transcript: int, signature: str | None) -> None:
        """Remember what tells that a transcript has not changed."""
        self._run("UPDATE transcript SET signature = ? WHERE id = ?", signature, transcript)

    def newest_content(self, transcript: int) -> int | None:
        """Return the content of a transcript that was begun last, whether it has a version yet or not."""
        [(number,)] = self._all("SELECT max(id) FROM content WHERE transcript = ?", transcript)
        return None if number is None else int(number)

    def new_content(self, transcript: int) -> int:
        """Begin a content, and drop those that never came to a version."""
        unfinished = self._all(
            "SELECT id FROM content WHERE transcript = ?"
            " AND NOT EXISTS (SELECT 1 FROM version WHERE content = content.id)",
            transcript,
        )
        for (content,) in unfinished:
            self.drop_content(content)
        [(number,)] = self._all("INSERT INTO content (transcript) VALUES (?) RETURNING id", transcript)
        return int(number)

    def add_part(self, content: int, begin: int, size: int, sha256: bytes, data: bytes) -> int:
        """Add a piece to a content; return how many bytes are new in the file."""
        new = 0
        found = self._all("SELECT id FROM piece WHERE sha256 = ?", sha256)
        if not found:
            new = len(data)
            found = self._all(
                "INSERT INTO piece (sha256, size, data) VALUES (?, ?, ?) RETURNING id", sha256, size, data
            )
        self._run("INSERT INTO part VALUES (?, ?, ?)", content, begin, found[0][0])
        return new

    def drop_part(self, content: int, part: Part) -> None:
        """Remove the last part of a content, which a larger one takes the place of."""
        self._run("DELETE FROM part WHERE content = ? AND begin = ?", content, part.begin)
        self._drop_piece(part.piece)

    def add_version(
        self, content: int, size: int, taken_at: int, modified_ns: int, *, passing: bool = False
    ) -> bool:
        """Add a version, the first `size` bytes of a content; False if the newest one has as many.

        With `passing` it may be thinned out later; a newest one that has as many bytes then stays what it is.
        """
        newest = self._all("SELECT id, size FROM version WHERE content = ? ORDER BY id DESC LIMIT 1", content)
        if newest and newest[0][1] == size:
            if not passing:
                self._run("UPDATE version SET passing = 0 WHERE id = ?", newest[0][0])
            return False
        self._run(
            "INSERT INTO version (content, size, taken_at, modified_ns, passing) VALUES (?, ?, ?, ?, ?)",
            content,
            size,
            taken_at,
            modified_ns,
            int(passing),
        )
        return True

    def hold_newest(self) -> None:
        """Have the newest version of each content stay, whoever has kept it. Not in a transaction."""
        newest = (
            "passing AND NOT EXISTS (SELECT 1 FROM version AS newer"
            " WHERE newer.content = version.content AND newer.id > version.id)"
        )
        if self._all(f"SELECT 1 FROM version WHERE {newest} LIMIT 1"):
            with self.transaction():
                self._run(f"UPDATE version SET passing = 0 WHERE {newest}")

    def moments(self, content: int) -> list[Moment]:
        """Return when the versions of a content were kept, the newest first."""
        found = self._all(
            "SELECT id, taken_at, passing FROM version WHERE content = ? ORDER BY id DESC", content
        )
        return [Moment(*row) for row in found]

    def drop_versions(self, versions: Iterable[int]) -> None:
        """Remove versions of which a newer one has the bytes too."""
        for version in versions:
            self._run("DELETE FROM version WHERE id = ?", version)

    def drop_content(self, content: int) -> None:
        """Remove a content with all its versions, and the pieces that no other content has."""
        pieces = [piece for (piece,) in self._all("SELECT piece FROM part WHERE content = ?", content)]
        self._run("DELETE FROM content WHERE id = ?", content)
        for piece in set(pieces):
            self._drop_piece(piece)

    def drop_transcript(self, key: Key) -> None:
        """Remove all that is kept of a transcript."""
        found = self._all(
            "SELECT content.id FROM content JOIN transcript ON transcript.id = transcript"
            " WHERE folder = ? AND name = ?",
            *key,
        )
        for (content,) in found:
            self.drop_content(content)
        self._run("DELETE FROM transcript WHERE folder = ? AND name = ?", *key)

    def shrink(self) -> None:
        """Give the disk back what is not used any more, and empty the log. Not in a transaction.

        Raises `SnapshotError` if another process reads, so that the log cannot be emptied.
        """
        with reporting_errors(self.path):
            self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` frees one page only
        [(busy, _, _)] = self._all("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise SnapshotError(f"{self.path}: another sessscan is reading: try again later")

    def _drop_piece(self, piece: int) -> None:
        self._run(
            "DELETE FROM piece WHERE id = ? AND NOT EXISTS (SELECT 1 FROM part WHERE piece = piece.id)", piece
        )

    def _all(self, statement: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        # `reporting_errors` would take as long as a small statement, of which there are ten a transcript.
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise as_snapshot_error(self.path, error) from error

    def _run(self, statement: str, *values: object) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise as_snapshot_error(self.path, error) from error
