"""`sessscan list`: list all sessions, newest first, with the state of each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from .command import command
from .formats import Format, Shape, option, write
from .moments import TIMES, parsed
from .options import InsecureState, NoIndex, Projects, Raw, Stores, fail, folders, repeated

if TYPE_CHECKING:
    from ..model import SessionKind


def _kinds() -> tuple[SessionKind, ...]:
    from ..model import SessionKind

    return get_args(SessionKind)


def _complete_kind(incomplete: str) -> list[str]:
    return [kind for kind in _kinds() if kind.startswith(incomplete)]


def _hidden(given: list[str]) -> list[SessionKind]:
    """Return the kinds of sessions to leave out. Exits with status 2 for one that there is not."""
    for name in given:
        if name not in _kinds():
            fail(f"--hide {name}: choose of {', '.join(_kinds())}", 2)
    return [kind for kind in _kinds() if kind in given]


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
    hide: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Leave out sessions of a kind; may be repeated: sdk (last entered by a program, through an "
            "SDK or claude -p), archived, sidechain (a subagent's), empty (no conversation), deleted or "
            "continued (in the app).",
            autocompletion=_complete_kind,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="At most this number of sessions.")
    ] = None,
    form: Annotated[Format, option(Shape.TABLE, Shape.DOCUMENT, Shape.RECORDS, Shape.ROWS)] = Format.TABLE,
    store: Stores = None,
    projects: Projects = None,
    no_index: NoIndex = False,
    raw: Raw = False,
    insecure_state: InsecureState = False,
) -> None:
    """List all sessions, newest first, including those that the desktop app has lost. Changes no file.

    Each transcript is a session, in each folder that it stands in. HEALTH is lost (the desktop app does not
    list the session, but should), hollow (the app counted turns, but its transcript holds no conversation),
    damaged (its transcript has damaged places), empty (it holds no conversation), or ok. NOTE says what is
    archived, a sidechain, or later than this machine's clock; such a time does not lead the list.

    Times in the table are local, and it says of which zone; so are days given to --since and --until. The
    other formats have milliseconds since 1970, UTC.

    Exit status: 0 all was read; 2 wrong usage; 4 some files could not be read, the rest is shown.
    """
    from ..render.screen import progress, remark
    from ..render.sessions import print_listing, remark_on_times, session_records, session_rows
    from ..sessions.listing import find_sessions

    after, before = parsed("--since", since), parsed("--until", until, end=True)
    if after is not None and before is not None and after > before:
        fail(f"--since {since} is later than --until {until}", 2)
    hidden = _hidden(hide or [])
    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    with progress("reading", of_bytes=True) as advance:
        found = find_sessions(
            stores,
            roots,
            folder=folder or None,
            text=" ".join(text or ()),
            since=after,
            until=before,
            hide=hidden,
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
        raw=raw,
    )
    remark_on_times(found, since if after is not None and after > time.time() * 1000 else None)
    for path, message in found.errors:
        remark(f"sessscan: {path}: {message}")
    if found.errors:
        raise typer.Exit(4)
