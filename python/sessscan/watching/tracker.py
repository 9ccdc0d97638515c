"""Track the rows of the watched stores, and decide when something about one is reported.

A row that is being saved looks damaged for a moment, a row that is being replaced looks missing, and a
session that is being deleted has no tombstone yet. So whatever looks wrong is checked again a little later,
and reported if it still looks the same. Each finding is reported once, until it changes.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import _core
from ..changes import journal
from ..errors import SnapshotError
from ..model import Finding, RowFormat, Store, WatchEvent
from ..snapshots.capture import capture_rows
from ..snapshots.store import Snapshots
from ..stores.locate import entries
from ..stores.opening import changed_ns
from ..stores.row_states import LOST_STATES
from ..stores.rows import bare_id, classify_row, original_of, read_file

DAMAGED_FOR = 0.4
"""Seconds for which a row must look damaged in the same way before it is reported."""
MISSING_FOR = 0.6
"""Seconds for which a row must be missing before it is reported: its tombstone may still be written."""
CHANGING_FOR = 1.2
"""Seconds after which a row that looks damaged at each check is reported although it keeps changing."""

Signature = tuple[int, ...]
"""What of a file's metadata changes whenever the file does."""


@dataclass(slots=True)
class _Suspicion:
    """Something that looks wrong but was not reported yet. Times are seconds of the monotonic clock."""

    first_seen: float
    same_since: float
    check_at: float
    looks: object
    """What it looked like at the last check."""


@dataclass
class _Folder:
    """What is known of one store's folder."""

    store: Store
    rows: dict[str, Signature | None] = field(default_factory=dict)
    """The rows there should be, by file name, with their signatures at the last check; None: check again."""
    tombstones: frozenset[str] = frozenset()


