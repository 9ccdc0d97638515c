"""Print sessions as a table, JSON or CSV."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ..model import Session, SessionListing
from . import data
from .screen import console, on_terminal, remark, width
from .text import clean, command, counted, folded, size
from .transcripts import print_table

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_FIELDS = [field.name for field in dataclasses.fields(Session)]


def print_listing(found: SessionListing, form: str, given: Sequence[str] = ()) -> None:
    """Print sessions. `form`: table, json, jsonl or csv. `given`: the options for the command to suggest."""
    if form == "json":
        data.print_json(found.to_dict())
    elif form == "jsonl":
        data.print_json_lines(map(dataclasses.asdict, found.sessions))
    elif form == "csv":
        data.print_csv(_FIELDS, map(dataclasses.asdict, found.sessions))
    else:
        _table(found)
        _remarks(found, given)
    for path, message in found.errors:
        remark(f"sessscan: {path}: {message}")


def _table(found: SessionListing) -> None:
    if not found.sessions:
        return
    room = width(console()) if on_terminal() else None
    now = int(time.time() * 1000)
    rows = [
        {
            "WHEN": local(session.active_at) if room is None else ago(session.active_at, now),
            "TITLE": folded(session.heading),
            "FOLDER": clean(session.cwd or "") if room is None else _short(session.cwd or ""),
            "BRANCH": clean(session.git_branch or ""),
            "SIZE": size(session.size),
            "HEALTH": session.health,
            "APP": session.desktop or "",
            "SESSION": clean(session.session_id),
        }
        for session in found.sessions
    ]
    columns = ["WHEN", "TITLE", "FOLDER", "BRANCH", "SIZE", "HEALTH"]
    if room is None:
        columns += ["APP", "SESSION"]
    elif room >= 150:
        columns.append("SESSION")
    elif room < 80:
        columns.remove("BRANCH")
    shrink = [name for name in ("BRANCH", "FOLDER", "TITLE") if name in columns]
    print_table(columns, rows, right=["SIZE"], shrink=shrink, room=room)


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
    lost = sum(session.health == "lost" for session in found.sessions)
    if lost:
        remark(f"sessscan: the desktop app should list {lost:,} of these sessions and does not")
    held = found.held if found.matched == found.total else 0  # with a filter they may be of other sessions
    if held:
        belong = "row belongs" if held == 1 else "rows belong"
        remark(f"sessscan: it is not certain which sessions {held:,} lost {belong} to")
    if lost or held:
        remark(f"sessscan: for more run {command(['sessscan', 'reconcile', *given])}")


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


def local(milliseconds: int) -> str:
    """Return a time in the local zone, to the minute."""
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)  # a file may hold any number


def _short(path: str) -> str:
    """Return a path with `~` for the home folder."""
    home = str(Path.home())
    inside = path == home or (path.startswith(home) and path[len(home)] in "/\\")
    return clean("~" + path[len(home) :] if inside and len(home) > 1 else path)
