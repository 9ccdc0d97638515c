"""Print JSON and CSV, for scripts, and safe to look at on a terminal."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def dump(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON in ASCII: it has no control character, whatever the strings contain."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, indent=indent, separators=separators).replace("\x7f", "\\u007f")


def print_json(value: Any) -> None:
    """Print one JSON value. An iterator is printed as an array, one element a line, as its elements come."""
    if isinstance(value, Iterator):
        _print_array(value)
    else:
        sys.stdout.write(dump(value) + "\n")


def _print_array(values: Iterator[Any]) -> None:
    separator = "[\n"
    for value in values:
        sys.stdout.write(separator + dump(value, indent=None))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def print_json_lines(values: Iterable[Any]) -> None:
    """Print JSON, one value a line."""
    for value in values:
        sys.stdout.write(dump(value, indent=None) + "\n")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


def print_csv(columns: list[str], rows: Iterable[Mapping[str, Any]], *, raw: bool = False) -> None:
    """Print CSV with a header. Texts are cleaned, and None is an empty field.

    A text that a spreadsheet would run as a formula gets an apostrophe before it, unless `raw`.
    """
    from .text import clean

    def field(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return "'" + clean(value) if value.startswith(_FORMULA) and not raw else clean(value)

    writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: field(value) for name, value in row.items()})
