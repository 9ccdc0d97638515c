"""What the snapshots know of the rows that are looked at. Where they cannot be read a reconciliation goes on
without them, and says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import DamagedSnapshotsError, SnapshotError
from ..stores.rows import Contents
from .store import Snapshots, Version

T = TypeVar("T")


class Memory:
    """The snapshots of one reconciliation, or none."""

    def __init__(self, home: Path | None = None, *, draw: bool = False, keep: bool = False) -> None:
        """`draw`: there may be snapshots to be drawn on; `keep`: and rows may be kept."""
        self.remarks: list[str] = []
        """What could not be read or kept, in words for the user."""
        self._home = home
        self._keep = keep
        self._snapshots: Snapshots | None = None
        self._aside: Path | None = None
        if draw:
            self._open(make=False)

    def close(self) -> None:
        """Closes the database."""
        if self._snapshots is not None:
            self._snapshots.close()
            self._snapshots = None

    def names(self, folder: str) -> dict[str, bool]:
        """The rows of one folder of which versions are kept, by file name, and whether the session of each
        was seen to be deleted."""
        return self._ask(lambda snapshots: snapshots.names(folder), {})

    def written(self, folder: str) -> dict[str, int]:
        """When the rows of one folder were last written as they were kept, epoch ms, by file name."""
        return self._ask(lambda snapshots: snapshots.written(folder), {})

    def folders(self) -> list[str]:
        """The physical folders of all rows of which versions are kept."""
        none: list[str] = []
        return self._ask(lambda snapshots: snapshots.folders(), none)

    def newest(self, path: str) -> tuple[Version, bytes] | None:
        """The newest version of a row that can still be read, and its bytes."""
        none: list[Version] = []
        for version in self._ask(lambda snapshots: snapshots.versions(path), none):
            try:
                return version, version.data
            except SnapshotError as error:
                self.remarks.append(str(error))
        return None

    def named(self, path: str, transcript: str) -> int | None:
        """When a version of a row that names `transcript` was first kept, epoch ms."""
        return self._ask(lambda snapshots: snapshots.named(path, transcript), None)

    def take(self, contents: list[Contents]) -> None:
        """Keeps the healthy rows of stores, and remembers which sessions the user has deleted."""
        rows = [row.path for found in contents for row in found.rows if row.state == "ok"]
        if self._snapshots is None and rows and self._keep:
            self._open(make=True)

        def record(snapshots: Snapshots) -> None:
            for found in contents:
                snapshots.deleted(found.store.path, found.tombstones)
            snapshots.take(rows)
            self._moved(snapshots)

        self._ask(record, None)

    def _open(self, *, make: bool) -> None:
        home = self._home
        try:
            try:
                self._snapshots = Snapshots.open(home=home) if make else Snapshots.existing(home)
            except DamagedSnapshotsError:
                if not self._keep:
                    raise
                self._snapshots = Snapshots.open(home=home)
        except SnapshotError as error:
            self._leave(error)
        else:
            if self._snapshots is not None:
                self._moved(self._snapshots)

    def _ask(self, question: Callable[[Snapshots], T], otherwise: T) -> T:
        if self._snapshots is None:
            return otherwise
        try:
            return question(self._snapshots)
        except SnapshotError as error:
            if not (isinstance(error, DamagedSnapshotsError) and self._keep and self._renew(self._snapshots)):
                self._leave(error)
            return otherwise

    def _renew(self, snapshots: Snapshots) -> bool:
        try:
            snapshots.renew()
        except SnapshotError:
            return False
        self._moved(snapshots)
        return True

    def _moved(self, snapshots: Snapshots) -> None:
        if snapshots.aside is not None and snapshots.aside != self._aside:
            self._aside = snapshots.aside
            self.remarks.append(snapshots.told_aside)

    def _leave(self, error: SnapshotError) -> None:
        self.remarks.append(f"snapshots are left aside: {error}")
        self._keep = False
        self.close()
