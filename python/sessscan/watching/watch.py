"""Watching the stores: keeping each row as it is saved, and telling at once when one is damaged or gone.

A turn: wait until the system tells of a change, or a moment; see whether the folders themselves are still
the same; look at what is due; tell. Nothing else happens when nothing happens. Every minute the metadata of
all rows is compared, for what the system did not tell (its queue has an end; network drives tell nothing).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .. import state
from ..changes.lock import exclusive
from ..model import WatchEvent
from ..snapshots.store import Snapshots
from .folders import Places, find_places
from .repair import Mender
from .tracker import Ledger
from .watcher import Follower

RESCAN = 60.0
"""Seconds between two comparisons of everything."""
PAUSE = 0.5
"""Seconds between two of them at least, however much happens."""


class _StoppedError(Exception):
    """In the middle of a long first look."""


class Watch:
    """One watch of some stores. `run` in a thread of its own choosing; `stop` may be set from any."""

    def __init__(
        self,
        stores: Sequence[str] | None = None,
        projects: Sequence[str] | None = None,
        *,
        repair: bool = False,
        tell: Callable[[WatchEvent], object],
        remark: Callable[[str], object],
        stop: threading.Event | None = None,
    ) -> None:
        """`stores`, `projects`: absolute paths, as `reconcile` takes them; None: where this platform keeps
        them. `tell` is called for each event, `remark` with words for the user, both by the thread that runs.
        """
        self.stop = threading.Event() if stop is None else stop
        """Ends the watch, soon."""
        self._stores = stores
        self._tell = tell
        self._remark = remark
        self._mender = Mender(stores, projects, remark) if repair else None
        self._follower = Follower(self.stop, remark)
        self._places = Places()
        self._where: dict[str, str] = {}

    def run(self) -> None:
        """Watches until `stop` is set.

        Raises `LockedError` where another watch has the same state folder, `RefusedError` where that cannot
        be written, and `SnapshotError` where the snapshots cannot be opened.
        """
        with _alone(), Snapshots.open() as snapshots:
            if snapshots.damage_remark is not None:
                self._remark(snapshots.damage_remark)
            ledger = Ledger(snapshots, self._progress)
            try:
                self._turns(ledger)
            except _StoppedError:
                pass
            finally:
                self._follower.close()
                if self._mender is not None:
                    self._pass_on(self._mender.close(), ledger)

    def _turns(self, ledger: Ledger) -> None:
        self._settle_in(ledger)
        self._take(ledger, ledger.tick())
        stores = len(self._places.stores)
        self._remark(
            f"watching {ledger.rows:,} {'row' if ledger.rows == 1 else 'rows'} in {stores} "
            f"{'store' if stores == 1 else 'stores'}"
            + ("" if stores else ": there is none yet, it is looked for")
        )
        compared = time.monotonic()
        strange = False
        while not self.stop.is_set():
            moved = False
            for path in self._follower.turn():
                if path in self._where:  # a folder itself
                    moved = True
                    continue
                folder, name = os.path.split(path)
                where = self._where.get(folder)
                if where is None:
                    strange = True  # reported by another name than it was asked for by
                elif where:
                    ledger.changed(where, name)
                else:
                    moved = True  # beside stores: there may be another one now
            if self.stop.is_set():
                break
            age = time.monotonic() - compared
            if moved or self._places.changed():
                self._settle_in(ledger)
                compared, strange = time.monotonic(), False
            elif age > RESCAN or (strange and age > PAUSE):
                self._settle_in(ledger, afresh=False)
                compared, strange = time.monotonic(), False
            self._take(ledger, ledger.tick())

    def _settle_in(self, ledger: Ledger, *, afresh: bool = True) -> None:
        """Finds the stores that there are now, follows them, and compares every row."""
        places = find_places(self._stores)
        if afresh or places.folders != self._places.folders:
            if not self._follower.arm(places.folders):
                places.gone()
            self._places = places
            stores = {store.path for store in places.stores}
            self._where = {}
            for path in places.folders:
                where = path if path in stores else ""
                self._where[path] = where
                self._where.setdefault(os.path.realpath(path), where)
        for error in places.errors:
            self._remark(f"{error.filename}: {error.strerror}")
        ledger.follow(places.stores)

    def _take(self, ledger: Ledger, events: list[WatchEvent]) -> None:
        for text in ledger.remarks:
            self._remark(text)
        ledger.remarks.clear()
        if self._mender is None:
            for event in events:
                self._tell(event)
            return
        for event in events:
            if event.kind != "resolved" or event.finding.path not in self._mender.busy:
                self._tell(event)
                self._mender.take(event)
        self._pass_on(self._mender.tick(), ledger)

    def _pass_on(self, events: list[WatchEvent], ledger: Ledger) -> None:
        for event in events:
            if event.kind == "repaired":
                ledger.settled(event.finding.path)
            self._tell(event)

    def _progress(self, done: int, total: int) -> None:
        if self.stop.is_set():
            raise _StoppedError


@contextmanager
def _alone() -> Iterator[None]:
    try:
        home = state.make_home()
    except OSError as error:
        from ..errors import RefusedError

        raise RefusedError(f"{state.home()} cannot be made ({error.strerror})") from error
    held = "is watching ({}): end it first, or give this one a state folder of its own with SESSSCAN_HOME."
    with exclusive(home, "watch.lock", held):
        yield
