"""`sessscan restore`: put one row or transcript back from a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UnknownSnapshotError
from .command import command
from .formats import Format, Shape, option, write
from .moments import TIMES, parsed
from .options import Force, InsecureState

if TYPE_CHECKING:
    from ..reconciliation.restore import RestorePlan
    from ..reconciliation.restore_transcript import TranscriptRestorePlan


@command(
    "Put one row or transcript back from a snapshot.",
    example="sessscan restore local_0f8e2c11 --at 2026-11-20",
    writes=True,
)
def restore(
    row: Annotated[
        str,
        typer.Argument(
            metavar="ROW|SESSION",
            help="A row's path, file name or session id, or the beginning of one; or a transcript's.",
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help=f"As it was at this time, or at the end of this day or minute: {TIMES} Default: the "
            "newest snapshot; of a transcript that is just that and was longer once, the one before.",
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put it back. Without this nothing is written.")
    ] = False,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    force: Force = False,
    insecure_state: InsecureState = False,
) -> None:
    """Put one row or transcript back, byte for byte, as it was in a snapshot.

    Without --apply it only shows what would change. With it, sessscan first takes a snapshot of what is there
    now, and `sessscan undo` takes the change back. For a row, quit the desktop app first; the transcript of a
    session that runs is left alone. `sessscan snapshots ROW` lists the versions of a row, `sessscan snapshots
    --transcripts SESSION` those of a transcript.

    Exit status: 0 put back, or nothing to put back; 1 not applied yet; 2 there is no such row or transcript,
    or no snapshot that old; 3 refused, nothing was written; 4 it could not be read or written; 5 written, but
    the disk did not confirm it.
    """
    from ..reconciliation.restore_transcript import TranscriptRestorePlan
    from ..render.keeping import print_transcript_restoration
    from ..render.screen import remark
    from ..render.snapshots import print_restoration

    plan = _plan(row, parsed("--at", at, end=True))
    for text in plan.remarks:
        remark(f"sessscan: {text}")
    outcome = plan.apply(force=force) if apply else plan
    again = ["sessscan", "restore", row, *(["--at", at] if at is not None else [])]

    def show() -> None:
        if isinstance(plan, TranscriptRestorePlan):
            print_transcript_restoration(plan.version, plan.size, outcome, again)
        else:
            print_restoration(plan.version, plan.before, outcome, again)

    write(form, {Shape.TEXT: show, Shape.DOCUMENT: outcome.to_dict})
    raise typer.Exit(outcome.exit_status)


def _plan(name: str, at: int | None) -> RestorePlan | TranscriptRestorePlan:
    """Plan to put back what `name` means: the row, or the transcript that is kept.

    Raises `UnknownSnapshotError` if it is neither, or may be both.
    """
    from ..keeping.select import find_path
    from ..reconciliation.restore import restore
    from ..reconciliation.restore_transcript import restore_transcript
    from ..snapshots.select import find_row, kept_rows

    if name.lower().endswith(".jsonl"):
        return restore_transcript(name, at)
    try:
        path = find_path(name)
    except UnknownSnapshotError:
        return restore(name, at)
    try:
        row = find_row(kept_rows(), name)
    except UnknownSnapshotError:
        return restore_transcript(path, at)
    raise UnknownSnapshotError(f"{name} may be the row {row.path} or the transcript {path}: give the path")
