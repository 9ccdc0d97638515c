"""Show the first and last rows of a table, on a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .text import clean, folded, when

Rows = Sequence[Mapping[str, Any]]

_NARROWEST = 24
"""Cells to which a column of text may be cut, before columns are left out."""
_LONGEST = 80
"""Characters of a cell in a notebook; its tooltip has the whole text."""


def print_preview(head: Rows, tail: Rows, columns: Sequence[str], first: Sequence[str], size: str) -> None:
    """Print the columns that fit, `first` ones first, and below them `size`: how large the table is.

    `tail`: the last rows, if rows between are left out, else empty.
    """
    import sys

    from rich.cells import cell_len

    from .screen import console, width
    from .transcripts import print_table

    gap = [dict.fromkeys(columns, "…")] if tail else []
    rows = [
        *({name: cell(name, row[name]) for name in columns} for row in head),
        *gap,
        *({name: cell(name, row[name]) for name in columns} for row in tail if any(row.values())),
    ]
    room = width(console())
    fit: list[str] = []
    left = room
    for name in _ordered(columns, first):
        widest = max(cell_len(name), *(cell_len(row[name]) for row in rows), 0)
        wanted = min(widest, _NARROWEST) + (2 if fit else 0)
        if wanted > left and fit:
            break
        fit.append(name)
        left -= wanted
    numbers = [name for name in fit if any(_is_number(row[name]) for row in head)]
    texts = [name for name in fit if name not in numbers]
    print_table(fit, rows, right=numbers, shrink=texts[::-1], room=room)
    others = len(columns) - len(fit)
    sys.stdout.write(clean(f"{size}{f'; {others} more columns' if others else ''}") + "\n")


def html(head: Rows, tail: Rows, columns: Sequence[str], first: Sequence[str], size: str) -> str:
    """Return the table with all columns, `first` ones first, as HTML. Texts are cleaned and escaped."""
    columns = _ordered(columns, first)
    lines = ["<div style='overflow-x:auto'>", "<table class='dataframe'>", "<thead>", "<tr>"]
    lines += [f"<th style='text-align:left'>{_text(name)}</th>" for name in columns]
    lines += ["</tr>", "</thead>", "<tbody>"]
    lines += [_line(row, columns) for row in head]
    if tail:
        lines.append(f"<tr>{'<td>…</td>' * len(columns)}</tr>")
        lines += [_line(row, columns) for row in tail if any(row.values())]
    lines += ["</tbody>", "</table>", f"<small>{_text(size)}, {len(columns)} columns</small>", "</div>"]
    return "\n".join(lines)


def cell(name: str, value: Any) -> str:
    """Format a value on one line, without control characters."""
    if value is None or value == [] or value is False:
        return ""
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int):
        return when(value) if name == "time" or name.endswith("_at") else str(value)
    if isinstance(value, dict):
        return folded(", ".join(f"{key} {inner}" for key, inner in value.items() if inner is not None))
    if isinstance(value, list | tuple):
        kinds = dict.fromkeys(str(item["kind"]) for item in value if "kind" in item)
        return folded(f"{len(value)}{': ' if kinds else ''}{', '.join(kinds)}")
    return folded(str(value))


def _ordered(columns: Sequence[str], first: Sequence[str]) -> list[str]:
    return [*first, *(name for name in columns if name not in first)]


def _line(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    cells = []
    for name in columns:
        text = cell(name, row[name])
        align = "right" if _is_number(row[name]) else "left"
        tooltip = ""
        if len(text) > _LONGEST:
            tooltip = f" title='{escape(text, quote=True)}'"
            text = text[: _LONGEST - 1] + "…"
        cells.append(f"<td style='text-align:{align}'{tooltip}>{escape(text, quote=True)}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(text: str) -> str:
    return escape(clean(text), quote=True)
