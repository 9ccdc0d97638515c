"""`sessscan snapshots`: what is kept."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Form


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
            help="You removed this row's file on purpose: do not report it as missing. What is kept stays.",
        ),
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.text,
) -> None:
    """Show what is kept: all rows, or the versions of one and what differs between them."""
    from ..render.screen import remark
    from ..render.snapshots import print_rows, print_versions
    from ..snapshots import select as choice
    from ..snapshots.store import Snapshots
    from .failure import usage
    from .options import fail

    if forget and row is None:
        fail("--forget needs a ROW", 2)
    store = Snapshots.existing()
    if store is None:
        if row is not None:
            fail("there are no snapshots yet: `sessscan snapshot` takes one", 2)
        print_rows([], form.value)
        return
    with store:
        rows = store.rows()
        if row is None:
            print_rows(rows, form.value)
            return
        try:
            kept = choice.row(rows, row)
        except ValueError as error:
            usage(error)
        if forget:
            store.forget(kept.path)
            remark(f"sessscan: {kept.path} is not reported as missing any more; what is kept of it stays")
            return
        print_versions(store.versions(kept.path), form.value)
