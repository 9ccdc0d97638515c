"""Count sessions over time, in days, weeks, months or years: whichever makes a legible number of bars."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

_FIRST = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC).timestamp() * 1000
"""Epoch ms. Claude Code is younger, so an earlier time comes from a clock that was not set."""
_DAY = 86_400_000


@dataclass
class Span:
    """A bar of the chart: the sessions of one day, week, month or year."""

    label: str
    desktop: int = 0
    other: int = 0


def local(milliseconds: int) -> datetime.datetime:
    """Return a time (epoch ms) in the zone of this computer."""
    return datetime.datetime.fromtimestamp(milliseconds / 1000).astimezone()


def spans(times: Iterable[tuple[int | None, bool]], now: int) -> tuple[list[Span], int]:
    """Return the bars from the first session to the last, without gaps, and the number of impossible times.

    `times`: when each session was last used (epoch ms), and whether it was begun in the desktop app.
    """
    known: list[tuple[datetime.date, bool]] = []
    unknown = 0
    for time, desktop in times:
        if time is None or not _FIRST <= time <= now + _DAY:
            unknown += 1
        else:
            known.append((local(time).date(), desktop))
    if not known:
        return [], unknown
    first, last = min(day for day, _ in known), max(day for day, _ in known)
    length = (last - first).days
    unit = "day" if length < 15 else "week" if length < 180 else "month" if length < 1200 else "year"
    bars: dict[datetime.date, Span] = {}
    start = _start(first, unit)
    while start <= last:
        bars[start] = Span(_label(start, unit))
        start = _start(
            start + datetime.timedelta(days={"day": 1, "week": 7, "month": 32, "year": 370}[unit]), unit
        )
    for day, desktop in known:
        bar = bars[_start(day, unit)]
        if desktop:
            bar.desktop += 1
        else:
            bar.other += 1
    return list(bars.values()), unknown


def _start(day: datetime.date, unit: str) -> datetime.date:
    if unit == "week":
        return day - datetime.timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "year" else day


def _label(start: datetime.date, unit: str) -> str:
    if unit == "year":
        return str(start.year)
    return f"{start:%b %Y}" if unit == "month" else f"{start.day} {start:%b}"
