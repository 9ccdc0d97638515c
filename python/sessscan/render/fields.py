"""Show fields: the table for people, and what was wrong with the bytes that were read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from .._core import Defect
from .screen import console, on_terminal, remark, width
from .text import clean, counted, folded, moment
from .transcripts import print_table, table_line

_MEASURED = 1_000
"""Rows whose values decide how wide the columns are; those behind them are shown as they come."""

_MOST_REMARKS = 10
"""The most defects that have a line of their own."""


def print_fields(
    records: Iterable[Mapping[str, Any]], names: Sequence[str], kinds: Mapping[str, str]
) -> None:
    """Print records as they are read, in columns of these names and types. Times are UTC."""
    from rich.cells import cell_len

    rows = ({clean(name): _cell(kinds.get(name), row[name]) for name in names} for row in records)
    columns = [clean(name) for name in names]
    numbers = [clean(name) for name, kind in kinds.items() if kind in ("int", "float")] + ["line"]
    room = width(console()) if on_terminal() else None
    first = list(islice(rows, _MEASURED))
    texts = [name for name in columns if name not in numbers]
    widths = print_table(columns, first, right=numbers, shrink=texts[::-1], room=room)
    for row in rows:
        if room is None:
            widths = {name: max(widths[name], cell_len(row[name])) for name in columns}
        sys.stdout.write(table_line(row, widths, numbers) + "\n")


def _cell(kind: str | None, value: Any) -> str:
    if value is None:
        return ""
    if kind == "time":
        return moment(value) or str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return folded(str(value))


def print_damage(defects: Sequence[tuple[str, Defect]], count: int) -> None:
    """Say on stderr where bytes are damaged: path and defect of each, and how many there are in all."""
    for path, defect in defects[:_MOST_REMARKS]:
        remark(f"sessscan: {path}: line {defect.line}, byte {defect.offset}: {defect.kind}")
    if count > _MOST_REMARKS:
        more = counted(count - _MOST_REMARKS, "more damaged place")
        remark(f"sessscan: and {more}: see `sessscan scan`")


def print_other_types(counts: Mapping[str, int], kinds: Mapping[str, str]) -> None:
    """Say on stderr how many values of each column had another type than the one asked for."""
    for name, count in counts.items():
        if count:
            remark(f"sessscan: {name}: {counted(count, 'value')} not of type {kinds[name]}, left empty")
