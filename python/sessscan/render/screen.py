"""Where text meets the terminal: its width, its colours, its streams.

Results go to stdout, progress and remarks to stderr. Prose is wrapped; paths and commands are not, since what
a terminal breaks itself can still be copied whole.
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
_PATIENCE = 0.4  # seconds before a progress bar shows: what is done sooner needs none


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich's own ends with status 1, which here says that an error stands."""
        raise


def console(stream: TextIO | None = None) -> Console:
    """A console that writes colour only where it is wanted: on a terminal, and not under NO_COLOR."""
    stream = stream or sys.stdout
    plain = bool(os.environ.get("NO_COLOR"))
    return _Console(file=stream, markup=False, highlight=False, emoji=False, no_color=plain,
                    color_system=None if plain else "auto")  # fmt: skip


def width(target: Console) -> int:
    """Cells of a line: what COLUMNS says, else the terminal's, else 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return int(columns)
    try:  # before rich, which takes every dumb terminal for one of 80
        return os.get_terminal_size(target.file.fileno()).columns or target.width
    except (AttributeError, OSError, ValueError):
        return target.width


def on_terminal() -> bool:
    """Whether results go to a terminal. FORCE_COLOR makes none of a pipe: what goes there must not be cut."""
    return sys.stdout.isatty()


class Page:
    """A page of prose, headings, and lines that must stay whole. All text is cleaned on its way out."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = console(stream)
        self.width = max(24, min(width(self._console), _WIDEST))

    def heading(self, text: str, style: str = "bold") -> None:
        """A heading, with an empty line before it."""
        self.gap()
        self.prose(text, style=style)

    def gap(self) -> None:
        """An empty line."""
        self._out(Text())

    def prose(
        self, text: str, *, indent: int = 0, lead: str = "", style: str = "", lead_style: str = ""
    ) -> None:
        """A paragraph that begins with `lead`; further lines stand under its first word."""
        hang = indent + cell_len(lead)
        # On a narrow screen a deep indent would leave a column of single words.
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
        """A line that is not broken: a path, a command."""
        out = Text(" " * indent)
        out.append(lead, style=lead_style or style)
        out.append(clean(text), style=style)
        self._out(out)

    def _out(self, text: Text) -> None:
        text.rstrip()
        self._console.print(text, soft_wrap=True)


def _wrapped(text: str, first: int, rest: int) -> list[str]:
    """Words on lines of so many cells; a word that is wider has a line of its own."""
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
    """A progress bar on stderr, as something to be called with what is done and what there is in all; None
    where stderr is no terminal. It is gone when it is done."""
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
            bars.stop()  # what comes next may have a bar of its own
        elif time.monotonic() > due:
            bars.start()

    try:
        yield report
    finally:
        bars.stop()


def remark(text: str) -> None:
    """A line on stderr."""
    Page(sys.stderr).whole(text)
