"""Print sessions as a table, JSON or CSV."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..model import Session, SessionListing
from .screen import console, on_terminal, remark, width
from .text import clean, command, counted, folded, size
from .transcripts import print_table
from .verdict import verdict

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000


def print_listing(found: SessionListing, again: Sequence[str] = ()) -> None:
    """Print the sessions as a table. `again`: the options that lead another command to the same stores."""
    if found.rows or found.missed.total:
        remark(f"sessscan: {verdict(found.missed, stores=len(found.stores), rows=found.rows)}")
    _table(found)
    _remarks(found, again)


def session_records(found: SessionListing) -> Iterator[dict[str, Any]]:
    """Return one JSON object for each session."""
    return map(dataclasses.asdict, found.sessions)


def session_rows(found: SessionListing) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """Return the columns of a flat table, and one row for each session."""
    return [field.name for field in dataclasses.fields(Session)], session_records(found)


def _table(found: SessionListing) -> None:
    if not found.sessions:
        return
    room = width(console()) if on_terminal() else None
    now = int(time.time() * 1000)
    # In a pipe each time has its zone: what reads it may be elsewhere, and summer has another offset.
    when = "WHEN" if room is None else f"WHEN {zone(now)}"
    rows = [
        {
            when: local(session.active_at) if room is None else ago(session.active_at, now),
            "TITLE": folded(session.heading),
            "FOLDER": clean(session.cwd or "") if room is None else _short(session.cwd or ""),
            "BRANCH": clean(session.git_branch or ""),
            "SIZE": size(session.size),
            "HEALTH": session.health,
            "APP": session.desktop or "",
            "NOTE": ", ".join(_notes(session)),
            "ENTRYPOINT": clean(session.entrypoint or ""),
            "SESSION": clean(session.session_id),
        }
        for session in found.sessions
    ]
    columns = [when, "TITLE", "FOLDER", "BRANCH", "SIZE", "HEALTH"]
    if room is None:
        columns += ["APP", "NOTE", "ENTRYPOINT", "SESSION"]
    else:
        if any(row["NOTE"] for row in rows):
            columns.append("NOTE")
        if room >= 150:
            columns.append("SESSION")
        elif room < 80:
            columns.remove("BRANCH")
    shrink = [name for name in ("BRANCH", "FOLDER", "TITLE") if name in columns]
    print_table(columns, rows, right=["SIZE"], shrink=shrink, room=room)


def _notes(session: Session) -> Iterator[str]:
    """Yield what else there is to know of a session, a word each."""
    if session.archived:
        yield "archived"
    if session.sidechain:
        yield "sidechain"
    if session.in_future:
        yield "future"


def _remarks(found: SessionListing, given: Sequence[str]) -> None:
    if not found.total and given:
        remark("sessscan: there are no sessions there")
    elif not found.total:
        remark("sessscan: there are no sessions in this user's projects folder; name another with --projects")
    elif not found.matched:
        remark(f"sessscan: none of {counted(found.total, 'session')} matches")
    elif len(found.sessions) < found.matched:
        remark(
            f"sessscan: these are the newest {len(found.sessions):,} of {counted(found.matched, 'session')}"
        )
    archived = sum(bool(session.archived) for session in found.sessions)
    if archived:
        remark(f"sessscan: {archived:,} of these sessions {_are(archived)} archived")
    future = sum(session.in_future for session in found.sessions)
    if future:
        has, comes = ("has", "comes") if future == 1 else ("have", "come")
        clock = "a time later than the clock of this machine"
        remark(f"sessscan: {future:,} of these sessions {has} {clock}, and {comes} last")
    for text in found.retention_doubts:
        remark(f"sessscan: {text}")
    if found.missed.total:
        remark(f"sessscan: for more run {command(['sessscan', 'reconcile', *given])}")


def remark_on_times(found: SessionListing, since: str | None) -> None:
    """Say what a filter by time does with times that cannot be, whatever the output format."""
    if since is not None:
        remark(f"sessscan: --since {since} is later than the clock of this machine")
    if found.in_future:
        what = counted(found.in_future, "session")
        remark(f"sessscan: --until leaves out {what} with a time later than the clock of this machine")


def ago(milliseconds: int, now: int) -> str:
    """Return how long before `now` a time was; the date if that is over a week or in the future."""
    passed = now - milliseconds
    if not 0 <= passed < 7 * _DAY:
        return local(milliseconds)[:10]
    if passed < _MINUTE:
        return "just now"
    if passed < _HOUR:
        return f"{passed // _MINUTE} min ago"
    return f"{passed // _HOUR} h ago" if passed < _DAY else f"{passed // _DAY} d ago"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def zone(milliseconds: int) -> str:
    """Return the offset that the local zone has at a time: `UTC`, `UTC+9`, `UTC-3:30`."""
    offset = datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%z")
    sign, hours, minutes = offset[0], int(offset[1:3]), offset[3:5]
    if not hours and minutes == "00":
        return "UTC"
    return f"UTC{sign}{hours}" + (f":{minutes}" if minutes != "00" else "")


def local(milliseconds: int) -> str:
    """Return a time in the local zone, to the minute, with the zone's offset: `2026-03-01 12:00 +01:00`."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000).astimezone()
        offset = moment.strftime("%z")
        return f"{moment:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)  # a file may hold any number


def _short(path: str) -> str:
    """Return a path with `~` for the home folder."""
    home = str(Path.home())
    inside = path == home or (path.startswith(home) and path[len(home)] in "/\\")
    return clean("~" + path[len(home) :] if inside and len(home) > 1 else path)
