"""`sessscan snapshot`: take snapshots of the healthy rows."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState, Stores


@command("Take snapshots of the healthy rows.", example="sessscan snapshot")
def snapshot(
    store: Stores = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="How many versions to keep of each row, from now on. Initially 20."
        ),
    ] = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    insecure_state: InsecureState = False,
) -> None:
    """Take snapshots of the healthy rows, so that a lost one can be put back byte for byte.

    `reconcile` does this too. Only rows that have changed are stored again. Transcripts are not stored.

    Exit status: 0 all healthy rows are stored; 2 wrong usage; 4 some could not be read or stored, the rest
    was done.
    """
    from ..render.screen import progress, remark
    from ..render.snapshots import print_snapshot
    from ..snapshots.capture import snapshot as take
    from .options import folders, repeated

    with progress("storing") as advance:
        report = take(folders(store, "--store"), keep=keep, progress=advance)
    for text in report.remarks:
        remark(f"sessscan: {text}")
    write(
        form,
        {Shape.TEXT: lambda: print_snapshot(report, repeated(store, None)), Shape.DOCUMENT: report.to_dict},
    )
    for error in report.errors:
        remark(f"sessscan: {error.filename}: {error.strerror or error}")
    for path, reason in report.captured.failed:
        remark(f"sessscan: {path}: {reason}")
    raise typer.Exit(report.exit_status)
