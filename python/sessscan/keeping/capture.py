"""Keep the transcripts that have changed since they were last kept.

One that has not changed costs one `stat` and is not opened; of one that only grew what is new is read.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import _core
from ..errors import ConflictError, DamagedSnapshotsError, SnapshotError, UsageError
from ..model import Progress
from ..private_database import lstat_if_present, move_aside
from ..scan_cache import boot
from ..stores.locate import StrPath, locate, real_path
from ..stores.project_files import list_transcripts
from .ahead import CutAhead
from .database import folder
from .limits import drop_contents, fit, size_of
from .read import Signature, Stamp, read_transcript
from .store import KeptFile, Key

SCHEMA = "sessscan.snapshot-transcripts/1"

_BATCH = 32 << 20
"""Bytes that are written in one transaction."""
_BATCH_SECONDS = 5.0
"""Seconds after which a transaction ends, so that no other process waits much longer."""


@dataclass
class TranscriptsReport:
    """What `snapshot_transcripts` did."""

    kept: list[str] = field(default_factory=list)
    """Transcripts of which a new version was kept."""
    unchanged: int = 0
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Transcripts that were being rewritten or removed, each with the reason. Older versions stay."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Transcripts that could not be read or kept, each with the reason."""
    errors: tuple[OSError, ...] = ()
    """Why folders could not be listed."""
    read: int = 0
    """Bytes that were read."""
    size: int = 0
    """Bytes that all that is kept takes."""
    folder: Path = Path()
    """The folder that holds it."""
    remarks: list[str] = field(default_factory=list)
    """Sentences for the user, such as that a damaged file was replaced."""

    @property
    def transcripts(self) -> int:
        """How many transcripts there were."""
        return len(self.kept) + self.unchanged + len(self.passed_over) + len(self.failed)

    @property
    def exit_status(self) -> int:
        """Return 4 if some transcripts or folders could not be read or kept, else 0."""
        return 4 if self.errors or self.failed else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `sessscan snapshot --transcripts --format json` prints."""
        return {
            "schema": SCHEMA,
            "folder": str(self.folder),
            "transcripts": self.transcripts,
            "kept": self.kept,
            "unchanged": self.unchanged,
            "passed_over": [{"path": path, "reason": reason} for path, reason in self.passed_over],
            "failed": [{"path": path, "reason": reason} for path, reason in self.failed],
            "bytes_read": self.read,
            "bytes_kept": self.size,
        }


def snapshot_transcripts(
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    keep: int | None = None,
    max_size: int | None = None,
    progress: Progress | None = None,
) -> TranscriptsReport:
    """Keep what the transcripts under some roots hold, by default all of this user, in sessscan's own state.

    Args:
        projects: the folders with the transcripts.
        keep: drop all but so many contents of each transcript. A content is what it held while it only grew.
        max_size: how many bytes may be kept. Beyond that the oldest versions are dropped, but never the last
            one of a transcript that is gone.
        progress: called with the number of bytes that were read and the number of all that are to be.

    Raises:
        FileNotFoundError, NotADirectoryError: a folder of `projects` is none.
        UsageError: `keep` or `max_size` is less than 1.
        SnapshotError: the folder of the state cannot be made.
    """
    for name, value in (("keep", keep), ("max_size", max_size)):
        if value is not None and value < 1:
            raise UsageError(f"{name}={value}: it must be at least 1")
    places = locate((), projects)
    listing = list_transcripts(places.projects)
    report = TranscriptsReport(errors=(*places.errors, *listing.errors), folder=folder(make=True))
    keep_transcripts(listing.transcripts, report, progress=progress)
    try:
        if keep is not None:
            drop_contents(report.folder, keep)
        if max_size is not None:
            fit(report.folder, max_size, report.remarks)
    except SnapshotError as error:
        report.failed.append((str(report.folder), str(error)))
    report.size = size_of(report.folder)
    return report


def keep_transcripts(
    transcripts: Iterable[str],
    report: TranscriptsReport,
    *,
    progress: Progress | None = None,
    passing: bool = False,
) -> None:
    """Keep each of these transcripts that has changed. What becomes of them is added to `report`.

    `passing`: whether the new versions may be thinned out later, as `thin` says. A file of kept transcripts
    that turns out to be damaged is renamed, and a new one begun.
    """
    listed = _Listed(transcripts)
    signature = Signature(boot.name())
    works = {digit: _Work(digit, listed, report.folder, signature, passing) for digit in listed.digits()}
    known: dict[bytes, dict[bytes, str | None]] = {}
    for work in works.values():
        recall = functools.partial(work.recall, known)
        _attempt(work, recall, recall)
    folders = [
        (parent, names, list(map(known.get(listed.real[parent], {}).get, map(str.encode, names))))
        for parent, names in listed.names.items()
    ]
    for (parent, names, before), numbers in zip(folders, _core.changed(folders, signature.boot), strict=True):
        for number in numbers:
            works[names[number][0].lower()].look(parent, names[number], before[number])
    total = sum(one.stamp.size for work in works.values() for one in work.changed)
    done = 0

    def advance(read: int) -> None:
        nonlocal done
        done += read
        if progress is not None:
            progress(min(done, total), total)

    told = report.transcripts
    for work in works.values():
        _attempt(work, functools.partial(work.keep_changed, advance), work.keep_all)
        work.add_to(report)
    report.unchanged += listed.count - (report.transcripts - told)


def _attempt(work: _Work, step: Callable[[], None], anew: Callable[[], None]) -> None:
    """Do a step; if the file is damaged, put it aside and do it `anew`. What fails is noted."""
    if work.has_failed:
        return
    opened = lstat_if_present(work.database)
    try:
        try:
            step()
        except DamagedSnapshotsError:
            work.begin_anew(move_aside(work.database, opened))
            anew()
    except SnapshotError as error:
        work.fail(error)


class _Listed:
    """The transcripts that are to be kept, by folder."""

    def __init__(self, transcripts: Iterable[str]) -> None:
        self.names: dict[str, list[str]] = {}
        for path in transcripts:
            parent, _, name = path.rpartition(os.sep)
            names = self.names.get(parent)
            if names is None:
                names = self.names[parent] = []
            names.append(name)
        self.count = sum(map(len, self.names.values()))
        self.real = {parent: os.fsencode(real_path(parent)) for parent in self.names}
        """By folder its path with links resolved."""

    def digits(self) -> list[str]:
        """Return the first digits of the transcripts' names, in order."""
        return sorted({name[0].lower() for names in self.names.values() for name in names})

    def of(self, digit: str) -> Iterator[tuple[str, str]]:
        """Yield the folder and the name of each transcript whose name begins with a digit."""
        for parent, names in self.names.items():
            yield from ((parent, name) for name in names if name[0].lower() == digit)


