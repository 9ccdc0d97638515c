"""Transcripts and events as tables, JSON and CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from .._core import Event, Transcript
from . import data
from .screen import console, on_terminal, width
from .text import clean, folded, moment, size, when

PATHS = ("FOLDER", "PATH", "cwd", "path")
"""Columns of paths: where one is cut its end stays."""
_WORKTREE = ("path", "name", "branch", "original_cwd", "original_branch")


def print_transcripts(transcripts: Iterable[Transcript], form: str) -> None:
    """One transcript a row. `form`: table, json, jsonl or csv; a table leaves out what could not be read."""
    if form == "json":
        data.print_json_array(transcript.to_dict() for transcript in transcripts)
    elif form == "jsonl":
        data.print_json_lines(transcript.to_dict() for transcript in transcripts)
    elif form == "csv":
        rows = [_flat(transcript.to_dict()) for transcript in transcripts]
        data.print_csv(_columns(rows), rows)
    else:
        _table([transcript for transcript in transcripts if transcript.error is None])


def _flat(transcript: dict[str, Any]) -> dict[str, Any]:
    """For CSV: the worktree's fields as columns, defects as their number."""
    flat: dict[str, Any] = {}
    for name, value in transcript.items():
        if name == "worktree":
            flat.update({f"worktree.{part}": (value or {}).get(part) for part in _WORKTREE})
        else:
            flat[name] = len(value) if name == "defects" else value
    return flat


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    from .._core import scan_bytes

    return list(rows[0] if rows else _flat(scan_bytes(b"").to_dict()))


def _table(transcripts: Sequence[Transcript]) -> None:
    room = width(console()) if on_terminal() else None
    columns = ["LAST ACTIVITY", "TURNS", "SIZE", "DEFECTS", "TITLE", "FOLDER"]
    if room is None:
        columns.append("PATH")
    elif room >= 140:
        columns.append("SESSION")
    elif room < 70:
        columns = ["LAST ACTIVITY", "TITLE", "FOLDER"]
    rows = [
        {
            "LAST ACTIVITY": when(transcript.last_activity_at),
            "TURNS": str(transcript.turns),
            "SIZE": size(transcript.size),
            "DEFECTS": str(len(transcript.defects) or ""),
            "TITLE": folded(transcript.title or ""),
            "FOLDER": clean(transcript.cwd or ""),
            "SESSION": clean(transcript.session_id or ""),
            "PATH": clean(transcript.path or ""),
        }
        for transcript in transcripts
    ]
    print_table(columns, rows, right=("TURNS", "SIZE", "DEFECTS"), shrink=("FOLDER", "TITLE"), room=room)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    *,
    right: Sequence[str] = (),
    shrink: Sequence[str] = (),
    room: int | None = None,
) -> None:
    """A table on stdout. The cells are clean already.

    `right`: columns of numbers; `shrink`: columns that are cut where there is no `room` for all, the first of
    them first. Without `room` nothing is cut.
    """
    widths = {name: max([cell_len(name), *(cell_len(row[name]) for row in rows)]) for name in columns}
    if room is not None:
        excess = sum(widths.values()) + 2 * (len(widths) - 1) - room
        for least in (24, 12, 6):
            for name in shrink:
                cut = max(0, min(excess, widths[name] - max(least, cell_len(name))))
                widths[name] -= cut
                excess -= cut
    terminal = console()
    for number, row in enumerate([{name: name for name in columns}, *rows]):
        cells = [_fit(row[name], widths[name], name in right, name in PATHS) for name in columns]
        line = "  ".join(cells).rstrip()
        if number == 0 and terminal.is_terminal:
            terminal.print(line, style="bold", soft_wrap=True)
        else:
            sys.stdout.write(line + "\n")


def _fit(text: str, cells: int, right: bool, path: bool) -> str:
    """`text` in so many cells. Of a path that is too long the end stays, of other text the beginning."""
    length = cell_len(text)
    if length <= cells:
        return " " * (cells - length) + text if right else text + " " * (cells - length)
    if path:
        while cell_len(text) > cells - 1:
            text = text[1:]
        return set_cell_size("…" + text, cells)
    return set_cell_size(text, cells - 1) + "…"


def print_events(path: str, events: Iterable[Event], form: str, *, named: bool) -> None:
    """The events of one transcript. `form`: table or jsonl; `named`: whether a table begins with the path."""
    if form == "jsonl":
        data.print_json_lines(
            {
                "path": path,
                "line": event.line,
                "offset": event.offset,
                "kind": event.kind,
                "value": event.value,
                "source": event.source,
            }
            for event in events
        )
        return
    write = sys.stdout.write
    # On a terminal an event has one line. The offset is for programs: the narrow do without it.
    room = width(console()) if on_terminal() else None
    narrow = room is not None and room < 60
    if named:
        write(f"{clean(path)}\n")
    for event in events:
        value = moment(event.value) if isinstance(event.value, int) else folded(str(event.value))
        source = f" ({event.source})" if event.source else ""
        place = f"{event.line:>8}" if narrow else f"{event.line:>8}  {event.offset:>12}"
        line = f"{place}  {event.kind:<9}  {value}{source}"
        if room is not None and cell_len(line) > room:
            line = _fit(line, room, False, False)
        write(f"{line}\n")
