"""Turn an exception into a message on stderr and an exit status."""

from __future__ import annotations

from traceback import format_exception
from typing import NoReturn

from ..errors import (
    JournalError,
    PlanFileError,
    RefusedError,
    SessscanError,
    UnconfirmedError,
    UsageError,
)
from .options import fail

_OUTCOMES: tuple[tuple[type[SessscanError], int, str], ...] = (
    (UsageError, 2, ""),
    (PlanFileError, 2, ""),
    (RefusedError, 3, "refused, nothing was written: "),
    (UnconfirmedError, 5, ""),
    (JournalError, 4, "the journal cannot be read: "),
    (SessscanError, 4, ""),
)
"""The exit status of each kind of error, and what its message begins with. The first that fits counts."""

INTERNAL_ERROR = 70
"""The status of a bug in sessscan: `EX_SOFTWARE` of sysexits.h, since 1 means that a session is lost."""


def report(error: Exception) -> NoReturn:
    """Print what went wrong, and exit with the status for it. Any other exception is a bug in sessscan."""
    for kind, status, start in _OUTCOMES:
        if isinstance(error, kind):
            fail(f"{start}{error}", status)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}", 4)
    _report_bug(error)


def _report_bug(error: Exception) -> NoReturn:
    from ..render.screen import remark

    # `remark` cleans each line: a traceback may quote titles and paths.
    for line in "".join(format_exception(error)).splitlines():
        remark(line)
    fail(
        f"an internal error: {type(error).__name__}. This is a bug in sessscan: please report it, with the "
        "lines above",
        INTERNAL_ERROR,
    )
