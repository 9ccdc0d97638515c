"""Show transcripts and events: as tables, and as records for JSON and CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from .._core import Event, Transcript
from .screen import console, on_terminal, width
from .text import clean, folded, moment, size, when

PATHS = ("FOLDER", "PATH", "cwd", "path")
"""Columns of paths. A path that is too long loses its beginning, not its end."""
_WORKTREE = ("path", "name", "branch", "original_cwd", "original_branch")


def transcript_records(transcripts: Iterable[Transcript]) -> Iterator[dict[str, Any]]:
    """Return one JSON object for each transcript."""
    return (transcript.to_dict() for transcript in transcripts)


def transcript_rows(transcripts: Iterable[Transcript]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns of a flat table, and one row for each transcript."""
    rows = [_flat(transcript.to_dict()) for transcript in transcripts]
    return _columns(rows), rows


def _flat(transcript: dict[str, Any]) -> dict[str, Any]:
    """Flatten a transcript for CSV: each field of its worktree, and the number of its defects."""
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


def print_transcripts(transcripts: Iterable[Transcript]) -> None:
    """Print a table with one row for each transcript that could be read."""
    readable = [transcript for transcript in transcripts if transcript.error is None]
    room = width(console()) if on_terminal() else None
    columns = ["LAST ACTIVITY UTC", "TURNS", "SIZE", "DEFECTS", "TITLE", "FOLDER"]
    if room is None:
        columns.append("PATH")
    elif room >= 140:
        columns.append("SESSION")
    elif room < 70:
        columns = ["LAST ACTIVITY UTC", "TITLE", "FOLDER"]
    rows = [
        {
            "LAST ACTIVITY UTC": when(transcript.last_activity_at),
            "TURNS": str(transcript.turns),
            "SIZE": size(transcript.size),
            "DEFECTS": str(transcript.defect_count or ""),
            "TITLE": folded(transcript.title or ""),
            "FOLDER": clean(transcript.cwd or ""),
            "SESSION": clean(transcript.session_id or ""),
            "PATH": clean(transcript.path or ""),
        }
        for transcript in readable
    ]
    print_table(columns, rows, right=("TURNS", "SIZE", "DEFECTS"), shrink=("FOLDER", "TITLE"), room=room)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    *,
    right: Sequence[str] = (),
    shrink: Sequence[str] = (),
    room: int | None = None,
) -> dict[str, int]:
    """Print a table, the cells of which are cleaned already. Return the width of each column.

    `right`: columns that are aligned to the right. `room`: cells of a line, None for any number. `shrink`:
    the columns that are cut if there is too little room, in this order.
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
    header = table_line({name: name for name in columns}, widths, right)
    if terminal.is_terminal:
        terminal.print(header, style="bold", soft_wrap=True)
    else:
        sys.stdout.write(header + "\n")
    for row in rows:
        sys.stdout.write(table_line(row, widths, right) + "\n")
    return widths


def table_line(row: Mapping[str, str], widths: Mapping[str, int], right: Sequence[str]) -> str:
    """Return a line of a table whose columns have these widths; what is too wide is cut."""
    cells = [_fit(row[name], cells, name in right, name in PATHS) for name, cells in widths.items()]
    return "  ".join(cells).rstrip()


def _fit(text: str, cells: int, right: bool, path: bool) -> str:
    """Pad or cut a text to so many cells. A path loses its beginning, any other text its end."""
    length = cell_len(text)
    if length <= cells:
        return " " * (cells - length) + text if right else text + " " * (cells - length)
    if path:
        while cell_len(text) > cells - 1:
            text = text[1:]
        return set_cell_size("…" + text, cells)
    return set_cell_size(text, cells - 1) + "…"


def event_records(streams: Iterable[tuple[str, Iterable[Event]]]) -> Iterator[dict[str, Any]]:
    """Yield one JSON object for each event. `streams`: the path of each transcript, and its events."""
    for path, events in streams:
        for event in events:
            yield {
                "path": path,
                "line": event.line,
                "offset": event.offset,
                "kind": event.kind,
                "value": event.value,
                "source": event.source,
            }


def print_events(streams: Iterable[tuple[str, Iterable[Event]]], *, named: bool) -> None:
    """Print events, one a line; with `named`, those of each transcript after a line with its path."""
    write = sys.stdout.write
    # On a terminal each event has one line, on a narrow one without its offset.
    room = width(console()) if on_terminal() else None
    narrow = room is not None and room < 60
    for path, events in streams:
        if named:
            write(f"{clean(path)}\n")
        for event in events:
            value = f"{moment(event.value)} UTC" if isinstance(event.value, int) else folded(str(event.value))
            source = f" ({event.source})" if event.source else ""
            place = f"{event.line:>8}" if narrow else f"{event.line:>8}  {event.offset:>12}"
            line = f"{place}  {event.kind:<9}  {value}{source}"
            if room is not None and cell_len(line) > room:
                line = _fit(line, room, False, False)
            write(f"{line}\n")
