"""Print to the terminal: fit its width, use its colours, choose the stream.

Results go to stdout, progress and remarks to stderr. Prose is wrapped. Paths and commands are not: a line
that the terminal breaks by itself can still be copied whole.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from .text import clean

_WIDEST = 100  # longer lines of prose are hard to read
_PATIENCE = 0.4  # seconds before a progress bar appears: shorter work needs none


class _Console(Console):
    """A console that lets a broken pipe be handled where all errors are."""

    def on_broken_pipe(self) -> None:
        """Raise the error. Rich would exit with status 1, which means that a session is lost."""
        raise


def console(stream: TextIO | None = None) -> Console:
    """Return a console that writes colours on a terminal only, and not if NO_COLOR is set."""
    stream = stream or sys.stdout
    plain = bool(os.environ.get("NO_COLOR"))
    return _Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        no_color=plain,
        color_system=None if plain else "auto",
        # Of an old Windows terminal rich leaves out a column, and does so where there is no terminal as well.
        legacy_windows=None if stream.isatty() else False,
    )


def width(target: Console) -> int:
    """Return the cells of a line: those of COLUMNS, else of the terminal, else 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return int(columns)
    try:  # before rich, which assumes that a dumb terminal has 80
        return os.get_terminal_size(target.file.fileno()).columns or target.width
    except (AttributeError, OSError, ValueError):
        return target.width


def on_terminal() -> bool:
    """Return whether stdout is a terminal. FORCE_COLOR does not count: in a pipe nothing must be cut."""
    return sys.stdout.isatty()


class Page:
    """Prints headings, paragraphs, and lines that stay whole. All text is cleaned (see `text.clean`)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = console(stream)
        self.width = max(24, min(width(self._console), _WIDEST))

    def heading(self, text: str, style: str = "bold") -> None:
        """Print an empty line and a heading."""
        self.gap()
        self.prose(text, style=style)

    def gap(self) -> None:
        """Print an empty line."""
        self._out(Text())

    def prose(
        self, text: str, *, indent: int = 0, lead: str = "", style: str = "", lead_style: str = ""
    ) -> None:
        """Print a paragraph that begins with `lead`, its other lines indented to the text after that."""
        hang = indent + cell_len(lead)
        # On a narrow screen, so deep an indent would leave a column of single words.
        under = hang if self.width - hang >= 24 else indent + 2
        lines = _wrapped(clean(text), self.width - hang, self.width - under)
        for number, line in enumerate(lines or [""]):
            out = Text(" " * (indent if number == 0 else under))
            if number == 0:
                out.append(lead, style=lead_style or style)
            out.append(line, style=style)
            self._out(out)

    def whole(
        self, text: str, *, indent: int = 0, lead: str = "", style: str = "", lead_style: str = ""
    ) -> None:
        """Print a line without breaking it: a path, a command."""
        out = Text(" " * indent)
        out.append(lead, style=lead_style or style)
        out.append(clean(text), style=style)
        self._out(out)

    def _out(self, text: Text) -> None:
        text.rstrip()
        self._console.print(text, soft_wrap=True)


def _wrapped(text: str, first: int, rest: int) -> list[str]:
    """Break a text into lines of so many cells. A word that is wider gets a line of its own."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        room = rest if lines else first
        if line and cell_len(line) + 1 + cell_len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


@contextmanager
def progress(label: str, *, of_bytes: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar on stderr until the end of the context.

    Yields a function to be called with the amount done and the whole amount; None if stderr is no terminal.
    """
    terminal = console(sys.stderr)
    if not sys.stderr.isatty() or not terminal.is_terminal or terminal.is_dumb_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

    amount = DownloadColumn() if of_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), amount)
    bars = Progress(*columns, console=terminal, transient=True)
    task = bars.add_task(label, total=None)
    due = time.monotonic() + _PATIENCE

    def report(done: int, total: int) -> None:
        bars.update(task, completed=done, total=total)
        if done >= total:
            bars.stop()  # the next step may have its own bar
        elif time.monotonic() > due:
            bars.start()

    try:
        yield report
    finally:
        bars.stop()


def remark(text: str) -> None:
    """Print a line on stderr, cleaned."""
    Page(sys.stderr).whole(text)
