"""Watch stores: keep each row as it is saved, and report at once when a row or transcript is damaged.

A turn waits until the system reports a change or a short time has passed, checks that the folders are still
the same, checks the rows that are due, and reports. Every minute the metadata of all rows is compared as
well, for changes that the system did not report: its queue is limited, and network drives report nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from .. import state
from ..changes.lock import exclusive
from ..changes.recover import sweep_folders
from ..errors import RefusedError
from ..model import WatchEvent
from ..reconciliation import reconcile
from ..render.verdict import verdict
from ..snapshots.store import Snapshots
from ..stores.locate import StrPath, locate, real_path
from .folders import WatchedFolders, find_folders
from .keeping import TranscriptKeeper
from .repair import Repairer
from .tracker import RowTracker
from .transcripts import TranscriptWatch
from .watcher import Watcher

RESCAN_INTERVAL = 60.0
"""Seconds between two comparisons of all rows."""
MIN_RESCAN_INTERVAL = 0.5
"""Seconds between two comparisons of all rows at least, however much happens."""


def watch(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    on_event: Callable[[WatchEvent], object],
    on_remark: Callable[[str], object] | None = None,
    repair: bool = False,
    transcripts: bool = False,
    stop: threading.Event | None = None,
) -> None:
    """Watch stores until `stop` is set; without it, until an exception ends the watch.

    Each row is kept in sessscan's own state folder as it is saved. Stores may appear later.

    Args:
        stores, projects: as in `reconcile`.
        on_event: called for each event, by the thread that called `watch`.
        on_remark: called with sentences for the user, by the same thread.
        repair: put lost rows back once the desktop app is closed, as `reconcile` would.
        transcripts: keep what transcripts hold too, as they grow; with `repair`, also repair those that are
            damaged meanwhile, once nobody writes to them, as `sessscan.repair` would.
        stop: ends the watch within a second or so when it is set, by any thread.

    Raises:
        LockedError: another watch uses the same state folder.
        RefusedError: the state folder cannot be created.
        SnapshotError: the snapshots cannot be opened.
    """
    _Watch(
        _absolute(stores),
        _absolute(projects),
        on_event,
        on_remark or (lambda text: None),
        repair,
        transcripts,
        threading.Event() if stop is None else stop,
    ).run()


class _StoppedError(Exception):
    """The watch was stopped in the middle of a long check."""


class _Watch:
    """One run of `watch`."""

    def __init__(
        self,
        stores: Sequence[str] | None,
        projects: Sequence[str] | None,
        on_event: Callable[[WatchEvent], object],
        on_remark: Callable[[str], object],
        repair: bool,
        transcripts: bool,
        stop: threading.Event,
    ) -> None:
        self._stores = stores
        self._projects = projects
        self._on_event = on_event
        self._on_remark = on_remark
        self._stop = stop
        self._repairer = Repairer(stores, projects, on_remark) if repair else None
        roots = locate((), self._existing(projects)).projects
        self._keeper = TranscriptKeeper(roots, stop) if transcripts else None
        self._transcripts = TranscriptWatch(
            roots,
            stop,
            on_remark,
            repairs=repair and transcripts,
            on_change=None if self._keeper is None else self._keeper.note_change,
        )
        self._watcher = Watcher(stop, on_remark)
        self._folders = WatchedFolders()
        self._store_of: dict[str, str] = {}
        """By watched folder, in each spelling, the store it is; "" for one that is no store."""

    @staticmethod
    def _existing(projects: Sequence[str] | None) -> list[str] | None:
        return None if projects is None else [path for path in projects if os.path.isdir(path)]  # noqa: PTH112

    def run(self) -> None:
        with _only_watch(), Snapshots.open() as snapshots:
            if snapshots.damage_remark is not None:
                self._on_remark(snapshots.damage_remark)
            tracker = RowTracker(snapshots, self._check_stopped)
            try:
                self._turns(tracker)
            except _StoppedError:
                pass
            finally:
                self._watcher.close()
                if self._keeper is not None:
                    self._keeper.close()
                    self._remark_keeping()
                if self._repairer is not None:
                    self._report_repairs(self._repairer.close(), tracker)

    def _turns(self, tracker: RowTracker) -> None:
        self._rescan(tracker)
        self._check(tracker)
        sweep_folders(self._folders.stores)
        self._remark_missed()
        if self._keeper is not None:
            self._keeper.start()
        stores = len(self._folders.stores)
        self._on_remark(
            f"watching {tracker.rows:,} {'row' if tracker.rows == 1 else 'rows'} in {stores} "
            f"{'store' if stores == 1 else 'stores'}"
            + ("" if stores else ": there is none yet, and the watch waits for one")
        )
        compared = time.monotonic()
        unassigned = False
        while not self._stop.is_set():
            folders_changed = False
            for path in self._watcher.turn():
                if path in self._store_of:
                    folders_changed = True
                    continue
                folder, name = os.path.split(path)
                store = self._store_of.get(folder)
                if store is None:
                    unassigned = True  # reported under another name than the one that is watched
                elif store:
                    tracker.note_change(store, name)
                else:
                    folders_changed = True  # an entry beside the stores, perhaps a new store
            if self._stop.is_set():
                break
            age = time.monotonic() - compared
            if folders_changed or self._folders.changed():
                self._rescan(tracker)
                compared, unassigned = time.monotonic(), False
            elif age > RESCAN_INTERVAL or (unassigned and age > MIN_RESCAN_INTERVAL):
                self._rescan(tracker, rewatch=False)
                compared, unassigned = time.monotonic(), False
            self._check(tracker)

    def _remark_missed(self) -> None:
        """Say how many sessions are missed already: a watch reports only what happens to rows."""
        try:
            plan = reconcile(self._stores, self._projects, progress=self._check_stopped)
        except OSError as error:
            self._on_remark(f"what is lost already cannot be told: {error}")
            return
        self._on_remark(verdict(plan.missed, stores=len(plan.stores), rows=plan.rows))
        self._transcripts.start(plan.findings)

    def _rescan(self, tracker: RowTracker, *, rewatch: bool = True) -> None:
        """Find the stores that exist now and compare all rows; watch the folders anew if they have changed.

        `rewatch`: watch them anew in any case.
        """
        folders = find_folders(self._stores)
        if rewatch or folders.paths != self._folders.paths:
            if not self._watcher.watch(folders.paths):
                folders.expire()
            self._folders = folders
            stores = {store.path for store in folders.stores}
            self._store_of = {}
            for path in folders.paths:
                store = path if path in stores else ""
                self._store_of[path] = store
                self._store_of.setdefault(real_path(path), store)
        for error in folders.errors:
            self._on_remark(f"{error.filename}: {error.strerror}")
        tracker.follow(folders.stores)

    def _check(self, tracker: RowTracker) -> None:
        """Check the rows and transcripts that are due, report, and go on with the repairs."""
        for event in self._transcripts.poll():
            self._on_event(event)
        self._remark_keeping()
        events = tracker.check()
        for text in tracker.remarks:
            self._on_remark(text)
        tracker.remarks.clear()
        if self._repairer is None:
            for event in events:
                self._on_event(event)
            return
        for event in events:
            if event.kind != "resolved" or event.finding.path not in self._repairer.busy:
                self._on_event(event)
                self._repairer.note(event)
        self._report_repairs(self._repairer.poll(), tracker)

    def _report_repairs(self, events: list[WatchEvent], tracker: RowTracker) -> None:
        for event in events:
            if event.kind == "repaired":
                tracker.note_repaired(event.finding.path)
            self._on_event(event)

    def _remark_keeping(self) -> None:
        while self._keeper is not None and not self._keeper.remarks.empty():
            self._on_remark(self._keeper.remarks.get())

    def _check_stopped(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise _StoppedError


def _absolute(paths: StrPath | Iterable[StrPath] | None) -> list[str] | None:
    if paths is None:
        return None
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [os.path.abspath(path) for path in several]  # noqa: PTH100 - `resolve` would follow links


@contextmanager
def _only_watch() -> Iterator[None]:
    """Hold the lock that makes this the only watch with its state folder."""
    try:
        home = state.make_home()
    except OSError as error:
        raise RefusedError(f"{state.home()} cannot be created ({error.strerror})") from error
    held = "is watching ({}): end it first, or give this one a state folder of its own with SESSSCAN_HOME."
    with exclusive(home, "watch.lock", held):
        yield
