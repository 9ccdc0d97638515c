"""`sessscan log`: the runs that changed something."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .options import Form


@command("Show what was changed.", example="sessscan log")
def log(
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.text,
) -> None:
    """Show what was changed, and how to take it back.

    All runs that changed a file. They are read from sessscan's own state, which SESSSCAN_HOME moves; no store
    is looked at. Times are UTC.

    Exit status: 0 all runs are shown; 4 some journals cannot be read.
    """
    from ..changes import journal
    from ..render.runs import print_log

    runs, wrong = journal.runs()
    print_log(runs, wrong, form.value)
    if wrong:
        raise typer.Exit(4)
