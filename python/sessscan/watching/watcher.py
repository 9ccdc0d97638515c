"""What has changed in some folders, as the system tells it. Never opens a file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence

STEP_MS = 200
"""Between two looks at what the system has told: the price of an idle watch is this one short waking."""
TURN_MS = 400
"""How long a turn lasts in which nothing happens, and one in which something does."""
POLL_MS = 1000
"""Between two looks at the folders themselves, where the system cannot tell."""


class Follower:
    """Follows the entries of folders. What comes between two turns is not lost."""

    def __init__(self, stop: threading.Event, remark: Callable[[str], object]) -> None:
        self._stop = stop
        self._remark = remark
        self._polling: bool | None = None
        self._turns: Generator[set[tuple[int, str]], None, None] | None = None

    def arm(self, folders: Sequence[str]) -> bool:
        """Follows `folders` and no others from now on; False where one of them is gone already."""
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
                force_polling=self._polling,
                poll_delay_ms=POLL_MS,
                recursive=False,
                ignore_permission_denied=True,
            )
            for change in changes:
                yield {(int(kind), path) for kind, path in change}

        self._turns = turns()
        try:
            self._early = next(self._turns, None)  # only now the system is asked
        except FileNotFoundError:
            self._turns = None
            return False
        except (OSError, RuntimeError) as error:
            self._turns = None
            if self._polling:
                raise
            self._remark(
                f"the system cannot tell what changes ({_reason(error)}): sessscan looks for itself each "
                "second, which costs more"
            )
            self._polling = True
            return self.arm(folders)
        return True

    def turn(self) -> set[str]:
        """The paths that have changed: at once where there are any, none after a while without."""
        if self._turns is None:
            self._stop.wait(TURN_MS / 1000)
            return set()
        changes, self._early = self._early or next(self._turns, None), None
        return {path for _, path in changes or ()}

    def close(self) -> None:
        """Follows nothing any more."""
        if self._turns is not None:
            self._turns.close()
        self._turns = self._early = None

    _early: set[tuple[int, str]] | None = None
    """What came while the folders were begun to be followed."""


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
