"""`sessscan snapshot`: keep the healthy rows."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Form, Stores


def snapshot(
    store: Stores = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="How many versions of each row are kept, from now on. At first 20."
        ),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.text,
) -> None:
    """Keep the rows that are healthy now, so that a lost one can be put back byte for byte.

    `reconcile` does so on its way. Of transcripts nothing is kept.
    """
    from ..render.screen import progress, remark
    from ..render.snapshots import print_taken
    from ..snapshots.round import take_all
    from ..snapshots.store import Snapshots
    from .options import folders

    with Snapshots.open() as snapshots:
        if keep is not None:
            snapshots.limit(keep)
        with progress("keeping") as advance:
            taken, stores, errors = take_all(snapshots, folders(store, "--store"), progress=advance)
    if snapshots.aside is not None:
        remark(f"sessscan: {snapshots.told_aside}")
    given = [argument for path in store or [] for argument in ("--store", str(path))]
    print_taken(taken, len(stores), str(snapshots.path), form.value, given)
    for error in errors:
        remark(f"sessscan: {error.filename}: {error.strerror or error}")
    for path, reason in taken.failed:
        remark(f"sessscan: {path}: {reason}")
    if errors or taken.failed:
        raise typer.Exit(4)
