"""What a watch knows of each row, and when something about one is worth telling.

A row in the middle of being saved looks damaged, and one that is replaced looks gone, for a moment; a session
that is being deleted has no tombstone yet. So what looks wrong is looked at again a little later, and told if
it is still the same. Each thing is told once, until it changes.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .. import _core
from ..changes import journal
from ..errors import SnapshotError
from ..model import Finding, RowFormat, Store, WatchEvent
from ..snapshots.capture import capture_rows
from ..snapshots.store import Snapshots
from ..stores.locate import entries
from ..stores.row_states import LOST_STATES
from ..stores.rows import bare_id, classify_row, read_file

SETTLE = 0.4
"""Seconds for which a row has to look damaged."""
VANISH = 0.6
"""Seconds for which it has to be gone: a tombstone may be on its way."""
RESTLESS = 1.2
"""Seconds after which a row is told that is damaged at each look, although it does not come to rest."""

Signature = tuple[int, ...]


@dataclass(slots=True)
class _Suspect:
    first: float
    since: float
    due: float
    look: object


@dataclass
class _Folder:
    store: Store
    rows: dict[str, Signature | None] = field(default_factory=dict)
    """The rows there should be, by file name, and what each was when it was last seen; None: look again."""
    tombstones: frozenset[str] = frozenset()


class Ledger:
    """The rows of all stores that are watched. `tick` does what is due; everything else only takes notes."""

    def __init__(self, snapshots: Snapshots, progress: Callable[[int, int], object] | None = None) -> None:
        self.remarks: list[str] = []
        """What went wrong with the snapshots, in words for the user; whoever shows it clears it."""
        self._snapshots = snapshots
        self._progress = progress
        self._folders: dict[str, _Folder] = {}
        self._due: dict[str, None] = {}
        self._suspects: dict[str, _Suspect] = {}
        self._told: dict[str, Finding] = {}
        self._said: set[str] = set()

    @property
    def rows(self) -> int:
        """How many rows there should be."""
        return sum(len(folder.rows) for folder in self._folders.values())

    def follow(self, stores: Iterable[Store]) -> None:
        """These are the stores now. One that is gone is remembered, and so are its rows."""
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
        """Compares every row with what it was when it was last seen, by its metadata alone."""
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
                    if folder.rows.get(entry.name) is None or folder.rows[entry.name] != _signature(
                        entry.path
                    ):
                        self._due[entry.path] = None
                elif entry.name.startswith("deleted_"):
                    tombstones.add(_buried(entry.name))
            if errors:
                continue  # it cannot be listed now: that says nothing about its rows
            self._bury(folder, frozenset(tombstones))
            for name in folder.rows.keys() - present:
                self._due[os.path.join(path, name)] = None  # noqa: PTH118
            if path in self._told:
                self._due[path] = None

    def changed(self, store: str, name: str) -> None:
        """The system says that something has happened to an entry of a store's folder."""
        folder = self._folders.get(store)
        if folder is None:
            return
        if is_row(name):
            self._due[os.path.join(store, name)] = None  # noqa: PTH118
        elif name.startswith("deleted_"):
            self._tombstones(folder)
            for path in self._told.keys() | self._suspects.keys():
                if os.path.dirname(path) == store:  # noqa: PTH120
                    self._due[path] = None

    def tick(self) -> list[WatchEvent]:
        """Looks at whatever is due, keeps what is healthy, and returns what is to be told."""
        now = time.monotonic()
        due = [*self._due, *(p for p, s in self._suspects.items() if s.due <= now and p not in self._due)]
        self._due.clear()
        events: list[WatchEvent] = []
        present: list[str] = []
        for path in due:
            if path in self._folders:
                self._look_at_folder(path, now, events)
            elif (signature := _signature(path)) is None:
                self._missing(path, now, events)
            elif self._known(path) != signature or path in self._suspects or path in self._told:
                present.append(path)
        signatures = {path: signature for path in present if (signature := _signature(path)) is not None}
        damaged = self._keep(list(signatures))
        for path, signature in signatures.items():
            if path not in damaged:
                self._healthy(path, signature, events)
            else:
                self._examine(path, signature, now, events)
        return events

    def settled(self, path: str) -> None:
        """A row was put back by this very watch: that it is healthy again need not be told."""
        self._told.pop(path, None)

    # What a look makes of it

    def _keep(self, paths: list[str]) -> set[str]:
        """Takes snapshots of the healthy ones among `paths`; returns the others."""
        if not paths:
            return set()
        try:
            return {
                path for path, _ in capture_rows(self._snapshots, paths, progress=self._progress).passed_over
            }
        except SnapshotError as error:
            self._remark(error)
            return set(paths)

    def _healthy(self, path: str, signature: Signature | None, events: list[WatchEvent]) -> None:
        folder, name = self._folders[os.path.dirname(path)], os.path.basename(path)  # noqa: PTH119, PTH120
        folder.rows[name] = signature
        self._suspects.pop(path, None)
        self._resolve(path, "The app can read this row again.", events)

    def _examine(self, path: str, signature: Signature, now: float, events: list[WatchEvent]) -> None:
        """A row that is not healthy, or cannot be kept just now."""
        folder, name = self._folders[os.path.dirname(path)], os.path.basename(path)  # noqa: PTH119, PTH120
        folder.rows.setdefault(name, None)
        try:
            state, offset, length = _state(path, folder.store.format)
        except FileNotFoundError:
            self._due[path] = None
            return
        except OSError as error:
            state, offset, length = "unreadable", 0, 0
            reason = f" ({error.strerror})"
        else:
            reason = ""
        if state == "ok":
            # It may have been written between the two looks. If so, it will be seen to have changed.
            self._healthy(path, None, events)
            return
        if not self._sure(path, (state, signature), SETTLE, now):
            return
        folder.rows[name] = signature
        if self._deleted(folder, path):
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
        self._tell(finding, events)

    def _missing(self, path: str, now: float, events: list[WatchEvent]) -> None:
        folder, name = self._folders.get(os.path.dirname(path)), os.path.basename(path)  # noqa: PTH119, PTH120
        if folder is None or name not in folder.rows:
            self._suspects.pop(path, None)  # it came and went
            return
        if not os.path.isdir(folder.store.path):  # noqa: PTH112 - a str is at hand
            self._suspects.pop(path, None)
            self._due[folder.store.path] = None  # that is told once, not for each row
            return
        self._tombstones(folder)
        if self._deleted(folder, path) or self._elsewhere(folder, name) or _taken_back(path):
            del folder.rows[name]
            self._suspects.pop(path, None)
            self._resolve(path, "The session was deleted or moved, so nothing is lost.", events)
        elif self._sure(path, None, VANISH, now):
            folder.rows[name] = None
            message = (
                "The row is gone, although the session was not deleted. So the session is missing from its "
                "list."
            )
            self._tell(Finding("missing", "error", path, message, name.removesuffix(".json")), events)

    def _look_at_folder(self, path: str, now: float, events: list[WatchEvent]) -> None:
        if os.path.isdir(path):  # noqa: PTH112 - a str is at hand
            self._suspects.pop(path, None)
            self._resolve(path, "The folder is there again.", events)
            return
        count = len(self._folders[path].rows)
        if not count:
            del self._folders[path]
            self._suspects.pop(path, None)
        elif self._sure(path, None, VANISH, now):
            message = f"The whole folder is gone, with the {count:,} {'row' if count == 1 else 'rows'} in it."
            self._tell(Finding("missing", "error", path, message), events)

    def _sure(self, path: str, look: object, wait: float, now: float) -> bool:
        """Whether something has looked wrong for long enough."""
        suspect = self._suspects.get(path)
        if suspect is None:
            known = self._told.get(path)
            if known is not None and look is None and known.rule == "missing":
                return False  # told, and still so
            self._suspects[path] = _Suspect(now, now, now + wait, look)
            return False
        if suspect.look != look and now - suspect.first < RESTLESS:
            suspect.look, suspect.since = look, now
        if now - suspect.since < wait and suspect.look == look:
            suspect.due = suspect.since + wait
            return False
        del self._suspects[path]
        return True

    def _tell(self, finding: Finding, events: list[WatchEvent]) -> None:
        if self._told.get(finding.path) != finding:
            self._told[finding.path] = finding
            events.append(WatchEvent("finding", finding, _now()))

    def _resolve(self, path: str, message: str, events: list[WatchEvent]) -> None:
        finding = self._told.pop(path, None)
        if finding is not None:
            events.append(WatchEvent("resolved", told_otherwise(finding, message), _now()))

    # What else there is to know

    def _known(self, path: str) -> Signature | None:
        folder = self._folders.get(os.path.dirname(path))  # noqa: PTH120
        return None if folder is None else folder.rows.get(os.path.basename(path))  # noqa: PTH119

    def _tombstones(self, folder: _Folder) -> None:
        errors: list[OSError] = []
        found = frozenset(
            _buried(entry.name)
            for entry in entries(folder.store.path, errors)
            if entry.name.startswith("deleted_")
        )
        if not errors:
            self._bury(folder, found)

    def _bury(self, folder: _Folder, tombstones: frozenset[str]) -> None:
        """Has the snapshots remember which sessions were deleted: the app may clear tombstones away."""
        if tombstones == folder.tombstones:
            return
        fresh, folder.tombstones = tombstones - folder.tombstones, tombstones
        try:
            self._snapshots.mark_deleted(folder.store.path, fresh)
        except SnapshotError as error:
            self._remark(error)

    def _deleted(self, folder: _Folder, path: str) -> bool:
        """Whether the user has deleted the session, by its own id or by its transcript's."""
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

    def _elsewhere(self, folder: _Folder, name: str) -> bool:
        """Whether the row lies in another store now: it was moved, not lost."""
        return any(
            other is not folder and os.path.lexists(os.path.join(path, name))  # noqa: PTH118
            for path, other in self._folders.items()
        )

    def _remark(self, error: SnapshotError) -> None:
        text = f"snapshots are left aside: {error}"
        if text not in self._said:
            self._said.add(text)
            self.remarks.append(text)


