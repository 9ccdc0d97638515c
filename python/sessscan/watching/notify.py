"""Running a command of the user's for what a watch tells. The watch never waits for it."""

from __future__ import annotations

import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

TIMEOUT = 30.0
"""Seconds that one run of the command may take."""
FAREWELL = 5.0
"""Seconds for which the end waits for what is still to be told."""
_ROOM = 10_000


def parse(command: str) -> list[str] | str:
    """The program and its arguments; no shell. Raises ValueError where that cannot be."""
    if not command.strip():
        raise ValueError("the command is empty")
    # Windows has no arguments but one line, which each program takes apart in its own way.
    return command if sys.platform == "win32" else shlex.split(command)


class Messenger:
    """Runs the command once for each message, one after the other, the message on its standard input."""

    def __init__(self, command: str, remark: Callable[[str], object], *, timeout: float = TIMEOUT) -> None:
        self._arguments = parse(command)
        self._remark = remark
        self._timeout = timeout
        self._messages: queue.Queue[bytes | None] = queue.Queue(_ROOM)
        self._ending: float | None = None
        self._worker = threading.Thread(target=self._work, name="notify", daemon=True)
        self._worker.start()

    def send(self, message: bytes) -> None:
        """Has the command run with `message`, soon."""
        try:
            self._messages.put_nowait(message)
        except queue.Full:
            self._remark(f"--notify: {_ROOM:,} messages wait for the command already; one is left out")

    def close(self) -> None:
        """Waits a little for what is still to be sent, and ends the command then."""
        self._ending = time.monotonic() + FAREWELL
        try:
            self._messages.put_nowait(None)
        except queue.Full:
            return
        self._worker.join(FAREWELL + 2)

    def _work(self) -> None:
        while (message := self._messages.get()) is not None:
            try:
                self._run(message)
            except OSError as error:
                self._remark(f"--notify: {error.filename or self._arguments}: {error.strerror or error}")
            except Exception as error:  # the thread must live on for what comes next
                self._remark(f"--notify: {type(error).__name__}: {error}")

    def _run(self, message: bytes) -> None:
        # Results go to stdout, and what the command prints is none of ours.
        output = subprocess.DEVNULL if sys.stderr is None else 2
        with subprocess.Popen(
            self._arguments, stdin=subprocess.PIPE, stdout=output, start_new_session=True
        ) as process:
            try:
                if not self._finished(process, message):
                    _kill(process)
                    self._remark("--notify: the command was ended, it took too long")
            except BaseException:
                _kill(process)
                raise
        if process.returncode:
            self._remark(f"--notify: the command failed with status {process.returncode}")

    def _finished(self, process: subprocess.Popen[bytes], message: bytes) -> bool:
        """Whether the command ends in its time, which is shorter once the watch ends."""
        deadline = time.monotonic() + self._timeout
        rest: bytes | None = message
        while time.monotonic() < min(deadline, self._ending or deadline):
            try:
                process.communicate(rest, timeout=0.2)
                return True
            except subprocess.TimeoutExpired:
                rest = None  # it is being sent already
        return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the command and what it has started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except OSError:  # it has just ended
        pass
