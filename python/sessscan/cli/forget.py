"""`sessscan forget`: remove what is kept of a session."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState


@command("Remove what is kept of a session.", example="sessscan forget 0f8e2c11-5d1e-4c9a-9c7b-2f6a1b3c4d5e")
def forget(
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="The session's whole id, or the path of its transcript.")
    ],
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    insecure_state: InsecureState = False,
) -> None:
    """Remove every trace of a session from sessscan's own state: all versions of its transcript, the
    snapshots of rows that named it, what was read of it, and the journals of runs that changed nothing else.

    There is no way back, also for `undo`. No file outside sessscan's state is touched: a transcript that is
    still there, and backups beside it, stay, and the next `snapshot --transcripts` keeps it again.

    Exit status: 0 removed, or nothing was kept; 2 this is no id of a session; 3 refused: another sessscan is
    writing; 4 a file could not be written.
    """
    from ..keeping.forget import forget as remove
    from ..render.keeping import print_forgotten
    from ..render.screen import remark

    done = remove(session)
    for text in done.remarks:
        remark(f"sessscan: {text}")
    write(form, {Shape.TEXT: lambda: print_forgotten(done), Shape.DOCUMENT: done.to_dict})
