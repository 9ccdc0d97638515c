"""`sessscan report`: make an HTML page about the sessions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .command import command
from .options import InsecureState, NoIndex, Projects, Stores


@command("Make an HTML page about the sessions.", example="sessscan report -o report.html")
def report(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The new file for the page, or - for stdout.",
        ),
    ],
    store: Stores = None,
    projects: Projects = None,
    no_index: NoIndex = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    insecure_state: InsecureState = False,
) -> None:
    """Make an HTML page: what is wrong, what to do, sessions, sizes, folders, damage, and which transcripts
    will soon be deleted.

    The page is one file that loads nothing and runs no script. It contains your titles and paths. No row is
    changed. Times are local.

    Exit status: 0 made; 2 wrong usage, or the file exists; 4 made, but some files could not be read.
    """
    from ..errors import OutputFileError
    from ..render import newfile
    from ..render.screen import progress, remark
    from .options import fail, folders, repeated

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    to_stdout = str(output) == "-"
    try:
        if not to_stdout:
            newfile.check(output, force=force)
    except OutputFileError as error:
        fail(str(error), 2)
    try:
        import jinja2  # noqa: F401
        import pygal  # noqa: F401
    except ImportError as error:
        fail(f"the report needs {error.name}: pip install 'sessscan[report]'", 2)
    from .. import report as page

    with progress("reading", of_bytes=True) as advance:
        text, unread = page.make(
            stores, roots, given=repeated(store, projects), index=not no_index, progress=advance
        )
    if to_stdout:
        sys.stdout.buffer.write(text.encode("utf-8"))
    else:
        try:
            page.save(text, output, force=force)
        except OutputFileError as error:
            fail(str(error), 2)
        except FileExistsError:
            fail(f"-o {output}: there is a file already", 2)
        remark(f"sessscan: the report is in {output}; it contains your titles and paths")
    if unread:
        remark("sessscan: some files could not be read; the page says how many")
        raise typer.Exit(4)
