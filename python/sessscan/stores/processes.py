"""List the processes of this system.

psutil asks for them. On Windows it needs calls that a system may refuse or lack, and then Toolhelp is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import ProcessListError


@dataclass(frozen=True, slots=True)
class Process:
    """What the system says of one process; None or empty where it does not say."""

    pid: int
    name: str | None = None
    exe: str | None = None
    cmdline: tuple[str, ...] = ()
    uid: int | None = None

    def __str__(self) -> str:
        return f"process {self.pid}, {self.exe or ' '.join(self.cmdline[:1]) or self.name}"


Ways = tuple[tuple[str, Callable[[], Iterator[Process]]], ...]
"""Ways to ask for the processes, with their names. The first that is not refused counts."""


def processes() -> list[Process]:
    """Return the processes of this user (for root and on Windows those of every user).

    Raises `ProcessListError` if no way of asking for them works.
    """
    return ask(WAYS)


def ask(ways: Ways) -> list[Process]:
    """Return what the first of the ways that works gives, or raise `ProcessListError` with what each said."""
    refusals = []
    for name, way in ways:
        try:
            return list(way())
        except Exception as error:  # psutil's own errors too, which only psutil could name
            refusals.append(f"{name}: {error}")
    raise ProcessListError(
        "it is not known whether the Claude desktop app is running, because the system does not list its "
        f"processes ({'; '.join(refusals)}). Make sure that the app is closed, then use --force: it goes "
        "ahead without asking for them."
    )


def _by_psutil() -> Iterator[Process]:
    import psutil  # type: ignore[import-untyped, unused-ignore]  # its types are a package of their own

    mine = os.getuid() if sys.platform != "win32" else None
    attributes = ["pid", "name", "exe", "cmdline", "status"] + (["uids"] if mine is not None else [])
    for process in psutil.process_iter(attributes, ad_value=None):
        info = process.info
        if info["status"] == psutil.STATUS_ZOMBIE:
            continue  # it has ended, and its parent has not collected its exit status yet
        uid = info["uids"].real if info.get("uids") else None
        if mine and uid is not None and uid != mine:
            continue  # another user's app has another store
        yield Process(info["pid"], info["name"], info["exe"], tuple(info["cmdline"] or ()), uid)


def _by_toolhelp() -> Iterator[Process]:
    from . import toolhelp

    for pid, name, program in toolhelp.processes():
        yield Process(pid, name, program)


WAYS: Ways = (("psutil", _by_psutil), *((("Toolhelp", _by_toolhelp),) if sys.platform == "win32" else ()))
