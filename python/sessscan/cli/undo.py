"""`sessscan undo`: take a run back."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import Force


@command("Take a run back.", example="sessscan undo", writes=True)
def undo(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Which one; without it the newest that is not taken back."),
    ] = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    force: Force = False,
) -> None:
    """Take a run back: every file is what it was before, byte for byte.

    A run is one `reconcile --apply` or `restore --apply` that changed something; `sessscan log` lists them.
    A row that was made is removed, one that was replaced has its old content and time again. Where a file has
    changed since, nothing at all is written, and it is named. Quit the desktop app before.

    Exit status: 0 taken back, or there was nothing to take back; 2 there is no such run; 3 refused, nothing
    written; 4 some files could not be written; 5 written, but the disk would not confirm it.
    """
    from ..changes import undo as reversing
    from ..render.runs import print_undone, undone_document
    from ..render.screen import progress
    from .failure import usage

    try:
        chosen = reversing.choose(run)
    except ValueError as error:
        usage(error)
    with progress("taking back") as advance:
        undone = None if chosen is None else reversing.undo(chosen, force=force, progress=advance)
    write(form, {Shape.TEXT: lambda: print_undone(undone), Shape.DOCUMENT: lambda: undone_document(undone)})
    if undone is not None:
        raise typer.Exit(undone.exit_status)
