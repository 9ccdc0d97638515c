"""`sessscan snapshot`: take snapshots of the healthy rows, or of transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState, Projects, Stores, fail
from .sizes import parsed


@command("Take snapshots of the healthy rows.", example="sessscan snapshot")
def snapshot(
    store: Stores = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="How many versions to keep of each row, from now on. Initially 20. With --transcripts, how "
            "many contents to keep of each now: versions that only grew are one. Default: all.",
        ),
    ] = None,
    transcripts: Annotated[
        bool,
        typer.Option(
            "--transcripts",
            help="Keep all that transcripts hold, instead of rows: prompts, answers, what tools gave.",
        ),
    ] = False,
    projects: Projects = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="With --transcripts: drop the oldest versions until all take no more than this, such "
            "as 500M or 2G; never the last one of a transcript that is gone.",
        ),
    ] = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    insecure_state: InsecureState = False,
) -> None:
    """Take snapshots of the healthy rows, so that a lost one can be put back byte for byte.

    `reconcile` does this too. Only rows that have changed are stored again.

    Transcripts are kept only with --transcripts, compressed, in sessscan's own state, where only you can read
    them. Of one that grew only what is new is read and stored. What you remove from a transcript stays in its
    older versions until `sessscan forget` or --keep drops them.

    Exit status: 0 all is stored; 2 wrong usage; 4 some could not be read or stored, the rest was done.
    """
    if transcripts:
        if store:
            fail("--store is about rows: it does not go with --transcripts", 2)
        _snapshot_transcripts(projects, keep, parsed("--max-size", max_size), form)
    if projects or max_size is not None:
        fail("--projects and --max-size need --transcripts", 2)
    from ..render.screen import progress, remark
    from ..render.snapshots import print_snapshot
    from ..snapshots.capture import snapshot as take
    from .options import folders, repeated

    with progress("storing") as advance:
        report = take(folders(store, "--store"), keep=keep, progress=advance)
    for text in report.remarks:
        remark(f"sessscan: {text}")
    write(
        form,
        {Shape.TEXT: lambda: print_snapshot(report, repeated(store, None)), Shape.DOCUMENT: report.to_dict},
    )
    for error in report.errors:
        remark(f"sessscan: {error.filename}: {error.strerror or error}")
    for path, reason in report.captured.failed:
        remark(f"sessscan: {path}: {reason}")
    raise typer.Exit(report.exit_status)


def _snapshot_transcripts(
    projects: list[Path] | None, keep: int | None, max_size: int | None, form: Format
) -> NoReturn:
    from ..keeping.capture import snapshot_transcripts
    from ..render.keeping import print_snapshot
    from ..render.screen import progress, remark
    from .options import folders

    with progress("reading", of_bytes=True) as advance:
        report = snapshot_transcripts(
            folders(projects, "--projects"), keep=keep, max_size=max_size, progress=advance
        )
    for text in report.remarks:
        remark(f"sessscan: {text}")
    write(form, {Shape.TEXT: lambda: print_snapshot(report), Shape.DOCUMENT: report.to_dict})
    for error in report.errors:
        remark(f"sessscan: {error.filename}: {error.strerror or error}")
    for path, reason in report.failed:
        remark(f"sessscan: {path}: {reason}")
    raise typer.Exit(report.exit_status)
