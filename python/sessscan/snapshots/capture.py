"""A row as it is on the disk now: unchanged since it was kept last, at the cost of a stat, or read."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..stores.locate import format_of
from ..stores.rows import MAX_ROW_SIZE, classify_row, read_file

_TICK_NS = 20_000_000
"""A file's clock ticks in steps of up to 10 ms (2 s on FAT): what was written in the same step as it was read
may have changed since without a sign."""
_FAT_NS = 2_000_000_000


@dataclass
class Taken:
    """What became of taking a snapshot."""

    kept: list[str] = field(default_factory=list)
    """Rows of which a new version was kept."""
    unchanged: int = 0
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Rows that were not healthy, or were being written; and what they were."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Rows that could not be read, and why."""

    @property
    def rows(self) -> int:
        """How many were looked at."""
        return len(self.kept) + self.unchanged + len(self.passed_over) + len(self.failed)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A healthy row that may be a new version."""

    path: str
    data: bytes
    modified_ns: int
    signature: str | None


def look(path: str, known: str | None, taken: Taken) -> Fresh | None:
    """The row if it has changed and is healthy; else what it is goes into `taken`."""
    try:
        status = os.lstat(path)
        if known is not None and _signature(status) == known:
            taken.unchanged += 1
            return None
        if not stat.S_ISREG(status.st_mode):
            taken.passed_over.append((path, "it is no file"))
            return None
        if status.st_size > MAX_ROW_SIZE:
            taken.passed_over.append((path, "it is larger than the app reads"))
            return None
        status = _settled(path, status)
        data, before = read_file(path, MAX_ROW_SIZE)
        if not (_signature(status) == _signature(before) == _signature(os.lstat(path))):
            taken.passed_over.append((path, "it is being written"))
            return None
    except FileNotFoundError:
        taken.passed_over.append((path, "it is gone"))
        return None
    except OSError as error:
        taken.failed.append((path, error.strerror or str(error)))
        return None
    file = Path(path)
    state, _, _ = classify_row(data, file.name.removesuffix(".json"), format_of(file.parent))
    if state != "ok":
        taken.passed_over.append((path, state))
        return None
    return Fresh(path, data, status.st_mtime_ns, None if _ambiguous(status) else _signature(status))


def _signature(status: os.stat_result) -> str:
    """What is the same as long as a file has not changed."""
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return ":".join(map(str, parts))


def _settled(path: str, status: os.stat_result) -> os.stat_result:
    """What the file is, when its clock has ticked since it was last written: what comes after shows."""
    age = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
    if 0 <= age < _TICK_NS:
        time.sleep((_TICK_NS - age) / 1e9)
        return os.lstat(path)
    return status


def _ambiguous(status: os.stat_result) -> bool:
    """Whether the file may be written again without a sign, on a file system whose clock ticks slowly."""
    slow = status.st_mtime_ns % _FAT_NS == 0
    return slow and 0 <= time.time_ns() - status.st_mtime_ns < 2 * _FAT_NS
