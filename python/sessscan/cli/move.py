"""`sessscan move`: follow a project's folder that was renamed, moved or re-cloned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState, NoIndex, PlanFile, PlanOut, Projects, Stores, fail, folders, repeated
from .plans import apply_plan, check_new, follow, save

if TYPE_CHECKING:
    from ..changes.plan import Plan, Report


@command(
    "Follow a project's folder that was renamed or moved.",
    example="sessscan move ~/code/webshop ~/projects/webshop",
    writes=True,
)
def move(
    old: Annotated[str | None, typer.Argument(metavar="OLD", help="Where the folder was.")] = None,
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="Where it is now: a folder that exists.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Move the sessions. Without this nothing is written.")
    ] = False,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PREFIX",
            help="In place of OLD: how the paths of the sessions begin, as on the machine that they came "
            "from. With --to.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="PREFIX", help="In place of NEW: how they begin on this machine, a folder."
        ),
    ] = None,
    store: Stores = None,
    projects: Projects = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    plan_out: PlanOut = None,
    plan: PlanFile = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also while the desktop app is running, and also transcripts that were written in the last "
            "30 seconds.",
        ),
    ] = False,
    no_index: NoIndex = False,
    insecure_state: InsecureState = False,
) -> None:
    """Find the sessions of a project's folder that has moved, and with --apply move them after it.

    Sessions are kept by the folder that they were started in: rename it, move it or clone it elsewhere, and
    they are not listed there any more. Move the folder first, then run this. The transcripts of OLD and of
    every folder in it, worktrees too, go where those of NEW belong, with all that lies beside them, and each
    gets a line that says so; the app's rows and its leases of worktrees name the new folder. Messages stay as
    they are.

    For a store that came from another machine, give the beginnings of the paths: --from 'C:\\Users\\ada' --to
    /home/ada.

    Without --apply nothing is written. With it nothing is ever replaced: a session whose place is taken is
    held, and so is one that runs. Quit the desktop app first. `sessscan undo` takes everything back.

    Exit status: 0 nothing to move, or all is moved; 1 not applied yet, or held; 2 wrong usage: NEW is no
    folder, or no session is from OLD; 3 refused, nothing was written: the app or the sessions run, another
    run is in progress, or the plan no longer fits; 4 some files could not be read or written, the rest was
    done; 5 written, but the disk did not confirm it.
    """
    from ..render.move import print_move

    outcome: Plan | Report
    if plan is not None:
        making = {
            "OLD": old is not None,
            "--from": from_ is not None,
            "--to": to is not None,
            "--store": bool(store),
            "--projects": bool(projects),
            "--plan-out": plan_out is not None,
        }
        used = [name for name, given in making.items() if given]
        if used:
            fail(f"the plan is made already: --plan does not go with {', '.join(used)}", 2)
        from ..relocation.saved import load_move

        outcome, status = follow(plan, load_move, "moving", apply=apply, force=force)
        options = ["--plan", str(plan)]
    else:
        before, after, prefix = _folders(old, new, from_, to)
        if plan_out is not None:
            check_new(plan_out)
        made = _make(before, after, prefix, store, projects, not no_index)
        if plan_out is not None:
            save(made, plan_out)
        outcome = apply_plan(made, "moving", force=force) if apply else made
        status = outcome.exit_status
        options = ["--from", before, "--to", after] if prefix else [before, after]
        options += repeated(store, projects)
    write(form, {Shape.TEXT: lambda: print_move(outcome, options), Shape.DOCUMENT: outcome.to_dict})
    raise typer.Exit(status)


def _folders(old: str | None, new: str | None, from_: str | None, to: str | None) -> tuple[str, str, bool]:
    """Return where the folder was and is, and whether these are beginnings of paths."""
    if from_ is not None or to is not None:
        if old is not None:
            fail("--from and --to take the place of OLD and NEW: give one or the other", 2)
        if from_ is None or to is None:
            fail("--from and --to go together: the beginning of the paths there, and here", 2)
        return from_, to, True
    if old is None or new is None:
        fail("say where the folder was and where it is now: sessscan move OLD NEW", 2)
    return old, new, False


def _make(
    old: str, new: str, prefix: bool, store: list[Path] | None, projects: list[Path] | None, index: bool
) -> Plan:
    from ..relocation import move as make_plan
    from ..render.screen import progress

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    with progress("reading", of_bytes=True) as advance:
        return make_plan(old, new, stores, roots, prefix=prefix, index=index, progress=advance)
