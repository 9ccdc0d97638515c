"""Declare a command: its function, its line in the list of commands, and its example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import typer

from .help import HelpCommand


@dataclass(frozen=True)
class Command:
    """A command of the program. The docstring of `run` is its help text."""

    run: Callable[..., None]
    summary: str
    """One sentence for the list of commands."""
    example: str
    """A command line that works as it is, on a machine with sessions."""
    writes: bool
    """Whether it changes files in a store: if it is interrupted, `sessscan log` shows what was done."""

    @property
    def name(self) -> str:
        """The name by which it is called."""
        return self.run.__name__.rstrip("_")

    def add_to(self, app: typer.Typer) -> None:
        """Make it a command of `app`."""
        epilog = f"Example: {self.example}"
        app.command(self.name, cls=HelpCommand, short_help=self.summary, epilog=epilog)(self.run)


def command(summary: str, *, example: str, writes: bool = False) -> Callable[[Callable[..., None]], Command]:
    """Make a function a `Command`."""
    return lambda run: Command(run, summary, example, writes)
