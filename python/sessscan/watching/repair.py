"""Put rows back during a watch, once the app is closed, with the ordinary plan, lock and journal.

A reconciliation reads every transcript, which takes time; so it runs in a thread of its own beside the watch.
Rows that it holds stay held.
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
from ..errors import AppRunningError, ProcessListError, RefusedError, SessscanError
from ..model import Finding, WatchEvent
from ..reconciliation import reconcile
from ..stores.app import find_app

POLL_INTERVAL = 2.0
"""Seconds between two checks whether the app is running; made only while a row waits to be put back."""
CLOSED_CHECKS = 2
"""Checks in a row that must not find the app: it may still be writing while it ends."""
RETRY_DELAY = 15.0
"""Seconds until the next attempt after one that failed."""


@dataclass
class _Outcome:
    """What one attempt has achieved."""

    events: list[WatchEvent]
    done: dict[str, Finding]
    """The findings that need no further attempt, by path."""
    obstacle: str | None = None
    """Why nothing could be put back, in a sentence for the user."""
    delay: float = RETRY_DELAY
    """Seconds until the next attempt, if any finding is left."""


class Repairer:
    """Puts the lost rows back that a watch has reported."""

    def __init__(
        self,
        stores: Sequence[str] | None,
        projects: Sequence[str] | None,
        on_remark: Callable[[str], object],
    ) -> None:
        """`stores`, `projects`: absolute paths, or None as in `reconcile`. `on_remark`: called with sentences
        for the user."""
        self._stores = stores
        self._projects = projects
        self._on_remark = on_remark
        self._waiting: dict[str, Finding] = {}
        self._outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._next_check = 0.0
        self._closed_checks = 0
        self._last_remark: str | None = None
        self.busy: frozenset[str] = frozenset()
        """The paths of the rows that are being put back now."""

    def note(self, event: WatchEvent) -> None:
        """Note an event of the watch: a lost row waits to be put back, a healthy one does not any more."""
        if event.kind == "finding" and event.finding.session_id is not None:
            self._waiting[event.finding.path] = event.finding
        elif event.kind == "resolved":
            self._waiting.pop(event.finding.path, None)

    def poll(self) -> list[WatchEvent]:
        """Start an attempt if rows wait and the app is closed; return the events of one that has ended."""
        events: list[WatchEvent] = []
        if self._thread is not None:
            if self._thread.is_alive():
                return events
            self._finish(events)
        now = time.monotonic()
        if not self._waiting:
            self._closed_checks = 0
            self._last_remark = None
        elif now >= self._next_check:
            self._next_check = now + POLL_INTERVAL
            try:
                app = find_app()
            except ProcessListError as error:
                self._closed_checks = 0
                self._remark(f"nothing was put back yet: {error}")
                return events
            self._closed_checks = 0 if app is not None else self._closed_checks + 1
            if app is not None:
                self._remark(f"the desktop app is running ({app}): rows are put back once it is closed")
            elif self._closed_checks >= CLOSED_CHECKS:
                self._start()
        return events

    def close(self) -> list[WatchEvent]:
        """Wait for the attempt that is running, if any; return its events."""
        events: list[WatchEvent] = []
        if self._thread is not None:
            self._thread.join()
            self._finish(events)
        return events

    def _start(self) -> None:
        wanted = dict(self._waiting)
        self.busy = frozenset(wanted)

        def work() -> None:
            self._outcomes.put(self._attempt(wanted))

        self._thread = threading.Thread(target=work, name="repair")
        self._thread.start()

    def _finish(self, events: list[WatchEvent]) -> None:
        self._thread = None
        self.busy = frozenset()
        outcome = self._outcomes.get()
        for path, finding in outcome.done.items():
            if self._waiting.get(path) == finding:
                del self._waiting[path]
        if outcome.obstacle is not None:
            self._remark(outcome.obstacle)
        if self._waiting:
            self._next_check = time.monotonic() + outcome.delay
        events.extend(outcome.events)

    def _remark(self, text: str) -> None:
        if text != self._last_remark:
            self._last_remark = text
            self._on_remark(text)

    def _attempt(self, wanted: dict[str, Finding]) -> _Outcome:
        try:
            return _restore(wanted, self._stores, self._projects)
        except AppRunningError:
            return _Outcome([], {}, None, POLL_INTERVAL)
        except RefusedError as error:
            return _Outcome([], {}, f"nothing was put back yet: {error}")
        except (OSError, SessscanError) as error:
            return _Outcome([], {}, f"nothing could be put back yet: {error}")
        except Exception as error:  # the thread would lose it: it is reported, and the watch goes on
            return _Outcome([], wanted, f"nothing was put back: {type(error).__name__}: {error}")


def _restore(
    wanted: dict[str, Finding], stores: Sequence[str] | None, projects: Sequence[str] | None
) -> _Outcome:
    """Reconcile, and apply what is planned for the rows in `wanted` alone."""
    existing_stores = None if stores is None else [path for path in stores if Path(path).is_dir()]
    existing_projects = None if projects is None else [path for path in projects if Path(path).is_dir()]
    plan = reconcile(existing_stores, existing_projects)
    undone = _undone_paths()
    outcome = _Outcome([], {})
    actions = []
    for action in plan.actions:
        if action.path not in wanted:
            continue
        if action.path in undone:
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
            continue  # refused, since a file it rests on has just changed: the next attempt may succeed
        outcome.done[action.path] = finding
    planned = {action.path for action in plan.actions}
    # For the others there is nothing to do: the session was deleted, or the row is healthy again.
    outcome.done.update((path, finding) for path, finding in wanted.items() if path not in planned)
    return outcome


def _event(
    kind: Literal["repaired", "held", "failed"], finding: Finding, message: str, run: str | None = None
) -> WatchEvent:
    return WatchEvent(kind, replace(finding, message=message), time.time_ns() // 1_000_000, run)


def _undone_paths() -> set[str]:
    """Return the files whose newest change was undone: the user does not want it made again."""
    newest: dict[str, bool] = {}
    for run in journal.runs()[0]:
        for entry in run.entries:
            newest.setdefault(entry.path, entry.undone)
    return {path for path, undone in newest.items() if undone}
