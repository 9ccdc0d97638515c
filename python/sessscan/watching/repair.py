"""Putting rows back while a watch goes on: once the app is closed, by the ordinary plan, lock and journal.

A reconciliation reads every transcript, which takes its time; so it runs beside the watch, in a thread of its
own. What it holds stays held.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..changes import journal
from ..errors import AppRunningError, RefusedError, SessscanError
from ..model import Finding, WatchEvent
from ..reconciliation import reconcile
from ..stores.app import find_app
from .tracker import told_otherwise

POLL = 2.0
"""Seconds between two looks whether the app is running; only while something waits to be put back."""
QUIET = 2
"""How often in a row the app must not be seen: it may still be writing while it ends."""
BACKOFF = 15.0
"""Seconds until another try, where something stood in the way."""


@dataclass
class _Outcome:
    events: list[WatchEvent]
    done: dict[str, Finding]
    """What has an outcome; all else waits on."""
    obstacle: str | None = None
    again: float = BACKOFF


class Mender:
    """The rows that wait to be put back."""

    def __init__(
        self,
        stores: Sequence[str] | None,
        projects: Sequence[str] | None,
        remark: Callable[[str], object],
    ) -> None:
        self._stores = stores
        self._projects = projects
        self._remark = remark
        self._waiting: dict[str, Finding] = {}
        self._outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._next = 0.0
        self._quiet = 0
        self._said: str | None = None
        self.busy: frozenset[str] = frozenset()
        """The rows that are being put back just now."""

    def take(self, event: WatchEvent) -> None:
        """Takes note of what was told: a damaged row waits, one that is well again does not."""
        if event.kind == "finding" and event.finding.session_id is not None:
            self._waiting[event.finding.path] = event.finding
        elif event.kind == "resolved":
            self._waiting.pop(event.finding.path, None)

    def tick(self) -> list[WatchEvent]:
        """Begins to put rows back if it can be done now; returns what has become of those begun before."""
        events: list[WatchEvent] = []
        if self._worker is not None:
            if self._worker.is_alive():
                return events
            self._finish(events)
        now = time.monotonic()
        if not self._waiting:
            self._quiet = 0
            self._said = None
        elif now >= self._next:
            self._next = now + POLL
            app = find_app()
            self._quiet = 0 if app is not None else self._quiet + 1
            if app is not None:
                self._say(f"the desktop app is running ({app}): rows are put back once it is closed")
            elif self._quiet >= QUIET:
                self._begin()
        return events

    def close(self) -> list[WatchEvent]:
        """Waits for what was begun; returns what has become of it."""
        events: list[WatchEvent] = []
        if self._worker is not None:
            self._worker.join()
            self._finish(events)
        return events

    def _begin(self) -> None:
        wanted = dict(self._waiting)
        self.busy = frozenset(wanted)

        def work() -> None:
            self._outcomes.put(self._mend(wanted))

        self._worker = threading.Thread(target=work, name="mending")
        self._worker.start()

    def _finish(self, events: list[WatchEvent]) -> None:
        self._worker = None
        self.busy = frozenset()
        outcome = self._outcomes.get()
        for path, finding in outcome.done.items():
            if self._waiting.get(path) == finding:
                del self._waiting[path]
        if outcome.obstacle is not None:
            self._say(outcome.obstacle)
        if self._waiting:
            self._next = time.monotonic() + outcome.again
        events.extend(outcome.events)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._remark(text)

    def _mend(self, wanted: dict[str, Finding]) -> _Outcome:
        try:
            return _mend(wanted, self._stores, self._projects)
        except AppRunningError:
            return _Outcome([], {}, None, POLL)
        except RefusedError as error:
            return _Outcome([], {}, f"nothing was put back yet: {error}")
        except (OSError, SessscanError) as error:
            return _Outcome([], {}, f"nothing could be put back yet: {error}")
        except Exception as error:  # a thread's error would be lost: the watch goes on, and says it
            return _Outcome([], wanted, f"nothing was put back: {type(error).__name__}: {error}")


def _mend(
    wanted: dict[str, Finding], stores: Sequence[str] | None, projects: Sequence[str] | None
) -> _Outcome:
    """Reconciles, and carries out what is planned for the rows in `wanted`; only for those."""
    there = None if stores is None else [path for path in stores if Path(path).is_dir()]
    roots = None if projects is None else [path for path in projects if Path(path).is_dir()]
    plan = reconcile(there, roots)
    reverted = _reverted()
    outcome = _Outcome([], {})
    actions = []
    for action in plan.actions:
        if action.path not in wanted:
            continue
        if action.path in reverted:
            finding = outcome.done[action.path] = wanted[action.path]
            outcome.events.append(
                _event("held", finding, "Not put back: you have taken that back with `sessscan undo`.")
            )
        else:
            actions.append(action)
    report = replace(plan, actions=tuple(actions)).apply()
    for action in report.actions:
        finding = wanted[action.path]
        if action.status == "applied":
            doubt = f" ({action.error})" if action.error else ""
            message = f"The row was put back{doubt}. `sessscan undo {report.run}` takes it back."
            outcome.events.append(_event("repaired", finding, message, report.run))
        elif action.status == "held":
            outcome.events.append(_event("held", finding, f"Not put back: {action.error}."))
        elif action.status == "failed":
            outcome.events.append(_event("failed", finding, f"It could not be put back: {action.error}."))
        else:
            continue  # what it rested on has just changed: another time
        outcome.done[action.path] = finding
    planned = {action.path for action in plan.actions}
    # Nothing is to be done about the rest: the session was deleted, or the row is well again.
    outcome.done.update((path, finding) for path, finding in wanted.items() if path not in planned)
    return outcome


def _event(
    kind: Literal["repaired", "held", "failed"], finding: Finding, message: str, run: str | None = None
) -> WatchEvent:
    return WatchEvent(kind, told_otherwise(finding, message), time.time_ns() // 1_000_000, run)


def _reverted() -> set[str]:
    """The files whose newest change was taken back: who does that does not want it done again."""
    newest: dict[str, bool] = {}
    for run in journal.runs()[0]:
        for entry in run.entries:
            newest.setdefault(entry.path, entry.undone)
    return {path for path, undone in newest.items() if undone}
