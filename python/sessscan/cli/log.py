"""`sessscan log`: the runs that changed something."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Form


def log(
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.text,
) -> None:
    """Show what was changed, and how to take it back."""
    from ..reconcile import journal
    from ..render.runs import print_log

    runs, wrong = journal.runs()
    print_log(runs, wrong, form.value)
    if wrong:
        raise typer.Exit(4)
