"""One writer at a time.

The system holds the lock and drops it when its process ends, however it ends: a lock of a dead process is
simply free. What stands in the file is only there to tell the next one who holds it.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import LockedError, RefusedError

_SPAN = (1 << 30, 1)  # on Windows a locked byte cannot be read by others: lock one beyond the text


def _acquire(descriptor: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _SPAN[0], os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, _SPAN[1])
        except PermissionError:
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
    """Who holds it and since when, as far as its text tells; it may be in the middle of being written."""
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


def _sign(descriptor: int, text: str) -> None:
    """A full disk does not take the text, and the lock holds without it."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())


@contextlib.contextmanager
def exclusive(
    home: Path, name: str = "lock", held: str = "is writing ({}): try again when it has finished."
) -> Iterator[None]:
    """Holds a lock of the state folder `home`, which must exist: by default that of who writes into stores.

    `held` says what another sessscan does that holds it.

    Raises `LockedError`, naming the owner and how long it has held the lock, or `RefusedError` where there
    can be no lock.
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
        _sign(descriptor, json.dumps({"pid": os.getpid(), "user": _user(), "since": time.time()}))
        try:
            yield
        finally:
            _sign(descriptor, "")
    finally:
        os.close(descriptor)
