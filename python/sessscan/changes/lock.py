"""Let one sessscan at a time write into stores.

The system holds the lock and releases it when its process ends, however it ends: the lock of a dead process
is free. The text in the lock file only tells other processes who holds the lock.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import LockedError, RefusedError

_LOCKED_BYTE = 1 << 30
"""On Windows no other process can read a locked byte, so this one lies beyond the text."""


def _acquire(descriptor: int) -> bool:
    """Take the lock. Return False if another process holds it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK, 0):  # 0: wine gives no number
                raise
            return False
    else:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _age(seconds: float) -> str:
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def _holder(descriptor: int) -> str:
    """Return who holds the lock and for how long. The text that says so may be half written."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        owner = json.loads(os.read(descriptor, 4096))
        age = _age(time.time() - float(owner["since"]))
        return f"process {int(owner['pid'])} of {owner['user']}, for {age}"
    except (ValueError, KeyError, TypeError, OSError):
        return "another process"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment and none in the user database
        return "this user"


def _write_text(descriptor: int, text: str) -> None:
    """Replace the text in the lock file, best effort: on a full disk the lock holds without it."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())


@contextlib.contextmanager
def exclusive(
    home: Path, name: str = "lock", held: str = "is writing ({}): try again when it has finished."
) -> Iterator[None]:
    """Hold a lock in the state folder `home`, which must exist; by default the lock for writing into stores.

    `held` says what another sessscan that holds the lock is doing, with `{}` for its process.

    Raises `LockedError`, which names the process and how long it has held the lock, or `RefusedError` if the
    lock file cannot be opened or locked.
    """
    path = home / name
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise RefusedError(f"{path} cannot be opened ({error.strerror})") from error
    try:
        try:
            free = _acquire(descriptor)
        except OSError as error:
            raise RefusedError(f"{path} cannot be locked ({error.strerror})") from error
        if not free:
            raise LockedError(f"another sessscan {held.format(_holder(descriptor))}")
        _write_text(descriptor, json.dumps({"pid": os.getpid(), "user": _user(), "since": time.time()}))
        try:
            yield
        finally:
            _write_text(descriptor, "")
    finally:
        os.close(descriptor)
