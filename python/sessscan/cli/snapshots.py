"""`sessscan snapshots`: show the snapshots of rows."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState


@command("Show the snapshots of rows.", example="sessscan snapshots")
def snapshots(
    row: Annotated[
        str | None,
        typer.Argument(
            metavar="ROW",
            help="A row's path, file name or session id, or the beginning of one. Default: all.",
        ),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="You removed this row's file on purpose: stop reporting it as missing. Its snapshots stay.",
        ),
    ] = False,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    insecure_state: InsecureState = False,
) -> None:
    """Show the rows of which there are snapshots, or the versions of one row and what differs between them.

    They are read from sessscan's own state folder, which SESSSCAN_HOME moves; no store is read. Times are
    UTC.

    Exit status: 0 shown; 2 there is no such row; 4 the snapshots cannot be read.
    """
    from ..render.screen import remark
    from ..render.snapshots import print_rows, print_versions, rows_document, versions_document
    from ..snapshots import select
    from .options import fail

    if row is None:
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
