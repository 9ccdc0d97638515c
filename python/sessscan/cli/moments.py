"""Points in time as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

UNITS = {"min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
"""Milliseconds."""

_AGO = re.compile(r"([0-9]{1,9})\s*(min|h|d|w)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def moment(text: str, now: int, *, end: bool = False) -> int:
    """Epoch ms of an RFC 3339 time (without a zone: local), a date (local; with `end` its last millisecond),
    or so long before `now`: 90min, 12h, 3d, 2w. Raises `ValueError` for anything else."""
    text = text.strip()
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * UNITS[ago[2]]
    try:
        time = datetime.fromisoformat(text)
        if end and _DATE.fullmatch(text):
            return _epoch(time + timedelta(days=1)) - 1
        return _epoch(time)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            "no time: type 2026-03-01, 2026-03-01T12:00:00Z, or 90min, 12h, 3d, 2w ago"
        ) from None


def _epoch(time: datetime) -> int:
    return int(time.timestamp() * 1000)
