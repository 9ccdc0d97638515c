"""`sessscan report`: one page that shows how the sessions are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .command import command
from .options import NoIndex, Projects, Stores


@command("Make a page to look at.", example="sessscan report -o report.html")
def report(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The new file for the page; - for stdout.",
        ),
    ],
    store: Stores = None,
    projects: Projects = None,
    no_index: NoIndex = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Make one self-contained page of HTML: what is wrong, what to do, sessions, sizes, folders, damage, and
    what will soon be deleted."""
    from ..errors import OutputFileError
    from ..render import newfile
    from ..render.screen import progress, remark
    from .options import fail, folders

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

    given = [argument for path in store or [] for argument in ("--store", str(path))]
    given += [argument for path in projects or [] for argument in ("--projects", str(path))]
    with progress("reading", of_bytes=True) as advance:
        text, unread = page.make(stores, roots, given=given, index=not no_index, progress=advance)
    if to_stdout:
        sys.stdout.buffer.write(text.encode("utf-8"))
    else:
        try:
            page.save(text, output, force=force)
        except OutputFileError as error:
            fail(str(error), 2)
        except FileExistsError:
            fail(f"-o {output}: there is a file already", 2)
        remark(f"sessscan: the report is in {output}; it holds titles and paths of yours")
    if unread:
        remark("sessscan: some files could not be read; the page says how many")
        raise typer.Exit(4)
