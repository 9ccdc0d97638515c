"""`sessscan reconcile`: what is wrong, and what would be done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import Force, NoIndex, Projects, Stores

if TYPE_CHECKING:
    from ..changes.plan import Plan, Report


@command("Find lost sessions and put them back.", example="sessscan reconcile --apply", writes=True)
def reconcile(
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this nothing is written.")] = False,
    store: Stores = None,
    projects: Projects = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
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
    rebuild_index: Annotated[
        bool, typer.Option("--rebuild-index", help="Write old sessions-index.json files anew.")
    ] = False,
    plan_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plan to a new file, for --plan.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Show the plan in this file, or with --apply carry out exactly it. Refused where what it "
            "rests on has changed.",
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Try on the healthy rows how well they would be put back. Writes nothing."
        ),
    ] = False,
    no_snapshot: Annotated[
        bool, typer.Option("--no-snapshot", help="Do not keep the healthy rows. Those kept still count.")
    ] = False,
    force: Force = False,
    no_index: NoIndex = False,
) -> None:
    """Find sessions the desktop app has lost, say how they can be put back, and with --apply do it.

    Each registry row (local_*.json) gets a verdict. For one that the app cannot read, the transcript it
    belonged to is proved from what is left of the row, from copies, leases and times. Where that does not
    decide, the row is held, and its candidates are shown: --match gives your word.

    Without --apply no row is written. With it each row is replaced as a whole, the damaged one stays beside
    it as .corrupted-bak, and `sessscan undo` takes it all back. Transcripts are never changed. Quit the
    desktop app before: it reads rows only when it starts, and saves what it has in memory over them.

    Exit status: 0 no error stands; 1 an error stands, planned or held; 2 usage; 3 refused, nothing written:
    the app runs, another run is under way, or the plan no longer fits; 4 some files could not be read or
    written, the rest was done; 5 written, but the disk would not confirm it.
    """
    from ..render.reconciliation import print_outcome
    from .options import fail

    making = {
        "--store": bool(store),
        "--projects": bool(projects),
        "--match": bool(match),
        "--adopt": adopt,
        "--rebuild-index": rebuild_index,
        "--plan-out": plan_out is not None,
    }
    given = [name for name, used in making.items() if used]
    if verify:
        others = [name for name in given if name not in ("--store", "--projects")]
        others += ["--plan"] if plan is not None else []
        others += ["--apply"] if apply else []
        if others:
            fail(f"--verify only tries; it does not go with {', '.join(others)}", 2)
        _backtest(store, projects, form)
        return
    if plan is not None:
        if given:
            fail(f"a plan is made already: --plan does not go with {', '.join(given)}", 2)
        outcome, status = _planned(plan, apply, force)
        again = ["--plan", str(plan)]
    else:
        if plan_out is not None:
            _new(plan_out)
        made = _make(store, projects, match, adopt, rebuild_index, not no_index, not no_snapshot)
        if plan_out is not None:
            _save(made, plan_out)
        outcome = _applied(made, force=force) if apply else made
        status = outcome.exit_status
        again = [argument for path in store or [] for argument in ("--store", str(path))]
        again += [argument for path in projects or [] for argument in ("--projects", str(path))]
        again += [argument for word in match or [] for argument in ("--match", word)]
        again += [name for name in ("--adopt", "--rebuild-index") if making[name]]
        again += ["--no-snapshot"] if no_snapshot else []
    write(form, {Shape.TEXT: lambda: print_outcome(outcome, again), Shape.DOCUMENT: outcome.to_dict})
    raise typer.Exit(status)


def _make(
    store: list[Path] | None,
    projects: list[Path] | None,
    match: list[str] | None,
    adopt: bool,
    rebuild_index: bool,
    index: bool,
    snapshot: bool,
) -> Plan:
    from ..reconciliation import reconcile as run
    from ..render.screen import progress, remark
    from .failure import usage
    from .options import folders

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    try:
        with progress("reading", of_bytes=True) as advance:
            plan = run(
                stores,
                roots,
                matches=match or None,
                adopt=adopt,
                rebuild_index=rebuild_index,
                index=index,
                snapshot=snapshot,
                progress=advance,
            )
    except ValueError as error:
        if not match:
            raise
        usage(error)
    for text in plan.remarks:
        remark(f"sessscan: {text}")
    return plan


def _applied(plan: Plan, *, exact: bool = False, force: bool) -> Report:
    from ..render.screen import progress

    with progress("putting back") as advance:
        return plan.apply(exact=exact, force=force, progress=advance)


def _planned(file: Path, apply: bool, force: bool) -> tuple[Plan | Report, int]:
    """The plan in a file, or what became of it, and the exit status."""
    from ..changes.plan import Plan
    from ..render.screen import remark
    from .options import fail

    try:
        plan = Plan.load(file)
    except OSError as error:
        fail(f"--plan {file}: {error.strerror or error}", 2)
    changes = plan.changes()
    for change in changes:
        remark(f"sessscan: the plan no longer fits: {change}")
    if not apply:
        return plan, 3 if changes else plan.exit_status
    if changes:
        fail("refused, nothing was written: make a new plan", 3)
    report = _applied(plan, exact=True, force=force)
    return report, report.exit_status


def _new(file: Path) -> None:
    """Ends with status 2 where no file can be made, before anything is read."""
    from .options import fail

    if os.path.lexists(file):
        fail(f"--plan-out {file}: there is a file already", 2)
    if not file.absolute().parent.is_dir():
        fail(f"--plan-out {file}: there is no such folder", 2)


def _save(plan: Plan, file: Path) -> None:
    from ..errors import ConflictError
    from ..render.screen import remark
    from .options import fail

    try:
        plan.save(file)
    except ConflictError as error:
        fail(f"--plan-out {file}: {error}", 2)
    remark(f"sessscan: the plan is in {file}; it holds the content of rows, so keep it to yourself")


def _backtest(store: list[Path] | None, projects: list[Path] | None, form: Format) -> None:
    from ..reconciliation.backtest import backtest
    from ..render.backtest import print_backtest
    from ..render.screen import progress
    from .options import folders

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    with progress("reading", of_bytes=True) as reading, progress("trying") as trying:
        found = backtest(stores, roots, progress=reading, row_progress=trying)
    write(form, {Shape.TEXT: lambda: print_backtest(found), Shape.DOCUMENT: found.to_dict})
