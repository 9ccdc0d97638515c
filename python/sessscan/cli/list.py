"""`sessscan list`: all sessions, newest first, with what has become of each."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .moments import TIMES, parsed
from .options import NoIndex, Projects, Stores


@command("List all sessions, newest first.", example="sessscan list --text parser --since 2w")
def list_(
    folder: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Only those of this folder and the folders in it, worktrees too."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS",
            help="Only those with each of these words in title, prompt, folder or branch; may be repeated.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only those active at this time or later: {TIMES}")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only those active last at this time, day or minute, or before."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many.")
    ] = None,
    form: Annotated[Format, option(Shape.TABLE, Shape.DOCUMENT, Shape.RECORDS, Shape.ROWS)] = Format.TABLE,
    store: Stores = None,
    projects: Projects = None,
    no_index: NoIndex = False,
) -> None:
    """List all sessions, newest first, also those that the desktop app has lost. Opens and changes nothing.

    HEALTH: lost (the desktop app does not list it, but should), damaged (bytes of its transcript are), or ok.
    """
    from ..render.screen import progress, remark
    from ..render.sessions import print_listing, session_records, session_rows
    from ..sessions.listing import find_sessions
    from .options import fail, folders

    after, before = parsed("--since", since), parsed("--until", until, end=True)
    if after is not None and before is not None and after > before:
        fail(f"--since {since} is later than --until {until}", 2)
    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    with progress("reading", of_bytes=True) as advance:
        found = find_sessions(
            stores,
            roots,
            folder=folder or None,
            text=" ".join(text or ()),
            since=after,
            until=before,
            limit=limit,
            index=not no_index,
            progress=advance,
        )
    again = [argument for path in store or [] for argument in ("--store", str(path))]
    again += [argument for path in projects or [] for argument in ("--projects", str(path))]
    write(
        form,
        {
            Shape.TABLE: lambda: print_listing(found, again),
            Shape.DOCUMENT: found.to_dict,
            Shape.RECORDS: lambda: session_records(found),
            Shape.ROWS: lambda: session_rows(found),
        },
    )
    for path, message in found.errors:
        remark(f"sessscan: {path}: {message}")
    if found.errors:
        raise typer.Exit(4)
