"""`sessscan why`: say which places show a session, and by which rule the others hide it."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState, NoIndex, Projects, Stores, folders, repeated


@command(
    "Say which places show a session, and why others do not.", example='sessscan why "search as you type"'
)
def why(
    session: Annotated[
        str,
        typer.Argument(
            metavar="SESSION",
            help="Its id, a row's id (local_…), the beginning of either, its title or a part of that, or the "
            "path of its transcript or row.",
        ),
    ],
    store: Stores = None,
    projects: Projects = None,
    form: Annotated[Format, option(Shape.TEXT, Shape.DOCUMENT)] = Format.TEXT,
    no_index: NoIndex = False,
    insecure_state: InsecureState = False,
) -> None:
    """Say of each place that shows sessions whether it shows this one: the desktop app, the terminal's
    picker, the TypeScript and the Python SDK, VS Code, and the old index. Nothing is changed.

    Each verdict names the rule that shows or hides the session, where that rule is known from, and since
    which version. What is not known is said to be so.

    Exit status: 0 answered; 2 there is no such session, or there are several: the nearest are named; 4 some
    files could not be read, the rest was answered.
    """
    from ..render.screen import progress, remark
    from ..render.why import print_visibility
    from ..visibility.verdicts import why as look

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    with progress("reading", of_bytes=True) as advance:
        found = look(session, stores, roots, index=not no_index, progress=advance)
    options = repeated(store, projects)
    write(form, {Shape.TEXT: lambda: print_visibility(found, options), Shape.DOCUMENT: found.to_dict})
    for text in found.remarks:
        remark(f"sessscan: {text}")
    for path, message in found.errors:
        remark(f"sessscan: {path}: {message}")
    if found.errors:
        raise typer.Exit(4)
