"""How help looks: within the terminal however narrow, and what is to be copied in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from typer import Context
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import HelpFormatter
else:
    HelpFormatter = Context.formatter_class  # by its public name, which is no type to a checker

_WIDEST = 80  # columns; longer lines are hard to read
_NARROWEST = 24  # columns; a terminal that has fewer breaks the lines itself
_BESIDE = 28  # columns that a description needs to stand beside its option; with fewer it stands under it


class _Formatter(HelpFormatter):
    """Typer's own pays no heed to terminals of fewer than 50 columns, and breaks examples."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        columns = min(get_terminal_size().columns, max_width or _WIDEST)
        super().__init__(indent_increment, width or max(columns, _NARROWEST) - 2, max_width)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """On one line where it fits."""
        line = f"{prefix or 'Usage: '}{prog} {args}"
        if len(line) <= self.width:
            self.write(f"{line}\n")
            return
        before = len(self.buffer)
        super().write_usage(prog, args, prefix)
        lines = "".join(self.buffer[before:]).splitlines()
        self.buffer[before:] = [f"{line.rstrip()}\n" for line in lines]

    def write_text(self, text: str) -> None:
        """Paragraphs; one that begins with `Example` is left as it is."""
        for number, paragraph in enumerate(text.split("\n\n")):
            if number:
                self.write_paragraph()
            if paragraph.startswith("Example"):
                self.write("".join(f"{'':{self.current_indent}}{line}\n" for line in paragraph.splitlines()))
            else:
                super().write_text(paragraph)

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Terms and what they mean, side by side where there is room."""
        rows = list(rows)
        first = min(max(len(term) for term, _ in rows), col_max) + col_spacing
        if self.width - self.current_indent - first >= _BESIDE:
            super().write_dl(rows, col_max, col_spacing)
            return
        for term, meaning in rows:
            for line in _cut(term, self.width - self.current_indent):
                self.write(f"{'':{self.current_indent}}{line}\n")
            self.indent()
            self.indent()
            self.write_text(meaning)
            self.dedent()
            self.dedent()


def _cut(term: str, room: int) -> list[str]:
    """An option and its choices, on lines of so many cells where it can be cut between choices."""
    lines = [""]
    for piece in term.replace("|", "|\0").replace(" <", " \0<").split("\0"):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > room:
            lines.append("  ")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


class _Page(Context):
    formatter_class = _Formatter


def lay_out(group: TyperGroup) -> None:
    """Makes a group and its commands print their help so."""
    group.context_class = _Page
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            lay_out(command)
        elif isinstance(command, TyperCommand):
            command.context_class = _Page
