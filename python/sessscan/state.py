"""Find the folder in which sessscan keeps its own state: journals, snapshots, the scan cache, the lock.

What is in it decides what is written into stores: a snapshot gives a row back with its grants, a journal says
which file an undo replaces. So sessscan refuses a state that belongs to another user or that others can
write, as ssh refuses such keys.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import InsecureStateError

INSECURE = "SESSSCAN_INSECURE_STATE"
"""The environment variable that turns the check off, as `--insecure-state` does."""

_PRIVATE = 0o700


def home() -> Path:
    """Return the state folder: `$SESSSCAN_HOME`, else the platform's default. It need not exist.

    Raises `InsecureStateError` if it belongs to another user or others can write it.
    """
    chosen = os.environ.get("SESSSCAN_HOME")
    if chosen:
        folder = Path(chosen).absolute()
    else:
        from platformdirs import user_state_path

        folder = user_state_path("sessscan", appauthor=False)
    check(folder)
    return folder


def make_home() -> Path:
    """Return the state folder, made with mode 0700 if it does not exist, and so its parents."""
    folder = home()
    make_private(folder)
    return folder


def make_private(folder: Path) -> None:
    """Make a folder and those above it that do not exist, each with mode 0700 whatever the umask allows."""
    missing = [each for each in folder.parents if not each.exists()]
    for each in (*reversed(missing), folder):
        each.mkdir(mode=_PRIVATE, exist_ok=True)


def check(*paths: Path) -> None:
    """Raise `InsecureStateError` for a file or folder of the state that somebody else may have written.

    It must belong to this user or to root, and neither its group nor others may write it; of a link, both it
    and what it leads to. What does not exist is all right. Not checked on Windows, where a user's folders
    have their own access lists.
    """
    if os.name != "posix" or os.environ.get(INSECURE):
        return
    for path in paths:
        for look in (os.lstat, os.stat):
            try:
                status = look(path)
            except OSError:
                continue
            if status.st_uid not in (os.geteuid(), 0):
                raise InsecureStateError(f"{path} belongs to another user (uid {status.st_uid})", path)
            if not stat.S_ISLNK(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o022:
                raise InsecureStateError(f"other users can write {path}", path)
