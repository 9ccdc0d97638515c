"""Take snapshots: read the rows that have changed since they were last kept, and keep those that are healthy.

A row whose file has not changed costs one `lstat` and is not opened.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DamagedSnapshotsError, UsageError
from ..model import Progress, Store
from ..stores.locate import StrPath, format_of, locate
from ..stores.opening import changed_ns
from ..stores.rows import MAX_ROW_SIZE, classify_row, list_rows, read_file
from .store import ChangedRow, Snapshots

SCHEMA = "sessscan.snapshot/1"

_BATCH = 16 << 20
"""Bytes of rows that are written in one transaction: other processes wait no longer than one takes."""
_TICK_NS = 20_000_000
"""File times advance in steps of up to 10 ms (2 s on FAT): a file read in the same step in which it was
written may change again without a new time."""
_FAT_NS = 2_000_000_000


@dataclass
class Captured:
    """What happened to each row of which a snapshot was to be taken."""

    kept: list[str] = field(default_factory=list)
    """Rows of which a new version was kept."""
    unchanged: int = 0
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Rows that are not healthy or were being written, each with the reason. Their versions stay."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Rows that could not be read, each with the reason."""

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return len(self.kept) + self.unchanged + len(self.passed_over) + len(self.failed)


@dataclass(frozen=True)
class SnapshotReport:
    """What `snapshot` did."""

    captured: Captured
    stores: tuple[Store, ...]
    errors: tuple[OSError, ...]
    """Why folders could not be listed."""
    database: Path
    """The file that holds the snapshots."""
    remarks: tuple[str, ...]
    """Sentences for the user, such as that a damaged database was replaced."""

    @property
    def exit_status(self) -> int:
        """Return 4 if some rows or folders could not be read, else 0."""
        return 4 if self.errors or self.captured.failed else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `sessscan snapshot --format json` prints."""
        captured = self.captured
        return {
            "schema": SCHEMA,
            "database": str(self.database),
            "stores": len(self.stores),
            "rows": captured.rows,
            "kept": captured.kept,
            "unchanged": captured.unchanged,
            "passed_over": [{"path": path, "reason": reason} for path, reason in captured.passed_over],
            "failed": [{"path": path, "reason": reason} for path, reason in captured.failed],
        }


def snapshot(
    stores: StrPath | Iterable[StrPath] | None = None,
    *,
    keep: int | None = None,
    progress: Progress | None = None,
) -> SnapshotReport:
    """Keep the healthy rows of some stores, by default of this platform's, in sessscan's own state folder.

    Also remembers which sessions the user has deleted, so that none of them is reported as missing later.

    Args:
        stores: userData folders, registries or account/organisation folders.
        keep: how many versions of each row are kept at most, from now on; 20 if it was never set.
        progress: called with the number of rows that are done and the number of all.

    Raises:
        FileNotFoundError, NotADirectoryError: a folder of `stores` is none.
        UsageError: `keep` is less than 1.
        SnapshotError: the database cannot be read or written.
    """
    if keep is not None and keep < 1:
        raise UsageError(f"keep={keep}: at least one version of each row must be kept")
    places = locate(stores)
    errors = list(places.errors)
    with Snapshots.open() as snapshots:
        if keep is not None:
            snapshots.limit = keep
        paths: list[str] = []
        for store in places.stores:
            rows, deleted = list_rows(store, errors)
            snapshots.mark_deleted(store.path, deleted)
            paths += rows
        captured = capture_rows(snapshots, paths, progress=progress)
        remark = snapshots.damage_remark
        remarks = () if remark is None else (remark,)
        return SnapshotReport(captured, places.stores, tuple(errors), snapshots.path, remarks)


def capture_rows(
    snapshots: Snapshots, rows: Iterable[StrPath], *, progress: Progress | None = None
) -> Captured:
    """Keep each healthy row of `rows` that has changed since its newest version.

    A database that turns out to be damaged is renamed, and all is kept in a new one. Raises `SnapshotError`.
    """
    listed = list(rows)
    try:
        return _capture(snapshots, listed, progress)
    except DamagedSnapshotsError:
        snapshots.replace_damaged()
        return _capture(snapshots, listed, progress)


def _capture(snapshots: Snapshots, rows: list[StrPath], progress: Progress | None) -> Captured:
    captured = Captured()
    signatures = snapshots.signatures()
    batch: list[ChangedRow] = []
    size = 0

    def flush() -> None:
        kept = snapshots.write(batch)
        captured.kept += kept
        captured.unchanged += len(batch) - len(kept)
        batch.clear()

    for count, path in enumerate(rows, 1):
        changed = _read_if_changed(os.fspath(path), signatures.get(snapshots.key(path)), captured)
        if changed is not None:
            batch.append(changed)
            size += len(changed.data)
            if size >= _BATCH:
                flush()
                size = 0
        if progress is not None and (count % 64 == 0 or count == len(rows)):
            progress(count, len(rows))
    if batch:
        flush()
    return captured


def _read_if_changed(path: str, known: str | None, captured: Captured) -> ChangedRow | None:
    """Read a row if its signature is not `known` and it is healthy; else note the reason in `captured`."""
    try:
        status = os.lstat(path)
        if known is not None and _signature(path, status) == known:
            captured.unchanged += 1
            return None
        if not stat.S_ISREG(status.st_mode):
            captured.passed_over.append((path, "not a regular file"))
            return None
        if status.st_size > MAX_ROW_SIZE:
            captured.passed_over.append((path, "larger than the app reads"))
            return None
        status = _wait_for_next_tick(path, status)
        signature = _signature(path, status)
        data, before = read_file(path, MAX_ROW_SIZE)
        if not (signature == _signature(path, before) == _signature(path, os.lstat(path))):
            captured.passed_over.append((path, "being written"))
            return None
    except FileNotFoundError:
        captured.passed_over.append((path, "removed meanwhile"))
        return None
    except OSError as error:
        captured.failed.append((path, error.strerror or str(error)))
        return None
    file = Path(path)
    state, _, _ = classify_row(data, file.name.removesuffix(".json"), format_of(file.parent))
    if state != "ok":
        captured.passed_over.append((path, state))
        return None
    return ChangedRow(path, data, status.st_mtime_ns, None if _may_change_unseen(status) else signature)


def _signature(path: str, status: os.stat_result) -> str:
    """Return a text that stays the same as long as a file has not changed. Raises OSError."""
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, changed_ns(path, status))
    return ":".join(map(str, parts))


def _wait_for_next_tick(path: str, status: os.stat_result) -> os.stat_result:
    """Wait until a further change of the file would get another time, and return its status then."""
    age = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
    if 0 <= age < _TICK_NS:
        time.sleep((_TICK_NS - age) / 1e9)
        return os.lstat(path)
    return status


def _may_change_unseen(status: os.stat_result) -> bool:
    """Return whether the file may change again with the same time, as on FAT with its steps of 2 s."""
    slow = status.st_mtime_ns % _FAT_NS == 0
    return slow and 0 <= time.time_ns() - status.st_mtime_ns < 2 * _FAT_NS
