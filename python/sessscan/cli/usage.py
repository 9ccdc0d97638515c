"""`sessscan usage`: add up the tokens that transcripts tell of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .command import command
from .formats import Format, Shape, option, write
from .moments import TIMES, parsed
from .options import Projects, Raw, fail, folders

if TYPE_CHECKING:
    from ..usage_result import UsageBy, UsageCount

_BY = ("day", "month", "session", "model", "project")
_COUNT = ("final", "first")


def _chosen(names: tuple[str, ...], flag: str, text: str) -> Any:
    def parse(given: str) -> str:
        if given not in names:
            raise typer.BadParameter(f"{given!r} is not one of {', '.join(map(repr, names))}.")
        return given

    return typer.Option(
        flag,
        parser=parse,
        metavar=f"<{'|'.join(names)}>",
        help=text,
        autocompletion=lambda incomplete: [name for name in names if name.startswith(incomplete)],
    )


@command("Add up the tokens that responses used.", example="sessscan usage --by month --format csv")
def usage(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Transcripts, or folders to search for .jsonl files, subagents' files included. Default: "
            "all of this user.",
        ),
    ] = None,
    by: Annotated[str, _chosen(_BY, "--by", "What to add up by.")] = "day",
    count: Annotated[
        str,
        _chosen(
            _COUNT,
            "--count",
            "Which record of a response counts: that with the most output, or the first, as in ccusage.",
        ),
    ] = "final",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only responses at this time or later: {TIMES}")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only responses at this time (or during this day) or earlier."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE", help="The zone of days and months: UTC, Europe/Berlin. Default: local time."
        ),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table of your prices for a million tokens, in JSON (docs/usage.md has its form).",
        ),
    ] = None,
    projects: Projects = None,
    form: Annotated[Format, option(Shape.TABLE, Shape.DOCUMENT, Shape.RECORDS, Shape.ROWS)] = Format.TABLE,
    raw: Raw = False,
) -> None:
    """Add up the tokens that responses used: input, output, written to the cache, read from it.

    Each response counts once, by its message id and request id, although the CLI writes a record for each
    part of it and a resumed session copies those of another. Subagents' tokens are in every sum, and told
    apart under SUBAGENTS. Every line of every file is read.

    Days and months are those of local time, unless --timezone is given.

    Exit status: 0 all was read; 2 wrong usage; 4 some files could not be read, the rest is counted.
    """
    from ..render.usage import print_usage, usage_rows
    from ..tokens.usage import usage as add_up

    after, before = parsed("--since", since), parsed("--until", until, end=True)
    if after is not None and before is not None and after > before:
        fail(f"--since {since} is later than --until {until}", 2)
    for path in paths or ():
        if not path.exists():
            fail(f"{path}: there is no such file or folder", 2)
    found = add_up(
        [str(path) for path in paths] if paths else None,
        projects=folders(projects, "--projects"),
        by=cast("UsageBy", by),
        count=cast("UsageCount", count),
        since=after,
        until=before,
        timezone=timezone,
        prices=prices,
    )
    write(
        form,
        {
            Shape.TABLE: lambda: print_usage(found),
            Shape.DOCUMENT: found.to_dict,
            Shape.RECORDS: lambda: (group.to_dict() for group in found.groups),
            Shape.ROWS: lambda: usage_rows(found),
        },
        raw=raw,
    )
    if found.errors:
        raise typer.Exit(4)
