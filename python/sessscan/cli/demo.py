"""`sessscan demo`: make a damaged sample store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .command import command


@command("Make a damaged sample store to try sessscan on.", example="sessscan demo sample")
def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="An empty folder, or one that does not exist yet.")
    ],
) -> None:
    """Make a damaged sample store to try sessscan on.

    It has invented sessions of the last weeks, with many kinds of damage, the same each time. Nothing outside
    DIR is written. The commands that show what is wrong with them are printed.

    Exit status: 0 made; 2 DIR is not empty; 4 it could not be written.
    """
    from ..demo import make
    from ..render.screen import remark
    from ..render.text import command
    from .options import fail

    try:
        user_data, projects = make(directory)
    except FileExistsError:
        fail(f"{directory} is not empty: give an empty folder, or one that does not exist yet", 2)
    except NotADirectoryError:
        fail(f"{directory} is not a folder", 2)
    remark(f"Made a sample store in {directory}. See what is wrong with it:")
    print(command(["sessscan", "reconcile", "--store", str(user_data), "--projects", str(projects)]))
    remark("Two of its transcripts are damaged too:")
    print(command(["sessscan", "repair", "--projects", str(projects)]))
