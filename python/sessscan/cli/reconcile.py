"""`sessscan reconcile`: find what is wrong in the stores, and put lost sessions back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import (
    Force,
    InsecureState,
    NoIndex,
    PlanFile,
    PlanOut,
    Projects,
    Stores,
    fail,
    folders,
    repeated,
)
from .plans import apply_plan, check_new, follow, save

if TYPE_CHECKING:
    from ..changes.plan import Plan, Report


@command("Find lost sessions and put them back.", example="sessscan reconcile --apply", writes=True)
def reconcile(
    apply: Annotated[
        bool, typer.Option("--apply", help="Put the sessions back. Without this no row is written.")
    ] = False,
    store: Stores = None,
    projects: Projects = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROW=TRANSCRIPT",
            help="Decide a row that is held: the transcript it belonged to; may be repeated.",
        ),
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Also make rows for sessions of the desktop app that have none.")
    ] = False,
    account: Annotated[
        str | None,
        typer.Option(
            metavar="ACCOUNT",
            help="With --adopt: the account or organisation the new rows are for, by the name of its folder. "
            "Needed only where there are several and the sessions' folders do not tell.",
        ),
    ] = None,
    rebuild_index: Annotated[
        bool, typer.Option("--rebuild-index", help="Also rebuild old sessions-index.json files.")
    ] = False,
    plan_out: PlanOut = None,
    plan: PlanFile = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Test how well the healthy rows would be put back if they were lost. Writes nothing.",
        ),
    ] = False,
    no_snapshot: Annotated[
        bool,
        typer.Option(
            "--no-snapshot", help="Do not take snapshots of the healthy rows. Older ones are still used."
        ),
    ] = False,
    force: Force = False,
    no_index: NoIndex = False,
    insecure_state: InsecureState = False,
) -> None:
    """Find sessions that the desktop app has lost, show how they can be put back, and with --apply do it.

    Every registry row (local_*.json) is checked. For a row that the app cannot read, sessscan looks for its
    transcript with the help of what is left of the row, copies, snapshots, worktree leases and times. If the
    evidence does not decide, the row is held and its candidates are shown: choose one with --match.

    Without --apply no row is written. With it each row is replaced as a whole, the damaged file is kept
    beside it as .corrupted-bak, and `sessscan undo` takes everything back. Transcripts are never changed.
    Quit the desktop app first: it reads rows only when it starts, and later overwrites them from its memory.

    Exit status: 0 no errors, or all of them are fixed; 1 errors remain: not applied yet, or held; 2 wrong
    usage; 3 refused, nothing was written: the app is running, another run is in progress, or the plan no
    longer fits; 4 some files could not be read or written, the rest was done; 5 written, but the disk did not
    confirm it.
    """
    from ..render.reconciliation import print_outcome
    from ..render.screen import remark

    making = {
        "--match": bool(match),
        "--adopt": adopt,
        "--account": account is not None,
        "--rebuild-index": rebuild_index,
        "--plan-out": plan_out is not None,
    }
    used = [name for name, given in making.items() if given]
    if verify:
        used += ["--plan"] if plan is not None else []
        used += ["--apply"] if apply else []
        if used:
            fail(f"--verify only tests; it does not go with {', '.join(used)}", 2)
        _backtest(store, projects, form)
        return

    outcome: Plan | Report
    if plan is not None:
        used = [*(["--store"] if store else []), *(["--projects"] if projects else []), *used]
        if used:
            fail(f"the plan is made already: --plan does not go with {', '.join(used)}", 2)
        from ..reconciliation.saved_plan import load_plan

        outcome, status = follow(plan, load_plan, "putting back", apply=apply, force=force)
        options = ["--plan", str(plan)]
    else:
        if plan_out is not None:
            check_new(plan_out)
        if account is not None and not adopt:
            fail("--account says where --adopt makes rows: give --adopt too", 2)
        made = _make(store, projects, match, adopt, account, rebuild_index, not no_index, not no_snapshot)
        for text in made.remarks:
            remark(f"sessscan: {text}")
        if plan_out is not None:
            save(made, plan_out)
        outcome = apply_plan(made, "putting back", force=force) if apply else made
        status = outcome.exit_status
        options = repeated(store, projects)
        options += [argument for wish in match or [] for argument in ("--match", wish)]
        options += ["--adopt"] if adopt else []
        options += ["--account", account] if account is not None else []
        options += ["--rebuild-index"] if rebuild_index else []
        options += ["--no-snapshot"] if no_snapshot else []
    write(form, {Shape.TEXT: lambda: print_outcome(outcome, options), Shape.DOCUMENT: outcome.to_dict})
    raise typer.Exit(status)


def _make(
    store: list[Path] | None,
    projects: list[Path] | None,
    match: list[str] | None,
    adopt: bool,
    account: str | None,
    rebuild_index: bool,
    index: bool,
    snapshot: bool,
) -> Plan:
    from ..reconciliation import reconcile as make_plan
    from ..render.screen import progress

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    with progress("reading", of_bytes=True) as advance:
        return make_plan(
            stores,
            roots,
            matches=match or None,
            adopt=adopt,
            account=account,
            rebuild_index=rebuild_index,
            index=index,
            snapshot=snapshot,
            progress=advance,
        )


def _backtest(store: list[Path] | None, projects: list[Path] | None, form: Format) -> None:
    from ..reconciliation.backtest import backtest
    from ..render.backtest import print_backtest
    from ..render.screen import progress, remark

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    with progress("reading", of_bytes=True) as reading, progress("trying") as trying:
        found = backtest(stores, roots, progress=reading, row_progress=trying)
    for text in found.remarks:
        remark(f"sessscan: {text}")
    write(form, {Shape.TEXT: lambda: print_backtest(found), Shape.DOCUMENT: found.to_dict})
