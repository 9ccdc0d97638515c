"""`sessscan events`: the stream of events."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .command import command
from .options import Output


class EventForm(StrEnum):
    """How events are printed."""

    table = "table"
    jsonl = "jsonl"
    parquet = "parquet"
    arrow = "arrow"


@command(
    "Show titles, folders and times, line by line.", example="sessscan events --format jsonl transcript.jsonl"
)
def events(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Transcripts, and folders in which to look for them.")
    ],
    form: Annotated[EventForm, typer.Option("--format", help="How to print it.")] = EventForm.table,
    output: Output = None,
) -> None:
    """Show the titles, folders and times of transcripts, line by line.

    One event a line: the line of the transcript, counted from 1, its offset in bytes, the kind (title, cwd,
    timestamp), and the value. A folder is shown whenever it differs from the one before. Times are UTC; the
    other formats have milliseconds since 1970. Memory does not grow with the file.

    Exit status: 0 all were read; 2 usage; 4 some could not be read, the rest is shown.
    """
    from .. import _core
    from ..render.transcripts import print_events
    from .output import is_columnar, write
    from .sources import Sources

    columnar = is_columnar(form.value, output)
    sources = Sources.of(paths, None)
    if columnar:
        from ..tables.arrow import events_table

        found = events_table(sources.files, errors="skip")
        write(found, form.value, output)
        for error in found.skipped:
            sources.unreadable(error, None)
        sources.close()
        return
    for path in sources.files:
        try:
            print_events(path, _core.events(path), form.value, named=len(sources.files) > 1)
        except BrokenPipeError:
            raise
        except OSError as error:
            sources.unreadable(error, path)
    sources.close()
