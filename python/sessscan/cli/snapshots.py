"""`sessscan snapshots`: show the snapshots of rows, and the transcripts that are kept."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState


@command("Show the snapshots of rows, or of transcripts.", example="sessscan snapshots")
def snapshots(
    row: Annotated[
        str | None,
        typer.Argument(
            metavar="ROW|SESSION",
            help="A row's path, file name or session id, or the beginning of one; with --transcripts a "
            "transcript's. Default: all.",
        ),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="You removed this row's file on purpose: stop reporting it as missing. Its snapshots stay.",
        ),
    ] = False,
    transcripts: Annotated[
        bool, typer.Option("--transcripts", help="Show the transcripts that are kept, and what they take.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all that is kept, of rows and transcripts, and check it.")
    ] = False,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    insecure_state: InsecureState = False,
) -> None:
    """Show the rows of which there are snapshots, or the versions of one row and what differs between them.

    They are read from sessscan's own state folder, which SESSSCAN_HOME moves; no store is read. Times are
    UTC.

    Exit status: 0 shown; 2 there is no such row or transcript; 4 some of the snapshots cannot be read.
    """
    from ..render.screen import remark
    from ..render.snapshots import print_rows, print_versions, rows_document, versions_document
    from ..snapshots import select
    from .options import fail

    if verify:
        if row is not None or forget or transcripts:
            fail("--verify is about all that is kept: it goes with no ROW and no other option", 2)
        _verify(form)
    if transcripts:
        if forget:
            fail("--forget is about rows: `sessscan forget SESSION` removes what is kept of a session", 2)
        _show_transcripts(row, form)
    elif row is None:
        if forget:
            fail("--forget needs a ROW", 2)
        rows = select.kept_rows()
        write(form, {Shape.TEXT: lambda: print_rows(rows), Shape.DOCUMENT: lambda: rows_document(rows)})
    elif forget:
        path = select.mark_removed(row).path
        remark(f"sessscan: {path} will not be reported as missing any more; its snapshots stay")
    else:
        versions = select.kept_versions(row)
        write(
            form,
            {
                Shape.TEXT: lambda: print_versions(versions),
                Shape.DOCUMENT: lambda: versions_document(versions),
            },
        )


def _show_transcripts(session: str | None, form: Format) -> None:
    from ..keeping.select import kept_bytes, kept_transcripts, transcript_versions
    from ..render import keeping

    if session is None:
        found, taken = kept_transcripts(), kept_bytes()
        write(
            form,
            {
                Shape.TEXT: lambda: keeping.print_transcripts(found, taken),
                Shape.DOCUMENT: lambda: keeping.transcripts_document(found, taken),
            },
        )
    else:
        versions = transcript_versions(session)
        write(
            form,
            {
                Shape.TEXT: lambda: keeping.print_versions(versions),
                Shape.DOCUMENT: lambda: keeping.versions_document(versions),
            },
        )


def _verify(form: Format) -> NoReturn:
    from ..keeping.select import verify_snapshots
    from ..render.keeping import print_verified, verified_document

    problems = verify_snapshots()
    write(
        form,
        {
            Shape.TEXT: lambda: print_verified(problems),
            Shape.DOCUMENT: lambda: verified_document(problems),
        },
    )
    raise typer.Exit(4 if problems else 0)
