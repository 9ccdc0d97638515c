"""JSON and CSV: for scripts, and safe to look at."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any


def dump(value: Any, *, indent: int | None = 2) -> str:
    """JSON in ASCII: nothing in it is a control character, whatever the strings hold."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, indent=indent, separators=separators).replace("\x7f", "\\u007f")


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    sys.stdout.write(dump(value) + "\n")


def print_json_array(values: Iterable[Any]) -> None:
    """A JSON array on stdout, a line each, written as the values come."""
    separator = "[\n"
    for value in values:
        sys.stdout.write(separator + dump(value, indent=None))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def print_json_lines(values: Iterable[Any]) -> None:
    """JSON on stdout, one value a line."""
    for value in values:
        sys.stdout.write(dump(value, indent=None) + "\n")


def print_csv(columns: list[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """CSV on stdout, with a header; None is an empty field."""
    from .text import clean

    writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {name: clean(value) if isinstance(value, str) else value for name, value in row.items()}
        )
