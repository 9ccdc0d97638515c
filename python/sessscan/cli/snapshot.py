"""`sessscan snapshot`: keep the healthy rows."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import Stores


@command("Keep the rows that are healthy now.", example="sessscan snapshot")
def snapshot(
    store: Stores = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="How many versions of each row are kept, from now on. At first 20."
        ),
    ] = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
) -> None:
    """Keep the rows that are healthy now, so that a lost one can be put back byte for byte.

    `reconcile` does so on its way. Of transcripts nothing is kept.
    """
    from ..render.screen import progress, remark
    from ..render.snapshots import print_snapshot
    from ..snapshots.capture import snapshot as take
    from .options import folders

    with progress("keeping") as advance:
        report = take(folders(store, "--store"), keep=keep, progress=advance)
    for text in report.remarks:
        remark(f"sessscan: {text}")
    given = [argument for path in store or [] for argument in ("--store", str(path))]
    write(form, {Shape.TEXT: lambda: print_snapshot(report, given), Shape.DOCUMENT: report.to_dict})
    for error in report.errors:
        remark(f"sessscan: {error.filename}: {error.strerror or error}")
    for path, reason in report.captured.failed:
        remark(f"sessscan: {path}: {reason}")
    raise typer.Exit(report.exit_status)
