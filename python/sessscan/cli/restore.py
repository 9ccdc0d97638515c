"""`sessscan restore`: one row as it was."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .moments import TIMES, parsed
from .options import Force, Form


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
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.text,
    force: Force = False,
) -> None:
    """Put one row back as a snapshot has it; `sessscan undo` takes that back."""
    from ..changes.plan import Plan, Report
    from ..reconciliation.restore import restore as run
    from ..render.screen import remark
    from ..render.snapshots import print_restoration
    from ..snapshots.capture import capture_rows
    from ..snapshots.store import Snapshots
    from .failure import usage
    from .options import fail

    time = parsed("--at", at, end=True)
    store = Snapshots.open_existing()
    if store is None:
        fail("there are no snapshots yet: `sessscan snapshot` takes one", 2)
    with store:
        try:
            found = run(store, row, time)
        except ValueError as error:
            usage(error)
        for text in found.plan.remarks:
            remark(f"sessscan: {text}")
        outcome: Plan | Report = found.plan
        if apply:
            if found.plan.actions:
                capture_rows(store, [found.version.path])  # so that this one can come back as well
            outcome = found.plan.apply(force=force)
    again = ["sessscan", "restore", row, *(["--at", at] if at is not None else [])]
    print_restoration(found, outcome, form.value, again)
    raise typer.Exit(outcome.exit_status)
