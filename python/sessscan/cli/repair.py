"""`sessscan repair`: make damaged transcripts readable again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState, NoIndex, PlanFile, PlanOut, Projects, fail, folders, repeated
from .plans import apply_plan, check_new, follow, save

if TYPE_CHECKING:
    from ..changes.plan import Plan, Report


@command("Make damaged transcripts readable again.", example="sessscan repair", writes=True)
def repair(
    sessions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SESSION|PATH]...", help="Ids of sessions, or files and folders. Default: all."
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Repair the transcripts. Without this nothing is written.")
    ] = False,
    projects: Projects = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    parent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RECORD=RECORD",
            help="Decide what is held: the message, and the one that it followed; may be repeated.",
        ),
    ] = None,
    unbrick: Annotated[
        bool,
        typer.Option(
            "--unbrick",
            help="Also mend what the API refuses: calls without results, blank texts, images that are too "
            "large, and the like.",
        ),
    ] = False,
    plan_out: PlanOut = None,
    plan: PlanFile = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also repair transcripts that were written in the last 30 seconds."),
    ] = False,
    no_index: NoIndex = False,
    insecure_state: InsecureState = False,
) -> None:
    """Find what is damaged in transcripts, show what can be read again, and with --apply repair it.

    A record that was zeroed, torn or spliced cuts off all that was said before it: a session that is resumed
    goes back along the links between messages, and ends where one is lost. sessscan links the first message
    after the hole to the last one before it, and passes over calls and results that lost their other half.
    Where the hole may hide that the conversation was rewound or compacted, the link is held: choose with
    --parent.

    Without --apply nothing is written. With it each transcript is replaced as a whole, the damaged one is
    kept beside it as .jsonl.corrupted-bak, and `sessscan undo` takes everything back. A transcript of a
    session that runs, or that was just written, is left alone.

    Exit status: 0 no transcript is damaged, or all are repaired; 1 damage remains: not applied yet, or held;
    2 wrong usage; 3 refused, nothing was written: sessions run, another run is in progress, or the plan no
    longer fits; 4 some files could not be read or written, the rest was done; 5 written, but the disk did not
    confirm it.
    """
    from ..render.repair import print_repair

    outcome: Plan | Report
    if plan is not None:
        making = {
            "SESSION": bool(sessions),
            "--projects": bool(projects),
            "--parent": bool(parent),
            "--unbrick": unbrick,
            "--plan-out": plan_out is not None,
        }
        used = [name for name, given in making.items() if given]
        if used:
            fail(f"the plan is made already: --plan does not go with {', '.join(used)}", 2)
        from ..mending.saved import load_repair

        outcome, status = follow(plan, load_repair, "repairing", apply=apply, force=force)
        options = ["--plan", str(plan)]
    else:
        if plan_out is not None:
            check_new(plan_out)
        made = _make(sessions or [], projects, parent, unbrick, not no_index)
        if plan_out is not None:
            save(made, plan_out)
        outcome = apply_plan(made, "repairing", force=force) if apply else made
        status = outcome.exit_status
        options = [*(sessions or []), *repeated(None, projects)]
        options += [argument for wish in parent or [] for argument in ("--parent", wish)]
        options += ["--unbrick"] if unbrick else []
    write(form, {Shape.TEXT: lambda: print_repair(outcome, options), Shape.DOCUMENT: outcome.to_dict})
    raise typer.Exit(status)


def _make(
    sessions: list[str], projects: list[Path] | None, parent: list[str] | None, unbrick: bool, index: bool
) -> Plan:
    from ..mending import repair as make_plan
    from ..render.screen import progress

    roots = folders(projects, "--projects")
    with progress("reading", of_bytes=True) as advance:
        return make_plan(
            sessions, roots, parents=parent or (), unbrick=unbrick, index=index, progress=advance
        )
