"""`sessscan scan`: show the metadata of transcripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .formats import Format, Shape, check, option, write
from .options import InsecureState, NoIndex, Output, Projects, Raw

if TYPE_CHECKING:
    from .. import _core
    from ..tables.arrow import Table

_MOST_REMARKS = 10
"""The most damaged conversations that have a line of their own."""


@command(
    "Show the metadata of transcripts.",
    example="sessscan scan --format csv ~/.claude/projects > sessions.csv",
)
def scan(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Transcripts, or folders to search for them. Default: all sessions of this user.",
        ),
    ] = None,
    form: Annotated[
        Format, option(Shape.TABLE, Shape.DOCUMENT, Shape.RECORDS, Shape.ROWS, Shape.COLUMNS)
    ] = Format.TABLE,
    projects: Projects = None,
    strict: Annotated[bool, typer.Option("--strict", help="Check every byte of every value.")] = False,
    output: Output = None,
    no_index: NoIndex = False,
    raw: Raw = False,
    insecure_state: InsecureState = False,
) -> None:
    """Show the metadata of transcripts: title, folder, times, turns, damage.

    Every line is read, so titles and times are exact, however large the file. In folders only session
    transcripts are scanned; to scan another file, name it. No transcript is changed.

    The table is followed by what is damaged in the conversations, on stderr.

    On a terminal the table is cut to its width; in a pipe nothing is cut. In the table times are UTC and 1 kB
    is 1000 bytes; the other formats have milliseconds since 1970, UTC, and bytes.

    Exit status: 0 all were read; 2 wrong usage; 4 some could not be read, the rest is shown.
    """
    from .. import _core
    from ..render.screen import progress
    from ..render.transcripts import print_transcripts, transcript_records, transcript_rows
    from ..scan_cache import scan as index
    from .sources import Sources

    check(form, output)
    sources = Sources.of(paths, projects)
    with progress("scanning", of_bytes=True) as advance:
        scan_many = _core.scan_many if no_index else index.scan_many
        transcripts = scan_many(sources.files, strict=strict, progress=advance)

    def columns() -> Table:
        from ..tables.transcripts import table

        return table(transcripts)

    write(
        form,
        {
            Shape.TABLE: lambda: print_transcripts(transcripts),
            Shape.DOCUMENT: lambda: transcript_records(transcripts),
            Shape.RECORDS: lambda: transcript_records(transcripts),
            Shape.ROWS: lambda: transcript_rows(transcripts),
            Shape.COLUMNS: columns,
        },
        output,
        raw=raw,
    )
    if form == Format.TABLE:
        _remark_damage(transcripts, index=not no_index)
    for transcript in transcripts:
        if transcript.error is not None:
            sources.unreadable(transcript.error, transcript.path)
    sources.close()


def _remark_damage(transcripts: list[_core.Transcript], *, index: bool) -> None:
    """Say which conversations cannot be reached as a whole, or are refused by the API."""
    from ..reconciliation.transcript_damage import broken_chain, refused_content, unpaired_call
    from ..render.screen import Page
    from ..render.text import counted
    from ..scan_cache.conversations import check_many

    readable = {one.path: one for one in transcripts if one.path and one.records}
    checks = check_many(list(readable), index=index)
    damaged = [(path, found) for path, found in checks.items() if not found.is_whole]
    page = Page(sys.stderr)
    for path, found in damaged[:_MOST_REMARKS]:
        for rule in (broken_chain, unpaired_call, refused_content):
            for finding in rule(readable[path], found):
                page.prose(f"{Path(path).stem[:8]}: {finding.rule}: {finding.message}", lead="sessscan: ")
    if len(damaged) > _MOST_REMARKS:
        more = counted(len(damaged) - _MOST_REMARKS, "more transcript")
        page.prose(f"and {more}: see `sessscan repair`", lead="sessscan: ")
