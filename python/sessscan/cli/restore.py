"""`sessscan restore`: one row as it was."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .moments import TIMES, parsed
from .options import Force


@command(
    "Put one row back as it was.", example="sessscan restore local_0f8e2c11 --at 2026-11-20", writes=True
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
            help=f"As it was at the end of this time, day or minute: {TIMES} Default: the newest snapshot.",
        ),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this nothing is written.")] = False,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    force: Force = False,
) -> None:
    """Put one row back as a snapshot has it; `sessscan undo` takes that back."""
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
