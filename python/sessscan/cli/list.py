"""`sessscan list`: list all sessions, newest first, with the state of each."""

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
        typer.Option(
            metavar="DIR", help="Only sessions in this folder and the folders in it, worktrees included."
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS",
            help="Only sessions with each of these words in title, prompt, folder or branch; may be "
            "repeated.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only sessions active at this time or later: {TIMES}")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only sessions last active at this time (or during this day or minute) or earlier.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="At most this number of sessions.")
    ] = None,
    form: Annotated[Format, option(Shape.TABLE, Shape.DOCUMENT, Shape.RECORDS, Shape.ROWS)] = Format.TABLE,
    store: Stores = None,
    projects: Projects = None,
    no_index: NoIndex = False,
) -> None:
    """List all sessions, newest first, including those that the desktop app has lost. Changes no file.

    HEALTH is lost (the desktop app does not list the session, but should), damaged (its transcript has
    damaged places), or ok. Times in the table are local; the other formats have milliseconds since 1970, UTC.

    Exit status: 0 all was read; 2 wrong usage; 4 some files could not be read, the rest is shown.
    """
    from ..render.screen import progress, remark
    from ..render.sessions import print_listing, session_records, session_rows
    from ..sessions.listing import find_sessions
    from .options import fail, folders, repeated

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
    write(
        form,
        {
            Shape.TABLE: lambda: print_listing(found, repeated(store, projects)),
            Shape.DOCUMENT: found.to_dict,
            Shape.RECORDS: lambda: session_records(found),
            Shape.ROWS: lambda: session_rows(found),
        },
    )
    for path, message in found.errors:
        remark(f"sessscan: {path}: {message}")
    if found.errors:
        raise typer.Exit(4)
