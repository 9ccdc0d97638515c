"""`sessscan events`: show the events of transcripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .formats import Format, Shape, check, option, write
from .options import Output

if TYPE_CHECKING:
    from .._core import Event
    from ..tables.transcripts import EventsTable


@command(
    "Show titles, folders and times, line by line.", example="sessscan events --format jsonl transcript.jsonl"
)
def events(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Transcripts, or folders to search for them.")
    ],
    form: Annotated[Format, option(Shape.TABLE, Shape.RECORDS, Shape.COLUMNS)] = Format.TABLE,
    output: Output = None,
) -> None:
    """Show the titles, folders and times of transcripts, line by line.

    Each event is one line: the line in the transcript, counted from 1, its offset in bytes, the kind (title,
    cwd, timestamp), and the value. A folder is shown whenever it differs from the one before. Times are UTC;
    the other formats have milliseconds since 1970. Memory use does not grow with the file.

    Exit status: 0 all were read; 2 wrong usage; 4 some could not be read, the rest is shown.
    """
    from .. import _core
    from ..render.transcripts import event_records, print_events
    from .sources import Sources

    check(form, output)
    sources = Sources.of(paths, None)

    def streams() -> Iterator[tuple[str, Iterator[Event]]]:
        for path in sources.files:
            try:
                stream = _core.events(path)
            except OSError as error:
                sources.unreadable(error, path)
            else:
                yield path, readable(path, stream)

    def readable(path: str, stream: Iterator[Event]) -> Iterator[Event]:
        try:
            yield from stream
        except OSError as error:
            sources.unreadable(error, path)

    def columns() -> EventsTable:
        from ..tables.transcripts import events_table

        tables.append(events_table(sources.files, errors="skip"))
        return tables[0]

    tables: list[EventsTable] = []
    write(
        form,
        {
            Shape.TABLE: lambda: print_events(streams(), named=len(sources.files) > 1),
            Shape.RECORDS: lambda: event_records(streams()),
            Shape.COLUMNS: columns,
        },
        output,
    )
    for table in tables:
        for error in table.skipped:
            sources.unreadable(error, None)
    sources.close()
