"""Run `sessscan watch` as a user does, and damage rows from another process."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TIMEOUT = 60.0
"""Seconds to wait for what takes one or two on an idle machine."""

Event = dict[str, Any]

DAMAGE = """
import os, sys, time
how, path = sys.argv[1:]
size = os.path.getsize(path)
if how == "truncate":
    os.truncate(path, size // 2)
elif how == "zero":
    with open(path, "r+b") as file:
        file.write(bytes(size))
else:
    if how == "delete":
        name = os.path.basename(path).removeprefix("local_").removesuffix(".json")
        tombstone = os.path.join(os.path.dirname(path), "deleted_" + name)
    os.remove(path)
    if how == "delete":
        time.sleep(0.2)
        with open(tombstone, "w") as file:
            file.write(str(int(time.time() * 1000)))
print(time.time())
"""


def damage(how: str, path: Path) -> float:
    """Damage a row from another process; return when, in epoch seconds.

    `how`: truncate, zero, delete (as the app does, with a tombstone) or remove (without one).
    """
    command = [sys.executable, "-c", DAMAGE, how, str(path)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


class Watching:
    """A running `sessscan watch`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[Event] = []
        self.remarks: list[str] = []
        self._arrived: queue.Queue[None] = queue.Queue()
        for stream, take in ((process.stdout, self._event), (process.stderr, self.remarks.append)):
            threading.Thread(target=self._read, args=(stream, take), daemon=True).start()

    def _event(self, line: str) -> None:
        self.events.append(json.loads(line))

    def _read(self, stream: Any, take: Callable[[str], None]) -> None:
        for line in stream:
            take(line)
            self._arrived.put(None)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until `condition` returns something true, and return that."""
        end = time.monotonic() + TIMEOUT
        while not (found := condition()):
            rest = end - time.monotonic()
            assert rest > 0, f"events: {self.events}\nremarks: {self.remarks}"
            with contextlib.suppress(queue.Empty):
                self._arrived.get(timeout=min(rest, 0.2))
        return found

    def events_of(self, kind: str, path: Path) -> list[Event]:
        """Return the events of one kind about one path."""
        return [event for event in self.events if (event["event"], event["path"]) == (kind, str(path))]

    def event(self, kind: str, path: Path) -> Event:
        """Wait for an event of one kind about one path, and return the first."""
        return self.until(lambda: self.events_of(kind, path))[0]

    def remark(self, text: str) -> str:
        """Wait for a line on stderr that contains `text`, and return it."""
        return self.until(lambda: [line for line in list(self.remarks) if text in line])[0]

    def end(self, signal: int) -> int:
        """End the watch by a signal; return its exit status."""
        self.process.send_signal(signal)
        return self.process.wait(TIMEOUT)


@contextlib.contextmanager
def watching(env: dict[str, str], *arguments: object) -> Iterator[Watching]:
    """Run a watch, and yield it once it has begun."""
    command = [sys.executable, "-m", "sessscan", "watch", "--format", "jsonl", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=env
    ) as process:
        try:
            watch = Watching(process)
            watch.remark("watching ")
            yield watch
        finally:
            process.kill()
