"""Learn from the system which entries of some folders have changed, without opening any file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence

STEP_MS = 200
"""Milliseconds between two questions to the system. An idle watch costs no more than these short wake-ups."""
TURN_MS = 400
"""Milliseconds that a turn without changes lasts."""
POLL_MS = 1000
"""Milliseconds between two scans of the folders where the system cannot report changes."""


class Watcher:
    """Watches the entries of folders. Changes between two turns are not lost."""

    def __init__(self, stop: threading.Event, on_remark: Callable[[str], object]) -> None:
        """`stop`: ends a turn early. `on_remark`: called with sentences for the user."""
        self._stop = stop
        self._on_remark = on_remark
        self._force_polling: bool | None = None
        self._turns: Generator[set[tuple[int, str]], None, None] | None = None
        self._first_changes: set[tuple[int, str]] | None = None
        """The changes that were reported while `watch` began to watch the folders."""

    def watch(self, folders: Sequence[str]) -> bool:
        """Watch `folders` and no others from now on; return False where one of them does not exist."""
        self.close()
        if not folders:
            return True
        import watchfiles

        def turns() -> Generator[set[tuple[int, str]], None, None]:
            changes = watchfiles.watch(
                *folders,
                watch_filter=None,
                debounce=STEP_MS,
                step=STEP_MS,
                stop_event=self._stop,
                rust_timeout=TURN_MS,
                yield_on_timeout=True,
                force_polling=self._force_polling,
                poll_delay_ms=POLL_MS,
                recursive=False,
                ignore_permission_denied=True,
            )
            for change in changes:
                yield {(int(kind), path) for kind, path in change}

        self._turns = turns()
        try:
            self._first_changes = next(self._turns, None)  # this call begins to watch
        except FileNotFoundError:
            self._turns = None
            return False
        except (OSError, RuntimeError) as error:
            self._turns = None
            if self._force_polling:
                raise
            self._on_remark(
                f"the system cannot report changes ({_reason(error)}): the folders are scanned every second "
                "instead, which costs more"
            )
            self._force_polling = True
            return self.watch(folders)
        return True

    def turn(self) -> set[str]:
        """Return the paths that have changed: at once if there are any, or none after a short time."""
        if self._turns is None:
            self._stop.wait(TURN_MS / 1000)
            return set()
        changes, self._first_changes = self._first_changes or next(self._turns, None), None
        return {path for _, path in changes or ()}

    def close(self) -> None:
        """Stop watching."""
        if self._turns is not None:
            self._turns.close()
        self._turns = self._first_changes = None


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
