"""Keep transcripts during a watch, as they grow."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from ..errors import SessscanError, describe
from ..keeping.capture import TranscriptsReport, keep_transcripts
from ..keeping.database import folder
from ..stores.project_files import list_transcripts

BETWEEN = 1.0
"""Seconds between two transactions at least: what is appended meanwhile is one version."""
RESCAN = 60.0
"""Seconds between two looks at all transcripts, for changes that the system did not report."""
SECOND_LOOK = 5.0
"""Seconds after the first, by when the system reports changes."""


class TranscriptKeeper:
    """Keeps the transcripts under some roots, in a thread of its own."""

    def __init__(self, roots: Sequence[str], stop: threading.Event) -> None:
        """`roots`: existing folders. `stop`: ends the thread within a second or so."""
        self._roots = roots
        self._stop = stop
        self._lock = threading.Lock()
        self._changed = set[str]()
        """The transcripts that have changed: one entry each, however often they do."""
        self._is_begun = False
        """Whether all were looked at once: what changes afterwards is little, and is kept before the end."""
        self._said = set[str]()
        self.remarks: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Sentences for the user, each once."""
        self._thread = threading.Thread(target=self._run, name="keeping", daemon=True)

    def start(self) -> None:
        """Begin with all transcripts that there are."""
        self._thread.start()

    def note_change(self, path: str) -> None:
        """Have a transcript kept soon. Any thread may call this."""
        with self._lock:
            self._changed.add(path)

    def close(self) -> None:
        """Wait until what has changed by now is kept."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        rest, interval = 0.0, SECOND_LOOK
        while True:
            stopped = self._stop.is_set()
            with self._lock:
                paths, self._changed = sorted(self._changed), set()
            if (rest <= 0 and not stopped) or (stopped and self._is_begun):
                rest, interval = interval, RESCAN
                paths = list_transcripts(self._roots).transcripts
            if paths:
                self._keep(paths)
            if stopped:
                return
            self._stop.wait(BETWEEN)
            rest -= BETWEEN

    def _keep(self, paths: list[str]) -> None:
        def check_stopped(_: int, __: int) -> None:
            if self._stop.is_set() and not self._is_begun:
                raise _StoppedError

        try:
            report = TranscriptsReport(folder=folder(make=True))
            keep_transcripts(paths, report, progress=check_stopped, passing=True)
        except _StoppedError:
            return
        except (SessscanError, OSError) as error:
            self._say(f"transcripts are not kept: {describe(error)}")
            return
        self._is_begun = True
        for text in report.remarks:
            self._say(text)
        for path, reason in report.failed:
            self._say(f"{path} is not kept: {reason}")

    def _say(self, text: str) -> None:
        if text not in self._said and len(self._said) < _MOST_REMARKS:
            self._said.add(text)
            self.remarks.put(text)


_MOST_REMARKS = 1_000


class _StoppedError(Exception):
    """The watch was stopped while it looked at all transcripts."""
