"""Sessions as a person picks from them, and as JSON and CSV."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ..sessions.listing import Listing, Session
from . import data
from .screen import console, on_terminal, remark, width
from .text import clean, command, counted, folded, size
from .transcripts import print_table

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_FIELDS = [field.name for field in dataclasses.fields(Session)]


def print_listing(found: Listing, form: str, again: Sequence[str] = ()) -> None:
    """`form`: table, json, jsonl or csv. `again`: the options that lead another command to the same place."""
    if form == "json":
        data.print_json(found.to_dict())
    elif form == "jsonl":
        data.print_json_lines(map(dataclasses.asdict, found.sessions))
    elif form == "csv":
        data.print_csv(_FIELDS, map(dataclasses.asdict, found.sessions))
    else:
        _table(found)
        _remarks(found, again)
    for path, message in found.errors:
        remark(f"sessscan: {path}: {message}")


def _table(found: Listing) -> None:
    if not found.sessions:
        return
    room = width(console()) if on_terminal() else None
    now = int(time.time() * 1000)
    rows = [
        {
            "WHEN": local(session.when) if room is None else ago(session.when, now),
            "TITLE": folded(session.name),
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


def _remarks(found: Listing, again: Sequence[str]) -> None:
    if not found.total:
        where = "there" if again else "where this user's are kept"
        remark(
            f"sessscan: there are no sessions {where}"
            + ("" if again else ": name their folder with --projects")
        )
    elif not found.matched:
        remark(f"sessscan: none of {counted(found.total, 'session')} is what you asked for")
    elif len(found.sessions) < found.matched:
        remark(f"sessscan: the newest {len(found.sessions):,} of {counted(found.matched, 'session')}")
    lost = sum(session.health == "lost" for session in found.sessions)
    if lost:
        remark(f"sessscan: the desktop app does not list {lost:,} of these sessions, but should")
    held = found.held if found.matched == found.total else 0  # who looks for one session has not asked
    if held:
        they = "it was" if held == 1 else "they were"
        remark(f"sessscan: nothing says for certain whose {counted(held, 'lost row')} {they}")
    if lost or held:
        remark(f"sessscan: more about it: {command(['sessscan', 'reconcile', *again])}")


def ago(milliseconds: int, now: int) -> str:
    """How long before `now`; of more than a week, and of what is still to come, the date."""
    passed = now - milliseconds
    if not 0 <= passed < 7 * _DAY:
        return local(milliseconds)[:10]
    if passed < _MINUTE:
        return "just now"
    if passed < _HOUR:
        return f"{passed // _MINUTE} min ago"
    return f"{passed // _HOUR} h ago" if passed < _DAY else f"{passed // _DAY} d ago"


def local(milliseconds: int) -> str:
    """Local time, to the minute."""
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)  # a file may hold any number at all


def _short(path: str) -> str:
    """A path with `~` for the home folder."""
    home = str(Path.home())
    inside = path == home or (path.startswith(home) and path[len(home)] in "/\\")
    return clean("~" + path[len(home) :] if inside and len(home) > 1 else path)
