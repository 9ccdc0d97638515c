"""Follow transcripts during a watch: report when one is damaged, and repair it if that was asked for.

A transcript that is being written looks torn for a moment, so it is looked at when it has been quiet for a
while. A long one is read whole each time, so a session that goes on is looked at now and then only.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from .. import _core
from ..errors import RefusedError, SessscanError
from ..mending import repair
from ..model import Action, Finding, WatchEvent, WatchEventKind
from ..reconciliation.transcript_damage import broken_chain, damaged_transcript, unpaired_call
from ..render.text import command
from ..scan_cache.conversations import check_many
from ..stores.live_sessions import in_use
from ..stores.locate import TRANSCRIPT_NAME

QUIET = 1.0
"""Seconds without a change after which a transcript is looked at."""
BETWEEN = 10.0
"""Seconds between two looks at one transcript at least."""
STEP_MS = 300
"""Milliseconds between two questions to the system."""
RETRY = 5.0
"""Seconds between two attempts to repair one."""


class TranscriptWatch:
    """Reports damage to the transcripts under some roots, and repairs them."""

    def __init__(
        self,
        roots: Sequence[str],
        stop: threading.Event,
        on_remark: Callable[[str], object],
        *,
        repairs: bool,
        on_change: Callable[[str], object] | None = None,
    ) -> None:
        """`roots`: existing folders. `stop`: ends the thread that asks the system. `repairs`: whether to mend
        what is damaged. `on_change`: called by that thread with the path of each that changes."""
        self._roots = roots
        self._stop = stop
        self._on_remark = on_remark
        self._repairs = repairs
        self._on_change = on_change
        self._changes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._due: dict[str, float] = {}
        """When each changed transcript is looked at, in seconds of the monotonic clock."""
        self._looked: dict[str, float] = {}
        """When each was last looked at."""
        self._reported: dict[str, dict[str, Finding]] = {}
        """What was reported of each and still stands, by rule."""
        self._waiting: dict[str, float] = {}
        """When the next attempt is made to repair each damaged one."""
        self._thread = threading.Thread(target=self._follow, name="transcripts", daemon=True)

    def start(self, findings: Iterable[Finding]) -> None:
        """Begin to follow. `findings`: what stands already, and is not reported again."""
        for finding in findings:
            if finding.transcript == finding.path and finding.rule in _RULES:
                self._reported.setdefault(finding.path, {})[finding.rule] = finding
        if self._roots:
            self._thread.start()

    def poll(self) -> list[WatchEvent]:
        """Look at what has changed and is quiet now, and go on with the repairs; return what is to be
        reported."""
        now = time.monotonic()
        while not self._changes.empty():
            path = self._changes.get()
            self._due[path] = max(now + QUIET, self._looked.get(path, -BETWEEN) + BETWEEN)
        events: list[WatchEvent] = []
        for path in [path for path, due in self._due.items() if due <= now]:
            del self._due[path]
            self._looked[path] = now
            events += self._look(path)
        for path in [path for path, due in self._waiting.items() if due <= now]:
            self._waiting[path] = now + RETRY
            events += self._repair(path)
        return events

    def _follow(self) -> None:
        """Ask the system which transcripts have changed, until the watch stops."""
        import watchfiles

        try:
            for changes in watchfiles.watch(
                *self._roots,
                watch_filter=lambda _, path: TRANSCRIPT_NAME.fullmatch(Path(path).name) is not None,
                debounce=STEP_MS,
                step=STEP_MS,
                stop_event=self._stop,
                rust_timeout=1000,
                ignore_permission_denied=True,
            ):
                for _, path in changes:
                    self._changes.put(path)
                    if self._on_change is not None:
                        self._on_change(path)
        except (OSError, RuntimeError) as error:
            self._on_remark(f"transcripts are not watched: {error}")

    def _look(self, path: str) -> list[WatchEvent]:
        before = self._reported.pop(path, {})
        found = {finding.rule: finding for finding in _findings(path)}
        if found:
            self._reported[path] = found
            if self._repairs:
                self._waiting.setdefault(path, time.monotonic())
        else:
            self._waiting.pop(path, None)
        events = [_event("finding", one) for rule, one in found.items() if rule not in before]
        if before and not found:
            last = next(iter(before.values()))
            events.append(_event("resolved", replace(last, message="The transcript is whole again.")))
        return events

    def _repair(self, path: str) -> list[WatchEvent]:
        """Try to repair a transcript. One that is in use is tried again later."""
        finding = next(iter(self._reported.get(path, {}).values()), None)
        if finding is None:
            del self._waiting[path]
            return []
        if in_use(path) is not None:
            return []
        try:
            report = repair(path, ()).apply()
        except RefusedError:
            return []
        except (OSError, SessscanError) as error:
            del self._waiting[path]
            return [_event("failed", replace(finding, message=f"It could not be repaired: {error}."))]
        if any(action.status == "refused" for action in report.actions):
            return []
        del self._waiting[path]
        return [self._outcome(finding, action, report.run) for action in report.actions]

    def _outcome(self, finding: Finding, action: Action, run: str | None) -> WatchEvent:
        """Return the event that tells what became of a transcript."""
        if action.status != "applied":
            kind: WatchEventKind = "held" if action.status == "held" else "failed"
            return _event(kind, replace(finding, message=f"Not repaired: {action.error}."))
        self._reported.pop(finding.path, None)
        message = f"The transcript was repaired. `sessscan undo {run}` takes it back."
        return _event("repaired", replace(finding, message=message), run)


_RULES = frozenset({"damaged-transcript", "broken-chain", "unpaired-call"})


def _findings(path: str) -> list[Finding]:
    """Return what is damaged in a transcript, with the command that repairs it.

    Nothing is returned for one that cannot be read.
    """
    try:
        transcript = _core.scan(path)
    except OSError:
        return []
    check = check_many([path], index=False).get(path)
    found = list(damaged_transcript(transcript, check))
    if check is not None:
        found += [*broken_chain(transcript, check), *unpaired_call(transcript, check)]
    offer = f" Repair it with: {command(['sessscan', 'repair', path, '--apply'])}"
    return [replace(one, message=one.message.partition(" `sessscan repair`")[0] + offer) for one in found]


def _event(kind: WatchEventKind, finding: Finding, run: str | None = None) -> WatchEvent:
    return WatchEvent(kind, finding, time.time_ns() // 1_000_000, run)