def is_row(name: str) -> bool:
    """Whether a file of this name is taken for a row."""
    return name.startswith("local_") and name.endswith(".json")


def told_otherwise(finding: Finding, message: str) -> Finding:
    """A finding with something else to say."""
    return Finding(
        finding.rule,
        finding.severity,
        finding.path,
        message,
        finding.session_id,
        finding.transcript,
        finding.offset,
        finding.length,
    )


def _state(path: str, row_format: RowFormat) -> tuple[str, int, int]:
    """What the app would make of a row. Raises OSError."""
    state = _core.classify(path)
    if state.kind == "ok" and row_format.required:
        data, _ = read_file(path)
        return classify_row(data, Path(path).name.removesuffix(".json"), row_format)
    return state.kind, state.offset, state.length


def _signature(path: str) -> Signature | None:
    """What changes whenever a file does; None where there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):
        return (status.st_dev, status.st_ino)  # no row, and its times change with what is in it
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _buried(name: str) -> str:
    """The id that a tombstone is for."""
    return bare_id(name.removeprefix("deleted_").removesuffix(".json"))


def _taken_back(path: str) -> bool:
    """Whether sessscan made this row for an orphan, and that was taken back."""
    return any(
        entry.kind == "adopt" and entry.path == path and entry.undone
        for run in journal.runs()[0]
        for entry in run.entries
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