@dataclass
class _Changed:
    key: Key
    path: str
    stamp: Stamp
    grew: bool
    is_new: bool
    """Whether nothing of it was kept before, as far as is known."""


class _Work:
    """The transcripts that one file keeps, and what became of them."""

    def __init__(
        self, digit: str, listed: _Listed, folder: Path, signature: Signature, passing: bool
    ) -> None:
        self.database = folder / f"{digit}.db"
        self.changed: list[_Changed] = []
        self.has_failed = False
        self._digit = digit
        self._listed = listed
        self._signature = signature
        self._passing = passing
        self._report = TranscriptsReport()
        self._done = set[str]()
        """The changed transcripts of which it is known what became of them."""
        self._pending: list[tuple[str, bool]] = []
        """What the transaction holds: paths, each with whether a version is new."""
        self._written = 0
        """Bytes that are new in the transaction."""
        self._began = 0.0

    def recall(self, known: dict[bytes, dict[bytes, str | None]]) -> None:
        """Add to `known`, by folder and name, the signatures that the file has."""
        if lstat_if_present(self.database) is None:
            return
        with KeptFile.at(self.database) as kept:
            for folder, name, signature in kept.signatures():
                own = known.get(folder)
                if own is None:
                    own = known[folder] = {}
                own[name] = signature
            if not self._passing:  # the user is told that those that have not changed are kept
                kept.hold_newest()

    def look(self, parent: str, name: str, before: str | None) -> None:
        """Find out whether a transcript has changed since it had this signature."""
        if self.has_failed:
            return
        path, report = f"{parent}{os.sep}{name}", self._report
        try:
            stamp = Stamp.of(path)
        except FileNotFoundError:
            report.passed_over.append((path, "removed meanwhile"))
            return
        except OSError as error:
            report.failed.append((path, error.strerror or str(error)))
            return
        if not self._signature.fits(before, stamp):
            key = (self._listed.real[parent], name.encode())
            grew = self._signature.may_have_grown(before, stamp)
            self.changed.append(_Changed(key, path, stamp, grew, before is None))

    def keep_changed(self, advance: Callable[[int], None]) -> None:
        """Read what is new of those that have changed. `advance` is called with how many bytes are done."""
        if not self.changed:
            return
        new = ((one.path, one.stamp.size) for one in self.changed if one.is_new)
        with KeptFile.at(self.database, make=True) as kept, closing(CutAhead(new)) as ahead:
            for one in self.changed:
                self._keep(kept, one, ahead, advance)
            self._commit(kept)
        self.changed.clear()

    def begin_anew(self, aside: Path | None) -> None:
        """Forget what became of all, since the file was damaged and lies `aside` now."""
        self._report = TranscriptsReport()
        self._written = 0
        for found in (self.changed, self._done, self._pending):
            found.clear()
        if aside is not None:
            remark = f"{self.database} was damaged: it was renamed to {aside}, and a new one begun"
            self._report.remarks.append(remark)

    def keep_all(self) -> None:
        """Look at all transcripts that the file keeps, and read those that are not in it."""
        known: dict[bytes, dict[bytes, str | None]] = {}
        self.recall(known)  # another process may have begun the new file
        for parent, name in self._listed.of(self._digit):
            self.look(parent, name, known.get(self._listed.real[parent], {}).get(name.encode()))
        self.keep_changed(lambda _: None)

    def fail(self, error: SnapshotError) -> None:
        """Note that all of which it is not known what became of them could not be kept."""
        self.has_failed = True
        report = self._report
        done = self._done | {path for path, _ in (*report.passed_over, *report.failed)}
        listed = (f"{parent}{os.sep}{name}" for parent, name in self._listed.of(self._digit))
        changed = [one.path for one in self.changed] or listed
        report.failed += [(path, str(error)) for path in changed if path not in done]

    def add_to(self, report: TranscriptsReport) -> None:
        """Add what became of them to a report on more."""
        own = self._report
        report.kept += own.kept
        report.passed_over += own.passed_over
        report.failed += own.failed
        report.remarks += own.remarks
        report.read += own.read

    def _keep(self, kept: KeptFile, one: _Changed, ahead: CutAhead, advance: Callable[[int], None]) -> None:
        done = 0

        def wrote(read: int, new: int) -> None:
            nonlocal done
            done += read
            self._report.read += read
            self._written += new
            advance(read)
            if self._written >= _BATCH or time.monotonic() > self._began + _BATCH_SECONDS:
                self._commit(kept)
                self._begin(kept)

        self._begin(kept)
        report = self._report
        try:
            found = read_transcript(
                kept,
                one.key,
                one.path,
                one.stamp,
                signature=self._signature,
                grew=one.grew,
                passing=self._passing,
                ahead=ahead,
                wrote=wrote,
            )
            self._pending.append((one.path, found))
        except FileNotFoundError:
            report.passed_over.append((one.path, "removed meanwhile"))
        except ConflictError as error:
            report.passed_over.append((one.path, str(error)))
        except OSError as error:
            report.failed.append((one.path, error.strerror or str(error)))
        advance(one.stamp.size - done)

    def _begin(self, kept: KeptFile) -> None:
        if not kept.in_transaction:
            self._began = time.monotonic()
            kept.begin()

    def _commit(self, kept: KeptFile) -> None:
        """Put on the disk what was written, and only then say that it is kept."""
        kept.commit()
        for path, is_new in self._pending:
            self._done.add(path)
            if is_new:
                self._report.kept.append(path)
        self._pending.clear()
        self._written = 0
