"""Show the tokens that transcripts tell of: as a table, and as rows for CSV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .screen import console, on_terminal, remark, width
from .text import clean, counted, folded
from .transcripts import print_table

if TYPE_CHECKING:
    from ..usage_result import Usage, UsageGroup

_MOST_ERRORS = 10
_HEADINGS = {"day": "DAY", "month": "MONTH", "session": "SESSION", "model": "MODEL", "project": "FOLDER"}
_COUNTS = ("RESPONSES", "INPUT", "OUTPUT", "CACHE WRITE", "CACHE READ", "TOTAL", "SUBAGENTS", "COST")


def print_usage(found: Usage) -> None:
    """Print a line for each group and one for all, and on stderr what has to be known of the numbers."""
    room = width(console()) if on_terminal() else None
    first = _HEADINGS[found.by]
    rows = [_row(found, first, group, room is not None) for group in found.groups]
    if len(rows) != 1:
        rows.append({**_row(found, first, found.total, room is not None), first: "total"})
    columns = [first, *_COUNTS]
    if found.currency is None:
        columns.remove("COST")
    if not found.total.of_subagents.responses:
        columns.remove("SUBAGENTS")
    if found.by == "session" and room is None:
        columns.append("TITLE")
    if found.by in ("day", "month", "session") and room is None:
        columns.append("MODELS")
    for name in ("CACHE READ", "CACHE WRITE", "RESPONSES"):
        if room is not None and room < 8 + 11 * len(columns):
            columns.remove(name)
    print_table(columns, rows, right=_COUNTS, shrink=[first], room=room)
    _remarks(found)


def usage_rows(found: Usage) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """Return the columns of a flat table, and one row for each group."""
    numbers = list(found.total.tokens.to_dict())
    columns = [
        "key",
        "label",
        *numbers,
        "subagent_responses",
        "subagent_tokens",
        "models",
        "first_at",
        "last_at",
        "cost",
    ]
    return columns, (_flat(group) for group in found.groups)


def _flat(group: UsageGroup) -> dict[str, Any]:
    return {
        **group.to_dict(),
        "subagent_responses": group.of_subagents.responses,
        "subagent_tokens": group.of_subagents.total_tokens,
        "models": " ".join(group.models),
    }


def _row(found: Usage, first: str, group: UsageGroup, short: bool) -> dict[str, str]:
    tokens = group.tokens
    return {
        first: _name(found, group, short),
        "RESPONSES": f"{tokens.responses:,}",
        "INPUT": f"{tokens.input_tokens:,}",
        "OUTPUT": f"{tokens.output_tokens:,}",
        "CACHE WRITE": f"{tokens.cache_creation_input_tokens:,}",
        "CACHE READ": f"{tokens.cache_read_input_tokens:,}",
        "TOTAL": f"{tokens.total_tokens:,}",
        "SUBAGENTS": f"{group.of_subagents.total_tokens:,}",
        "COST": "?" if group.cost is None else f"{group.cost:,.2f}",
        "TITLE": folded(group.label or ""),
        "MODELS": clean(" ".join(group.models)),
    }


def _name(found: Usage, group: UsageGroup, short: bool) -> str:
    if group.key is None:
        return "unknown"
    if found.by == "session" and short:
        return f"{clean(group.key[:8])} {folded(group.label or '')}".rstrip()
    if found.by == "project":
        return clean(group.label or group.key) if not short else clean(Path(group.label or group.key).name)
    return clean(group.key)


def _remarks(found: Usage) -> None:
    if not found.total.tokens.responses:
        remark(f"sessscan: {counted(found.files, 'file')} read, and no response of the API in them")
    if found.by in ("day", "month"):
        zone = "local time" if found.timezone == "local" else found.timezone
        remark(f"sessscan: {found.by}s are in {clean(zone)}")
    first, all_ = found.total_of_first_records.output_tokens, found.total.tokens.output_tokens
    if found.count == "final" and first != all_:
        remark(
            f"sessscan: of each response its last record counts; with the first one alone, as ccusage "
            f"counts, the output would be {first:,} (--count first)"
        )
    if found.currency is not None:
        remark(f"sessscan: costs are in {clean(found.currency) or 'the currency of'} your own prices")
    if found.without_price:
        remark(f"sessscan: a price is missing for {clean(', '.join(found.without_price))}: cost is unknown")
    if found.defect_count:
        places = counted(found.defect_count, "damaged place")
        remark(f"sessscan: {places} in these files: what is whole there counts; see `sessscan scan`")
    for path, message in found.errors[:_MOST_ERRORS]:
        remark(f"sessscan: {path}: {message}")
    if len(found.errors) > _MOST_ERRORS:
        remark(f"sessscan: and {counted(len(found.errors) - _MOST_ERRORS, 'more file')} could not be read")
