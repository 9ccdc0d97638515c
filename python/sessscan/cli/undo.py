"""`sessscan undo`: take a run back."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import Force, InsecureState


@command("Take a run back.", example="sessscan undo", writes=True)
def undo(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="The run's id. Default: the newest run that is not taken back."),
    ] = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    force: Force = False,
    insecure_state: InsecureState = False,
) -> None:
    """Take a run back: make every file what it was before, byte for byte.

    A run is one `reconcile --apply`, `repair --apply`, `move --apply`, `restore --apply`, or repair by
    `watch --repair` that changed something; `sessscan log` lists them. Rows that the run made are removed.
    Rows that it replaced get their old content and time back. What it moved goes back to where it was.
    If one of the files has changed since, nothing is written, and that file is named. Quit the
    desktop app first.

    Exit status: 0 taken back, or nothing to take back; 2 there is no such run; 3 refused, nothing was
    written; 4 some files could not be written, the rest was done; 5 written, but the disk did not confirm it.
    """
    from ..changes import undo as reversing
    from ..render.runs import print_undone, undone_document
    from ..render.screen import progress

    chosen = reversing.choose(run)
    with progress("taking back") as advance:
        undone = None if chosen is None else reversing.undo(chosen, force=force, progress=advance)
    write(form, {Shape.TEXT: lambda: print_undone(undone), Shape.DOCUMENT: lambda: undone_document(undone)})
    if undone is not None:
        raise typer.Exit(undone.exit_status)
