"""Run a command of the user's for each finding of a watch, which does not wait for it."""

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

from ..errors import UsageError

TIMEOUT = 30.0
"""Seconds that one run of the command may take."""
CLOSE_TIMEOUT = 5.0
"""Seconds that `close` waits for the messages that are still in the queue."""
QUEUE_SIZE = 10_000
"""Messages that may wait for the command; further ones are dropped."""


class Notifier:
    """Runs the command once for each message, one after the other, with the message on its standard input."""

    def __init__(self, command: str, on_remark: Callable[[str], object], *, timeout: float = TIMEOUT) -> None:
        """`command`: a program and its arguments, run without a shell. `on_remark`: called with sentences for
        the user. `timeout`: seconds that one run may take.

        Raises `UsageError` where the command is empty or has an open quote.
        """
        self._arguments = _parse(command)
        self._on_remark = on_remark
        self._timeout = timeout
        self._messages: queue.Queue[bytes | None] = queue.Queue(QUEUE_SIZE)
        self._closing_at: float | None = None
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
        self._thread.start()

    def send(self, message: bytes) -> None:
        """Queue a message for the command; return at once."""
        try:
            self._messages.put_nowait(message)
        except queue.Full:
            self._on_remark(f"--notify: {QUEUE_SIZE:,} messages wait for the command: one was dropped")

    def close(self) -> None:
        """Wait a few seconds for the queued messages, then end the command."""
        self._closing_at = time.monotonic() + CLOSE_TIMEOUT
        try:
            self._messages.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_TIMEOUT + 2)

    def _work(self) -> None:
        while (message := self._messages.get()) is not None:
            try:
                self._run(message)
            except OSError as error:
                self._on_remark(f"--notify: {error.filename or self._arguments}: {error.strerror or error}")
            except Exception as error:  # the thread must go on with the next message
                self._on_remark(f"--notify: {type(error).__name__}: {error}")

    def _run(self, message: bytes) -> None:
        # The command prints to stderr, since stdout is for the watch's own results.
        output = subprocess.DEVNULL if sys.stderr is None else 2
        with subprocess.Popen(
            self._arguments, stdin=subprocess.PIPE, stdout=output, start_new_session=True
        ) as process:
            try:
                if not self._wait_for(process, message):
                    _kill(process)
                    self._on_remark("--notify: the command took too long and was ended")
            except BaseException:
                _kill(process)
                raise
        if process.returncode:
            self._on_remark(f"--notify: the command failed with status {process.returncode}")

    def _wait_for(self, process: subprocess.Popen[bytes], message: bytes) -> bool:
        """Send the message and wait for the command; return whether it ended in time.

        The time is shorter once the watch ends.
        """
        deadline = time.monotonic() + self._timeout
        unsent: bytes | None = message
        while time.monotonic() < min(deadline, self._closing_at or deadline):
            try:
                process.communicate(unsent, timeout=0.2)
                return True
            except subprocess.TimeoutExpired:
                unsent = None  # `communicate` takes the message once and goes on sending it
        return False


def _parse(command: str) -> list[str] | str:
    """Split a command into the program and its arguments."""
    if not command.strip():
        raise UsageError("the command is empty")
    if sys.platform == "win32":
        return command  # a Windows program gets one line and splits it by its own rules
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command and all it has started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except OSError:  # it has ended by itself
        pass
