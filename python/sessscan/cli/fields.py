"""`sessscan fields`: show the values of any keys of transcripts, one row a record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .command import command
from .formats import Format, Shape, check, option, write
from .options import Output, Raw, fail

if TYPE_CHECKING:
    from ..tables.fields import FieldsTable


_TYPE = re.compile(r"(?<!\\):(?:int|float|str|bool|time|json|text)$")
"""The type behind a path."""


@command(
    "Show the values of any keys, one row a record.",
    example="sessscan fields ~/.claude/projects --where type=assistant "
    "--select model=message.model --select output=message.usage.output_tokens:int",
)
def fields(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Transcripts, or folders to search for them.")
    ],
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            metavar="NAME=PATH",
            help="A column: its name, and the path of its values, such as message.usage.output_tokens: keys "
            "between dots, and numbers of elements, from 0. A type may follow a colon: int, float, str, "
            "bool, time, json; without one a string is shown as it is, and any other value as JSON. Without "
            "NAME= the path is the name. May be repeated.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="PATH=TEXT",
            help="Only records whose value there is this string. May be repeated: for one path any of the "
            "texts will do, and for several all must hold.",
        ),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Add a column with the file of each record.")] = False,
    line: Annotated[
        bool, typer.Option("--line", help="Add a column with the line of each record, from 1.")
    ] = False,
    form: Annotated[Format, option(Shape.TABLE, Shape.ROWS, Shape.RECORDS, Shape.COLUMNS)] = Format.TABLE,
    strict: Annotated[bool, typer.Option("--strict", help="Check every byte of every value.")] = False,
    output: Output = None,
    raw: Raw = False,
) -> None:
    """Show the values of any keys of transcripts, one row a record.

    The values are those that a full parse of every line gives. Of a key given twice the last one counts. What
    is absent or null is left empty; so is a value of another type than the one asked for, and how many there
    were is said on stderr, as are damaged lines, of which those records are shown that can be read. In
    folders only session transcripts are read; to read another file, name it. Memory use does not grow with
    the files.

    On a terminal the table is cut to its width. In the table times are UTC; the other formats have
    milliseconds since 1970.

    Exit status: 0 all were read; 2 wrong usage; 4 some could not be read, the rest is shown.
    """
    from ..render.fields import print_damage, print_fields, print_other_types
    from ..tables.fields import fields as read_fields
    from .sources import Sources

    check(form, output)
    columns, conditions = _selected(select or []), _conditions(where or [])
    sources = Sources.of(paths, None)
    try:
        table: FieldsTable = read_fields(
            sources.files, columns, conditions, path=path, line=line, errors="skip", strict=strict
        )
    except ValueError as error:
        fail(str(error), 2)

    def records() -> Iterator[dict[str, Any]]:
        return iter(table)

    write(
        form,
        {
            Shape.TABLE: lambda: print_fields(table, table.columns, table.types),
            Shape.ROWS: lambda: (list(table.columns), records()),
            Shape.RECORDS: records,
            Shape.COLUMNS: lambda: table,
        },
        output,
        raw=raw,
    )
    print_damage(table.defects, table.defect_count)
    print_other_types(table.other_types, table.types)
    for skipped in table.skipped:
        sources.unreadable(skipped, None)
    sources.close()


def _selected(given: list[str]) -> dict[str, str]:
    """Return the paths by their columns' names. Exits with status 2 without any, or with a name twice."""
    if not given:
        fail("name at least one column, as in --select model=message.model", 2)
    columns: dict[str, str] = {}
    for text in given:
        name, equals, path = text.partition("=")
        name, path = (name, path) if equals else (_TYPE.sub("", text), text)
        if not name:
            fail(f"--select {text}: there is no name before the =", 2)
        if name in columns:
            fail(f"--select {text}: there is a column {name} already", 2)
        columns[name] = path
    return columns


def _conditions(given: list[str]) -> dict[str, list[str]]:
    """Return the texts by their paths. Exits with status 2 if one has no =."""
    conditions: dict[str, list[str]] = {}
    for text in given:
        path, equals, value = text.partition("=")
        if not equals:
            fail(f"--where {text}: PATH=TEXT is wanted, as in --where type=assistant", 2)
        conditions.setdefault(path, []).append(value)
    return conditions