class RowTracker:
    """Tracks the rows of all watched stores.

    `follow`, `rescan` and `note_change` only note what has to be checked; `check` does it.
    """

    def __init__(self, snapshots: Snapshots, progress: Callable[[int, int], object] | None = None) -> None:
        """`snapshots`: where healthy rows are kept. `progress`: called while they are."""
        self.remarks: list[str] = []
        """What went wrong with the snapshots, in sentences for the user. The caller empties it."""
        self._snapshots = snapshots
        self._progress = progress
        self._folders: dict[str, _Folder] = {}
        self._due: dict[str, None] = {}
        self._suspicions: dict[str, _Suspicion] = {}
        self._reported: dict[str, Finding] = {}
        self._remarked: set[str] = set()

    @property
    def rows(self) -> int:
        """How many rows there should be."""
        return sum(len(folder.rows) for folder in self._folders.values())

    def follow(self, stores: Iterable[Store]) -> None:
        """Track these stores too, and check every row. A store that vanished stays known, with its rows."""
        for store in stores:
            if store.path not in self._folders:
                folder = self._folders[store.path] = _Folder(store)
                try:
                    names = self._snapshots.deleted_by_name(store.path)
                except SnapshotError as error:
                    self._remark(error)
                else:
                    folder.rows.update((name, None) for name, deleted in names.items() if not deleted)
        self.rescan()

    def rescan(self) -> None:
        """Compare every row's metadata with that of the last check, and note what has changed."""
        for path, folder in self._folders.items():
            if not os.path.isdir(path):  # noqa: PTH112 - a str is at hand
                self._due[path] = None
                continue
            errors: list[OSError] = []
            present: set[str] = set()
            tombstones: set[str] = set()
            for entry in entries(path, errors):
                if is_row(entry.name):
                    present.add(entry.name)
                    known = folder.rows.get(entry.name)
                    if known is None or known != _signature(entry.path):
                        self._due[entry.path] = None
                elif entry.name.startswith("deleted_"):
                    tombstones.add(_tombstone_id(entry.name))
            if errors:
                continue  # a folder that cannot be listed says nothing about its rows
            self._remember_deleted(folder, frozenset(tombstones))
            for name in folder.rows.keys() - present:
                self._due[os.path.join(path, name)] = None  # noqa: PTH118
            if path in self._reported:
                self._due[path] = None

    def note_change(self, store: str, name: str) -> None:
        """Note that the system reported a change to an entry of a store's folder."""
        folder = self._folders.get(store)
        if folder is None:
            return
        if is_row(name):
            self._due[os.path.join(store, name)] = None  # noqa: PTH118
        elif name.startswith("deleted_"):
            self._read_tombstones(folder)
            for path in self._reported.keys() | self._suspicions.keys():
                if os.path.dirname(path) == store:  # noqa: PTH120
                    self._due[path] = None

    def check(self) -> list[WatchEvent]:
        """Check whatever is due, keep the rows that are healthy, and return what is to be reported."""
        now = time.monotonic()
        again = (path for path, suspicion in self._suspicions.items() if suspicion.check_at <= now)
        due = dict.fromkeys([*self._due, *again])
        self._due.clear()
        events: list[WatchEvent] = []
        present: list[str] = []
        for path in due:
            if path in self._folders:
                self._check_folder(path, now, events)
            elif (signature := _signature(path)) is None:
                self._check_missing(path, now, events)
            elif (
                self._known_signature(path) != signature or path in self._suspicions or path in self._reported
            ):
                present.append(path)
        signatures = {path: signature for path in present if (signature := _signature(path)) is not None}
        not_kept = self._keep(list(signatures))
        for path, signature in signatures.items():
            if path in not_kept:
                self._check_not_kept(path, signature, now, events)
            else:
                self._note_healthy(path, signature, events)
        return events

    def note_repaired(self, path: str) -> None:
        """Note that this watch put a row back, so that its recovery is not reported a second time."""
        self._reported.pop(path, None)

    # The checks

    def _keep(self, paths: list[str]) -> set[str]:
        """Keep the healthy rows among `paths`; return the others."""
        if not paths:
            return set()
        try:
            captured = capture_rows(self._snapshots, paths, progress=self._progress)
        except SnapshotError as error:
            self._remark(error)
            return set(paths)
        return {path for path, _ in captured.passed_over}

    def _note_healthy(self, path: str, signature: Signature | None, events: list[WatchEvent]) -> None:
        folder, name = self._folders[os.path.dirname(path)], os.path.basename(path)  # noqa: PTH119, PTH120
        folder.rows[name] = signature
        self._suspicions.pop(path, None)
        self._resolve(path, "The app can read this row again.", events)

    def _check_not_kept(self, path: str, signature: Signature, now: float, events: list[WatchEvent]) -> None:
        """Classify a row that is not healthy, or could not be kept just now."""
        folder, name = self._folders[os.path.dirname(path)], os.path.basename(path)  # noqa: PTH119, PTH120
        folder.rows.setdefault(name, None)
        try:
            state, offset, length = _classify(path, folder.store.format)
        except FileNotFoundError:
            self._due[path] = None
            return
        except OSError as error:
            state, offset, length = "unreadable", 0, 0
            reason = f" ({error.strerror})"
        else:
            reason = ""
        if state == "ok":
            # It may have been written since it was not kept. Without a signature it is checked again.
            self._note_healthy(path, None, events)
            return
        if original_of(name, folder.rows) is not None:
            del folder.rows[name]  # a sync tool's copy: the session has a row
            self._suspicions.pop(path, None)
            return
        if not self._looks_wrong_long_enough(path, (state, signature), DAMAGED_FOR, now):
            return
        folder.rows[name] = signature
        if self._is_deleted(folder, path):
            self._resolve(path, "The session was deleted, so nothing is lost.", events)
            return
        finding = Finding(
            state,
            "error",
            path,
            f"The app cannot read this row: {LOST_STATES[state].problem}{reason}. "
            "So the session is missing from its list.",
            name.removesuffix(".json"),
            None,
            offset,
            length,
        )
        self._report(finding, events)

    def _check_missing(self, path: str, now: float, events: list[WatchEvent]) -> None:
        folder, name = self._folders.get(os.path.dirname(path)), os.path.basename(path)  # noqa: PTH119, PTH120
        if folder is None or name not in folder.rows:
            self._suspicions.pop(path, None)  # created and removed since the last check
            return
        if not os.path.isdir(folder.store.path):  # noqa: PTH112 - a str is at hand
            self._suspicions.pop(path, None)
            self._due[folder.store.path] = None  # one finding about the folder, not one for each row
            return
        self._read_tombstones(folder)
        if self._is_deleted(folder, path) or self._is_elsewhere(folder, name) or _was_undone(path):
            del folder.rows[name]
            self._suspicions.pop(path, None)
            self._resolve(path, "The session was deleted or moved, so nothing is lost.", events)
        elif self._looks_wrong_long_enough(path, None, MISSING_FOR, now):
            folder.rows[name] = None
            message = (
                "The row is gone, although the session was not deleted. So the session is missing from its "
                "list."
            )
            self._report(Finding("missing", "error", path, message, name.removesuffix(".json")), events)

    def _check_folder(self, path: str, now: float, events: list[WatchEvent]) -> None:
        if os.path.isdir(path):  # noqa: PTH112 - a str is at hand
            self._suspicions.pop(path, None)
            self._resolve(path, "The folder is there again.", events)
            return
        count = len(self._folders[path].rows)
        if not count:
            del self._folders[path]
            self._suspicions.pop(path, None)
        elif self._looks_wrong_long_enough(path, None, MISSING_FOR, now):
            message = f"The whole folder is gone, with the {count:,} {'row' if count == 1 else 'rows'} in it."
            self._report(Finding("missing", "error", path, message), events)

    def _looks_wrong_long_enough(self, path: str, looks: object, wait: float, now: float) -> bool:
        """Return whether a file has looked the same for `wait` seconds; if not, check it again later."""
        suspicion = self._suspicions.get(path)
        if suspicion is None:
            known = self._reported.get(path)
            if known is not None and looks is None and known.rule == "missing":
                return False  # reported, and still missing
            self._suspicions[path] = _Suspicion(now, now, now + wait, looks)
            return False
        if suspicion.looks != looks and now - suspicion.first_seen < CHANGING_FOR:
            suspicion.looks, suspicion.same_since = looks, now
        if now - suspicion.same_since < wait and suspicion.looks == looks:
            suspicion.check_at = suspicion.same_since + wait
            return False
        del self._suspicions[path]
        return True

    def _report(self, finding: Finding, events: list[WatchEvent]) -> None:
        if self._reported.get(finding.path) != finding:
            self._reported[finding.path] = finding
            events.append(WatchEvent("finding", finding, _now()))

    def _resolve(self, path: str, message: str, events: list[WatchEvent]) -> None:
        """Report that a finding does not hold any more, if it was reported."""
        finding = self._reported.pop(path, None)
        if finding is not None:
            events.append(WatchEvent("resolved", replace(finding, message=message), _now()))

    # What else is known

    def _known_signature(self, path: str) -> Signature | None:
        folder = self._folders.get(os.path.dirname(path))  # noqa: PTH120
        return None if folder is None else folder.rows.get(os.path.basename(path))  # noqa: PTH119

    def _read_tombstones(self, folder: _Folder) -> None:
        errors: list[OSError] = []
        found = frozenset(
            _tombstone_id(entry.name)
            for entry in entries(folder.store.path, errors)
            if entry.name.startswith("deleted_")
        )
        if not errors:
            self._remember_deleted(folder, found)

    def _remember_deleted(self, folder: _Folder, tombstones: frozenset[str]) -> None:
        """Note in the snapshots which sessions were deleted, since the app may remove its tombstones."""
        if tombstones == folder.tombstones:
            return
        new, folder.tombstones = tombstones - folder.tombstones, tombstones
        try:
            self._snapshots.mark_deleted(folder.store.path, new)
        except SnapshotError as error:
            self._remark(error)

    def _is_deleted(self, folder: _Folder, path: str) -> bool:
        """Return whether the user has deleted the session, by its own id or by its transcript's."""
        name = os.path.basename(path)  # noqa: PTH119
        if bare_id(name.removesuffix(".json")) in folder.tombstones:
            return True
        try:
            newest = next(iter(self._snapshots.versions(path)), None)
            return newest is not None and (
                newest.cli_session_id in folder.tombstones
                or self._snapshots.deleted_by_name(folder.store.path).get(name, False)
            )
        except SnapshotError as error:
            self._remark(error)
            return False

    def _is_elsewhere(self, folder: _Folder, name: str) -> bool:
        """Return whether another store has the row now: then it was moved, not lost."""
        return any(
            other is not folder and os.path.lexists(os.path.join(path, name))  # noqa: PTH118
            for path, other in self._folders.items()
        )

    def _remark(self, error: SnapshotError) -> None:
        """Add a remark about an error, once for each text."""
        text = f"continuing without snapshots: {error}"
        if text not in self._remarked:
            self._remarked.add(text)
            self.remarks.append(text)


def is_row(name: str) -> bool:
    """Return whether a file of this name counts as a row."""
    return name.startswith("local_") and name.endswith(".json")


def _classify(path: str, row_format: RowFormat) -> tuple[str, int, int]:
    """Return the state of a row, and where the damage begins and how long it is. Raises OSError."""
    state = _core.classify(path)
    if state.kind == "ok" and row_format.required:
        data, _ = read_file(path)
        return classify_row(data, Path(path).name.removesuffix(".json"), row_format)
    return state.kind, state.offset, state.length


def _signature(path: str) -> Signature | None:
    """Return a tuple that changes whenever a file does; None where there is none."""
    try:
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):
            return (status.st_dev, status.st_ino)  # no row; its times change with its entries
        changed = changed_ns(path, status)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, changed)


def _tombstone_id(name: str) -> str:
    """Return the id of the session or transcript that a tombstone says was deleted."""
    return bare_id(name.removeprefix("deleted_").removesuffix(".json"))


def _was_undone(path: str) -> bool:
    """Return whether sessscan made this row for an orphan and an undo removed it again."""
    return any(
        entry.kind == "adopt" and entry.path == path and entry.undone
        for run in journal.runs()[0]
        for entry in run.entries
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
