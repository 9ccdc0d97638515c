"""Errors in words, and their exit status."""

from __future__ import annotations

from typing import NoReturn

from ..errors import JournalError, PlanFileError, RefusedError, SessscanError, UnconfirmedError
from .options import fail


def report(error: Exception) -> NoReturn:
    """Says what went wrong and ends; an error that is nobody's fault but ours goes on as it is."""
    if isinstance(error, PlanFileError):
        fail(str(error), 2)
    if isinstance(error, RefusedError):
        fail(f"refused, nothing was written: {error}", 3)
    if isinstance(error, UnconfirmedError):
        fail(str(error), 5)
    if isinstance(error, JournalError):
        fail(f"the journal cannot be read: {error}", 4)
    if isinstance(error, SessscanError):
        fail(str(error), 4)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}", 4)
    raise error


def usage(error: Exception) -> NoReturn:
    """What was asked for makes no sense: one line, and status 2."""
    fail(str(error), 2)
