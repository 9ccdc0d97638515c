"""`sessscan demo`: a damaged sample store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .command import command


@command("Make a damaged sample store to try.", example="sessscan demo sample")
def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that is empty or not there yet.")
    ],
) -> None:
    """Make a damaged sample store to try sessscan on.

    Invented sessions of the last weeks, damaged in every way there is, the same each time. Nothing outside of
    DIR is written. The command to look at them is printed.

    Exit status: 0 made; 2 there is something in DIR already; 4 it could not be written.
    """
    from ..demo import make
    from ..render.screen import remark
    from ..render.text import command
    from .options import fail

    try:
        user_data, projects = make(directory)
    except FileExistsError:
        fail(f"{directory} is not empty: give a folder that is empty or not there yet", 2)
    except NotADirectoryError:
        fail(f"{directory} is not a folder", 2)
    remark(f"Made a sample store in {directory}. See what is wrong with it:")
    print(command(["sessscan", "reconcile", "--store", str(user_data), "--projects", str(projects)]))
