"""The command line. Each command stands in its own file: parse, one call of the library, print.

Nothing but typer is imported at the start: `sessscan --version` and completion have to be quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .demo import demo
from .events import events
from .explain import explain
from .list import list_
from .log import log
from .page import lay_out
from .reconcile import reconcile
from .report import report
from .restore import restore
from .scan import scan
from .snapshot import snapshot
from .snapshots import snapshots
from .undo import undo
from .watch import watch

_WRITING = ("reconcile", "restore", "undo")


class _Guarded(TyperGroup):
    """What can go wrong in any command becomes one line on stderr and an exit status."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        lay_out(self)

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        with _guard():  # help and version are printed here already
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: Any) -> Any:
        with _guard(writes=ctx.invoked_subcommand in _WRITING):
            return super().invoke(ctx)


@contextmanager
def _guard(*, writes: bool = False) -> Iterator[None]:
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _mute_stdout()
        raise typer.Exit(141) from None  # as the shell shows a program that SIGPIPE has ended
    except KeyboardInterrupt:
        from .options import fail

        fail(f"interrupted{'; `sessscan log` shows what was done' if writes else ''}", 130)
    except Exception as error:
        from .failure import report

        report(error)  # also where a command ends with a status of its own: that goes on as it is


def _mute_stdout() -> None:
    """Nobody reads stdout any more: what is still in its buffer must not fail once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    name="sessscan",
    cls=_Guarded,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from .. import __version__

        print(f"sessscan {__version__}")
        raise typer.Exit()


@app.callback(
    epilog="Exit status: 0 no error stands; 1 an error stands; 2 usage; 3 refused, nothing written; "
    "4 some files could not be read or written; 5 written, but the disk would not confirm it.\n\n"
    "Example: sessscan reconcile"
)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Finds Claude Code sessions that vanished from the desktop app, and puts them back."""


app.command(short_help="Find lost sessions and put them back.", epilog="Example: sessscan reconcile --apply")(
    reconcile
)
app.command(short_help="Take a run back.", epilog="Example: sessscan undo")(undo)
app.command(short_help="Show what was changed.", epilog="Example: sessscan log")(log)
app.command(short_help="Keep the rows that are healthy now.", epilog="Example: sessscan snapshot")(snapshot)
app.command(short_help="Show what is kept of the rows.", epilog="Example: sessscan snapshots")(snapshots)
app.command(
    short_help="Put one row back as it was.",
    epilog="Example: sessscan restore local_0f8e2c11 --at 2026-11-20",
)(restore)
app.command(
    short_help="Keep rows as they are saved; tell when one is lost.",
    epilog="Example: sessscan watch --repair --notify 'tee -a lost.jsonl'",
)(watch)
app.command(
    "list",
    short_help="List all sessions, newest first.",
    epilog="Example: sessscan list --text parser --since 2w",
)(list_)
app.command(
    short_help="Show the metadata of transcripts.",
    epilog="Example: sessscan scan --format csv ~/.claude/projects > sessions.csv",
)(scan)
app.command(
    short_help="Show titles, folders and times, line by line.",
    epilog="Example: sessscan events --format jsonl transcript.jsonl",
)(events)
app.command(short_help="Make a page to look at.", epilog="Example: sessscan report -o report.html")(report)
app.command(short_help="Say what a finding means.", epilog="Example: sessscan explain zero-filled")(explain)
app.command(short_help="Make a damaged sample store to try.", epilog="Example: sessscan demo sample")(demo)


def main() -> None:
    """The entry point of the `sessscan` command."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # a standard stream that is closed: what is opened next must not be taken for it
    os.close(descriptor)
    sys.stdout, sys.stderr = sys.stdout or os.fdopen(1, "w"), sys.stderr or os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks is spelled out; it is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
