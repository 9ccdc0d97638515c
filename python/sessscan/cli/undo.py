"""`sessscan undo`: take a run back."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Force, Form


def undo(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Which one; without it the newest that is not taken back."),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.text,
    force: Force = False,
) -> None:
    """Take a run back: every file is what it was before, byte for byte."""
    from ..reconcile import undo as reversing
    from ..render.runs import print_undone
    from ..render.screen import progress
    from .failure import usage

    try:
        chosen = reversing.choose(run)
    except ValueError as error:
        usage(error)
    with progress("taking back") as advance:
        undone = None if chosen is None else reversing.undo(chosen, force=force, progress=advance)
    print_undone(undone, form.value)
    if undone is not None:
        raise typer.Exit(undone.exit_status)
