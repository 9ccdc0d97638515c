"""Read how long the CLI keeps transcripts: `cleanupPeriodDays` after their last write, 30 by default."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..render.text import counted, folded

DEFAULT_DAYS = 30
_LARGEST = 1 << 20
"""Bytes of a settings file that are read; the real ones have a few kilobytes."""


@dataclass(frozen=True)
class Period:
    """The time for which the CLI keeps the transcripts under one root."""

    days: float
    source: str
    """The days, and which file says so, in words."""


def period(root: str) -> Period:
    """Return the period for the transcripts under `root`, from the settings.json in the folder above it.

    Without such a file, or with one that cannot be read or makes no sense, it is the default.
    """
    file = Path(root).parent / "settings.json"
    try:
        with file.open("rb") as stream:
            settings = json.loads(stream.read(_LARGEST).decode("utf-8-sig"))
    except FileNotFoundError:
        return _default(f"there is no {file}")
    except OSError as error:
        return _default(f"{file} cannot be read: {error.strerror or error}")
    except (ValueError, RecursionError):
        return _default(f"{file} is not JSON")
    if not isinstance(settings, dict) or "cleanupPeriodDays" not in settings:
        return _default(f"{file} does not say otherwise")
    days = settings["cleanupPeriodDays"]
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days < 1e6:
        return _default(f"{file} says {folded(repr(days)[:40])}, which is no number of days")
    count = int(days) if days == int(days) else days
    return Period(days, f"{counted(count, 'day')}: cleanupPeriodDays in {file}")  # type: ignore[arg-type]


def _default(why: str) -> Period:
    return Period(DEFAULT_DAYS, f"{DEFAULT_DAYS} days, the default: {why}")
