"""Open files of the user for reading, without being in the way of the app that writes them."""

from __future__ import annotations

import os
import sys
from io import BufferedReader

from .. import _core

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def open_descriptor(path: str, *, follow: bool = False) -> int:
    """Open a file for reading and return its descriptor; with `follow` also one behind a link.

    Does not wait for a pipe. On Windows the app can replace, rename and delete the file meanwhile, and a file
    whose content is in the cloud is an error. Raises OSError.
    """
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.open_osfhandle(_core.open_handle(path, follow=follow), os.O_RDONLY | os.O_BINARY)
    return os.open(path, _FLAGS if follow else _FLAGS | _NO_FOLLOW)


def open_stream(path: str, *, follow: bool = False) -> BufferedReader:
    """Open a file for reading as `open_descriptor` does, and return a stream of its bytes."""
    return open(path, "rb", opener=lambda name, _: open_descriptor(name, follow=follow))


def changed_ns(path: str, status: os.stat_result) -> int:
    """Return when anything about a file was last changed, its name included, epoch ns. Raises OSError.

    `status`: the file's. On Windows `st_ctime` is the time of birth, and the system is asked once more.
    """
    if sys.platform == "win32":
        return _core.changed_at(path)
    return status.st_ctime_ns
