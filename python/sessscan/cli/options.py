"""Define and check the options that several commands share."""

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
        help="A userData folder of the desktop app, its claude-code-sessions folder, or one "
        "account/organisation folder in it; may be repeated. Default: the usual places on this platform.",
    ),
]

Projects = Annotated[
    list[Path] | None,
    typer.Option(
        "--projects",
        metavar="DIR",
        help="The folder with the transcripts; may be repeated. Default: $CLAUDE_CONFIG_DIR/projects, or "
        "else ~/.claude/projects.",
    ),
]

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="The new file for parquet or arrow. Default: stdout."
    ),
]

NoIndex = Annotated[
    bool,
    typer.Option(
        "--no-index",
        help="Read every transcript in full, and cache nothing for the next time. Without it, one whose "
        "size and times did not change since it was scanned is not opened, unless it was scanned within 15 "
        "minutes of its last change and the system was started since.",
    ),
]

Raw = Annotated[
    bool,
    typer.Option(
        "--raw",
        help="In csv: for a program, not a spreadsheet. Without it a text that begins like a formula "
        "(= + - @) has an apostrophe before it.",
    ),
]


def _trust_state(given: bool) -> None:
    if given:
        from ..state import INSECURE

        os.environ[INSECURE] = "1"


InsecureState = Annotated[
    bool,
    typer.Option(
        "--insecure-state",
        callback=_trust_state,
        help="Use sessscan's own state even if it belongs to another user or others can write it.",
    ),
]

PlanOut = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Save the plan to a new file, for --plan.")
]

PlanFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Show the plan in this file, or with --apply carry out exactly that plan. Refused if anything "
        "it rests on has changed.",
    ),
]

Force = Annotated[bool, typer.Option("--force", help="Proceed even if the desktop app is running.")]


def fail(message: str, status: int) -> NoReturn:
    """Print a message on stderr, and exit with `status`."""
    from ..render.screen import remark

    remark(f"sessscan: {message}")
    raise typer.Exit(status)


def folders(given: list[Path] | None, option: str) -> list[Path] | None:
    """Return the folders that an option names, made absolute; None if it was not given.

    Exits with status 2 if one is not a folder. Links are not resolved.
    """
    if not given:
        return None
    for path in given:
        if not path.exists():
            fail(f"{option} {path}: there is no such folder", 2)
        if not path.is_dir():
            fail(f"{option} {path}: this is not a folder", 2)
    return [absolute(path) for path in given]


def repeated(store: list[Path] | None, projects: list[Path] | None) -> list[str]:
    """Return the options that lead another command to the same stores and transcripts."""
    options = [argument for path in store or [] for argument in ("--store", str(path))]
    return options + [argument for path in projects or [] for argument in ("--projects", str(path))]


def absolute(path: Path) -> Path:
    """Make a path absolute and remove `..` from it, without resolving links."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # `resolve` would follow links
