"""Options that several commands share, and what they are checked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

Stores = Annotated[
    list[Path] | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="A userData folder of the desktop app, its claude-code-sessions, or one account/organisation "
        "folder; may be repeated. Default: where this platform keeps them.",
    ),
]

Projects = Annotated[
    list[Path] | None,
    typer.Option(
        "--projects",
        metavar="DIR",
        help="The folder of the transcripts; may be repeated. Default: $CLAUDE_CONFIG_DIR/projects, else "
        "~/.claude/projects.",
    ),
]

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The new file for parquet or arrow; else stdout."),
]

NoIndex = Annotated[
    bool,
    typer.Option("--no-index", help="Read every transcript whole, and keep nothing for the next time."),
]

Force = Annotated[bool, typer.Option("--force", help="Also while the desktop app is running.")]


def fail(message: str, status: int) -> NoReturn:
    """One line on stderr, and out."""
    from ..render.screen import remark

    remark(f"sessscan: {message}")
    raise typer.Exit(status)


def folders(given: list[Path] | None, option: str) -> list[Path] | None:
    """The folders an option names, absolute, links in them not resolved; None where it was not given.

    Ends with status 2 where one is no folder.
    """
    if not given:
        return None
    for path in given:
        if not path.exists():
            fail(f"{option} {path}: there is no such folder", 2)
        if not path.is_dir():
            fail(f"{option} {path}: this is not a folder", 2)
    return [absolute(path) for path in given]


def absolute(path: Path) -> Path:
    """The path from the root on, without `..`; links in it are not resolved."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # `resolve` would follow links
