"""Parse the points in time that people type: `list --since`, `list --until`, `restore --at`."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta, timezone

from ..errors import TimeFormatError
from .options import fail

TIMES = (
    "2026-03-01, 2026-03-01T12:00, 2026-03-01T12:00:00Z, or 12h, 3d, 2w ago. "
    "Local time unless a zone is given."
)
"""The times that an option takes, for its help."""

_UNITS = {"min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}  # milliseconds
_AGO = re.compile(r"([0-9]{1,9})\s*(min|h|d|w)")
_EPOCH_MS = re.compile(r"[0-9]{12,}")
"""From 1973 on. Fewer digits are a date without hyphens, or a mistake."""
_CLOCK = re.compile(r"[Tt ]([0-9:]+)([.,][0-9]+)?")
"""The time of day in an RFC 3339 time, and the fraction of its second."""
_LENGTHS = {2: 3_600_000, 4: 60_000, 6: 1_000}  # milliseconds, by the digits of a time of day

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def parsed(option: str, text: str | None, *, end: bool = False) -> int | None:
    """Return the `moment` given with an option, None without one. Exits with status 2 if it is not a time."""
    if text is None:
        return None
    try:
        return moment(text, time.time_ns() // 1_000_000, end=end)
    except TimeFormatError as error:
        fail(f"{option} {text}: {error}", 2)


def moment(text: str, now: int, *, end: bool = False) -> int:
    """Return the point in time that `text` names, in epoch ms; with `end` the last millisecond of it.

    `text` is an RFC 3339 time, a date, a time to the hour, minute or second, epoch ms, or how long before
    `now` (epoch ms): 90min, 12h, 3d, 2w. A time without a zone is local; one that ends in ` UTC`, as sessscan
    prints times, is UTC. With `end` a date means the end of that day, `12:00` the end of that minute, and so
    on. Raises `TimeFormatError` for anything else.
    """
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    try:
        return _parse(text, end)
    except (ValueError, OverflowError, OSError):
        raise TimeFormatError(
            "this is not a time: give 2026-03-01, 2026-03-01T12:00:00Z, or 90min, 12h, 3d, 2w ago"
        ) from None


def _parse(text: str, end: bool) -> int:
    iso = text.removesuffix(" UTC")
    zone = UTC if iso != text else None
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        start = _epoch(datetime.fromisoformat(iso), zone)
        return start + _length(iso) - 1 if end else start
    midnight = datetime(day.year, day.month, day.day)
    return _epoch(midnight + timedelta(days=1), zone) - 1 if end else _epoch(midnight, zone)


def _epoch(when: datetime, zone: timezone | None) -> int:
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone) if zone else when.astimezone()
    return (when - _EPOCH) // _MILLISECOND


def _length(iso: str) -> int:
    """Return the length in ms of what the text names: an hour, a minute, a second or a millisecond."""
    clock = _CLOCK.search(iso)
    if clock is None or clock[2]:
        return 1
    return _LENGTHS.get(len(clock[1].replace(":", "")), 1)
