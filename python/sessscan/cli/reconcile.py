"""`sessscan reconcile`: what is wrong, and what would be done."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Force, Form, Projects, Stores


def reconcile(
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this nothing is written.")] = False,
    store: Stores = None,
    projects: Projects = None,
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.text,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROW=TRANSCRIPT",
            help="Your word on a row that is held: the transcript it belonged to; may be repeated.",
        ),
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make rows for sessions of the desktop app that have none.")
    ] = False,
    force: Force = False,
) -> None:
    """Find sessions the desktop app has lost, say how they can be put back, and with --apply do it."""
    from ..reconcile import reconcile as run
    from ..reconcile.plan import Plan, Report
    from ..render.reconciliation import print_outcome
    from ..render.screen import progress
    from .failure import usage
    from .options import folders

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    try:
        with progress("reading", of_bytes=True) as advance:
            plan = run(stores, roots, matches=match or None, adopt=adopt, progress=advance)
    except ValueError as error:
        if not match:
            raise
        usage(error)
    outcome: Plan | Report = plan
    if apply:
        with progress("putting back") as advance:
            outcome = plan.apply(force=force, progress=advance)
    given = [argument for path in store or [] for argument in ("--store", str(path))]
    given += [argument for path in projects or [] for argument in ("--projects", str(path))]
    print_outcome(outcome, form.value, given)
    raise typer.Exit(outcome.exit_status)
