"""`sessscan log`: show the runs that changed files."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState


@command("Show the runs that changed files.", example="sessscan log")
def log(
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    insecure_state: InsecureState = False,
) -> None:
    """Show the runs that changed files, and how to take each one back.

    The runs are read from sessscan's own state folder, which SESSSCAN_HOME moves; no store is read. Times are
    UTC.

    Exit status: 0 all runs are shown; 4 some journals cannot be read.
    """
    from ..changes import journal
    from ..render.runs import log_document, print_log
    from ..render.screen import remark

    runs, wrong = journal.runs()
    write(
        form,
        {
            Shape.TEXT: lambda: print_log(runs, unreadable=len(wrong)),
            Shape.DOCUMENT: lambda: log_document(runs),
        },
    )
    for error in wrong:
        remark(f"sessscan: this journal cannot be read: {error}")
    if wrong:
        raise typer.Exit(4)
