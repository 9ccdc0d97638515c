"""The output formats: their names, how each is written, and which commands take which.

A command provides what it prints in some shapes, and takes every format that is written from one of them. To
add a format, give it a name in `Format` and an entry in `_WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from .options import fail


class Format(StrEnum):
    """The formats, by the names that `--format` takes."""

    TEXT = "text"
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


class Shape(StrEnum):
    """The shapes in which a command can provide what it prints."""

    TEXT = "text"
    """Text for people, which the command prints itself."""
    TABLE = "table"
    """A table for people, which the command prints itself."""
    DOCUMENT = "document"
    """One JSON value. An iterator is written as an array, as its elements come."""
    RECORDS = "records"
    """An iterable of JSON objects."""
    ROWS = "rows"
    """The names of the columns, and an iterable of mappings from them to scalars."""
    COLUMNS = "columns"
    """An Arrow table."""


Content = Mapping[Shape, Callable[[], Any]]
"""What a command prints: for each shape that it offers, a function that makes it (or prints it)."""


@dataclass(frozen=True)
class _Writer:
    shape: Shape
    """The shape from which the format is written."""
    write: Callable[[Any, Path | None], None]
    """Writes that shape to a file, or to stdout."""
    to_file: bool = False
    """Whether it can write to a file; the others only write to stdout."""


def _printed(_: Any, __: Path | None) -> None:
    """Do nothing: making this shape has printed it."""


def _json(value: Any, _: Path | None) -> None:
    from ..render.data import print_json

    print_json(value)


def _json_lines(records: Any, _: Path | None) -> None:
    from ..render.data import print_json_lines

    print_json_lines(records)


def _csv(rows: Any, _: Path | None) -> None:
    from ..render.data import print_csv

    print_csv(*rows)


def _parquet(table: Any, output: Path | None) -> None:
    from ..tables.files import write_parquet

    write_parquet(table, output)


def _arrow(table: Any, output: Path | None) -> None:
    from ..tables.files import write_arrow

    write_arrow(table, output)


_WRITERS = {
    Format.TEXT: _Writer(Shape.TEXT, _printed),
    Format.TABLE: _Writer(Shape.TABLE, _printed),
    Format.JSON: _Writer(Shape.DOCUMENT, _json),
    Format.JSONL: _Writer(Shape.RECORDS, _json_lines),
    Format.CSV: _Writer(Shape.ROWS, _csv),
    Format.PARQUET: _Writer(Shape.COLUMNS, _parquet, to_file=True),
    Format.ARROW: _Writer(Shape.COLUMNS, _arrow, to_file=True),
}
"""The writer of each format."""


def option(*shapes: Shape) -> Any:
    """Return the option `--format` of a command that offers these shapes."""
    names = [name.value for name, writer in _WRITERS.items() if writer.shape in shapes]

    def parse(text: str) -> Format:
        if text not in names:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(map(repr, names))}.")
        return Format(text)

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return typer.Option(
        "--format",
        parser=parse,
        metavar=f"<{'|'.join(names)}>",
        help="The output format.",
        autocompletion=complete,
    )


def check(form: Format, output: Path | None) -> None:
    """Exit with status 2 if the format cannot be written to `output`. None means stdout."""
    if _WRITERS[form].to_file:
        from ..errors import OutputFileError
        from ..tables.files import check as check_file

        try:
            check_file(output)
        except OutputFileError as error:
            fail(f"--format {form}: {error}", 2)
    elif output is not None:
        names = " and ".join(name for name, writer in _WRITERS.items() if writer.to_file)
        fail(f"-o is for {names}; {form} is written to stdout: > FILE", 2)


def write(form: Format, content: Content, output: Path | None = None, *, raw: bool = False) -> None:
    """Write `content` to a new file, or to stdout. Exits with status 2 if the file was made meanwhile.

    `raw`: leave texts in CSV as they are, also those that a spreadsheet would run as formulas.
    """
    writer = _WRITERS[form]
    if raw and writer.shape != Shape.ROWS:
        fail(f"--raw is for csv, not for {form}", 2)
    value = content[writer.shape]()
    if raw:
        from ..render.data import print_csv

        print_csv(*value, raw=True)
        return
    try:
        writer.write(value, output)
    except FileExistsError:
        fail(f"-o {output}: there is a file already", 2)
