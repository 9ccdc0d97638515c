"""`sessscan restore`: put one row back from a snapshot."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .moments import TIMES, parsed
from .options import Force, InsecureState


@command(
    "Put one row back from a snapshot.",
    example="sessscan restore local_0f8e2c11 --at 2026-11-20",
    writes=True,
)
def restore(
    row: Annotated[
        str,
        typer.Argument(metavar="ROW", help="A row's path, file name or session id, or the beginning of one."),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help=f"The row as it was at this time, or at the end of this day or minute: {TIMES} Default: the "
            "newest snapshot.",
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put the row back. Without this it is not written.")
    ] = False,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    force: Force = False,
    insecure_state: InsecureState = False,
) -> None:
    """Put one row back, byte for byte, as it was in a snapshot.

    Without --apply it only shows what would change. With it, sessscan first takes a snapshot of the present
    row, and `sessscan undo` takes the change back. Quit the desktop app first. `sessscan snapshots ROW` lists
    the versions of a row.

    Exit status: 0 put back, or nothing to put back; 1 not applied yet; 2 there is no such row or no snapshot
    that old; 3 refused, nothing was written; 4 the row could not be read or written; 5 written, but the disk
    did not confirm it.
    """
    from ..reconciliation.restore import restore as plan_restore
    from ..render.screen import remark
    from ..render.snapshots import print_restoration

    plan = plan_restore(row, parsed("--at", at, end=True))
    for text in plan.remarks:
        remark(f"sessscan: {text}")
    outcome = plan.apply(force=force) if apply else plan
    again = ["sessscan", "restore", row, *(["--at", at] if at is not None else [])]
    write(
        form,
        {
            Shape.TEXT: lambda: print_restoration(plan.version, plan.before, outcome, again),
            Shape.DOCUMENT: outcome.to_dict,
        },
    )
    raise typer.Exit(outcome.exit_status)
