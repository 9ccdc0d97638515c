"""Give a reconciliation the snapshots as a source. Where they cannot be read it goes on without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ..errors import DamagedSnapshotsError, SnapshotError
from ..stores.rows import Contents
from .capture import capture_rows
from .store import RowVersion, Snapshots

T = TypeVar("T")


class SnapshotSource:
    """The snapshots that one reconciliation reads and takes.

    None of its methods raises `SnapshotError`: after an error they answer as if nothing were kept, and
    `remarks` says why.
    """

    def __init__(self, home: Path | None = None, *, read: bool = False, write: bool = False) -> None:
        """Open the snapshots in the state folder `home`, by default the usual one.

        `read`: use the snapshots that exist; without it there are none. `write`: `capture` may keep rows, and
        a damaged database may be replaced by an empty one.
        """
        self.remarks: list[str] = []
        """What could not be read or kept, in sentences for the user."""
        self._home = home
        self._write = write
        self._snapshots: Snapshots | None = None
        self._reported_copy: Path | None = None
        if read:
            self._open(make=False)

    def close(self) -> None:
        """Close the database."""
        if self._snapshots is not None:
            self._snapshots.close()
            self._snapshots = None

    def deleted_by_name(self, folder: str) -> dict[str, bool]:
        """Return the file names of the rows of a folder that were ever kept, each with its deletion mark."""
        return self._query(lambda snapshots: snapshots.deleted_by_name(folder), {})

    def mtimes(self, folder: str) -> dict[str, int]:
        """Return the mtime (epoch ms) that each row of a folder had in its newest version, by file name."""
        return self._query(lambda snapshots: snapshots.mtimes(folder), {})

    def folders(self) -> list[str]:
        """Return the folders, with links resolved, of all kept rows that were not deleted."""
        none: list[str] = []
        return self._query(lambda snapshots: snapshots.folders(), none)

    def newest(self, path: str) -> tuple[RowVersion, bytes] | None:
        """Return the newest version of a row whose bytes can be read, and these bytes."""
        none: list[RowVersion] = []
        for version in self._query(lambda snapshots: snapshots.versions(path), none):
            if self._snapshots is None:
                break
            try:
                return version, self._snapshots.content(version)
            except SnapshotError as error:
                self.remarks.append(str(error))
        return None

    def names(self, path: str) -> list[str]:
        """Return the transcripts that the kept versions of a row name, in small letters, the newest first."""
        none: list[RowVersion] = []
        versions = self._query(lambda snapshots: snapshots.versions(path), none)
        return list(dict.fromkeys(v.cli_session_id.lower() for v in versions if v.cli_session_id))

    def first_named(self, path: str, transcript: str) -> int | None:
        """Return when a version of a row that names `transcript` was first kept, epoch ms; None if never."""
        return self._query(lambda snapshots: snapshots.first_named(path, transcript), None)

    def capture(self, contents: Sequence[Contents]) -> None:
        """Keep the healthy rows of stores, and remember which sessions the user has deleted."""
        rows = [row.path for found in contents for row in found.rows if row.state == "ok"]
        if self._snapshots is None and rows and self._write:
            self._open(make=True)

        def keep(snapshots: Snapshots) -> None:
            for found in contents:
                snapshots.mark_deleted(found.store.path, found.tombstones)
            capture_rows(snapshots, rows)
            self._report_damage(snapshots)

        self._query(keep, None)

    def _open(self, *, make: bool) -> None:
        home = self._home
        try:
            try:
                self._snapshots = Snapshots.open(home=home) if make else Snapshots.open_existing(home)
            except DamagedSnapshotsError:
                if not self._write:
                    raise
                self._snapshots = Snapshots.open(home=home)
        except SnapshotError as error:
            self._give_up(error)
        else:
            if self._snapshots is not None:
                self._report_damage(self._snapshots)

    def _query(self, query: Callable[[Snapshots], T], default: T) -> T:
        """Return what `query` returns, or `default` where the snapshots cannot be used."""
        if self._snapshots is None:
            return default
        try:
            return query(self._snapshots)
        except SnapshotError as error:
            if not (
                isinstance(error, DamagedSnapshotsError)
                and self._write
                and self._replace_damaged(self._snapshots)
            ):
                self._give_up(error)
            return default

    def _replace_damaged(self, snapshots: Snapshots) -> bool:
        try:
            snapshots.replace_damaged()
        except SnapshotError:
            return False
        self._report_damage(snapshots)
        return True

    def _report_damage(self, snapshots: Snapshots) -> None:
        """Add a remark about a damaged database that was replaced, once for each."""
        remark = snapshots.damage_remark
        if remark is not None and snapshots.damaged_copy != self._reported_copy:
            self._reported_copy = snapshots.damaged_copy
            self.remarks.append(remark)

    def _give_up(self, error: SnapshotError) -> None:
        self.remarks.append(f"continuing without snapshots: {error}")
        self._write = False
        self.close()
