"""The command line. Each command has its own module: parse the options, call the library, print.

Only typer is imported at the start, and nothing else that is slow: `sessscan --version` and completion have
to be quick.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from .demo import demo
from .events import events
from .explain import explain
from .fields import fields
from .forget import forget
from .help import HelpGroup
from .list import list_
from .log import log
from .move import move
from .reconcile import reconcile
from .repair import repair
from .report import report
from .restore import restore
from .scan import scan
from .snapshot import snapshot
from .snapshots import snapshots
from .undo import undo
from .usage import usage
from .watch import watch
from .why import why

COMMANDS = (
    reconcile,
    repair,
    move,
    undo,
    log,
    snapshot,
    snapshots,
    restore,
    forget,
    watch,
    list_,
    why,
    scan,
    events,
    fields,
    usage,
    report,
    explain,
    demo,
)
"""All commands, in the order in which `sessscan --help` lists them."""


class _Program(HelpGroup):
    """The program: turns what goes wrong in any command into a message on stderr and an exit status."""

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        with _errors_reported():  # help and version are printed here already
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: Any) -> Any:
        with _errors_reported(writes=any(c.writes for c in COMMANDS if c.name == ctx.invoked_subcommand)):
            return super().invoke(ctx)


@contextmanager
def _errors_reported(*, writes: bool = False) -> Iterator[None]:
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise  # typer ends the program with their status
    except BrokenPipeError:
        _mute_stdout()
        raise typer.Exit(141) from None  # the status that a shell gives a program that SIGPIPE has ended
    except KeyboardInterrupt:
        from .options import fail

        fail(f"interrupted{'; `sessscan log` shows what was done' if writes else ''}", 130)
    except Exception as error:
        from .failure import report

        report(error)


def _mute_stdout() -> None:
    """Send what is left in stdout's buffer nowhere, so that Python does not fail once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    name="sessscan",
    cls=_Program,
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
    epilog="Exit status: 0 no errors, or all of them are fixed; 1 errors remain: not applied yet, or held; "
    "2 wrong usage; 3 refused, nothing was written; 4 some files could not be read or written, the rest was "
    "done; 5 written, but the disk did not confirm it; 70 a bug in sessscan.\n\n"
    "Example: sessscan reconcile"
)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find Claude Code sessions that vanished from the desktop app, and put them back."""


for _command in COMMANDS:
    _command.add_to(app)


def main() -> None:
    """Run the `sessscan` command."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # opens the standard streams that are closed, so that no file of ours gets their numbers
    os.close(descriptor)
    sys.stdout, sys.stderr = sys.stdout or os.fdopen(1, "w"), sys.stderr or os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is escaped, instead of ending the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning
    # Commands make many objects that stay, and hardly any cycles: looking for those took a tenth of the time
    # of `usage`.
    gc.set_threshold(100_000)
    if sys.platform == "win32":
        # Ctrl-Break, too, ends what is done in good order, as Ctrl-C does.
        signal.signal(signal.SIGBREAK, signal.default_int_handler)
    app()


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning of the library as a remark."""
    from ..render.screen import remark

    remark(f"sessscan: {message}")
