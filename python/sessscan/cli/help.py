"""Lay out `--help`: within the terminal however narrow, and with examples that can be copied.

Typer's own layout assumes at least 50 columns and breaks the example lines.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from shutil import get_terminal_size
from typing import Any

from typer.core import TyperCommand, TyperGroup

_WIDEST = 80  # columns; longer lines are hard to read
_NARROWEST = 24  # columns; on a narrower terminal lines are broken by the terminal
_DESCRIPTION = 28  # columns that a description needs to be put beside its option, instead of below it
_TERM = 30  # columns that an option may take if its description is put beside it


class HelpCommand(TyperCommand):
    """A command whose help is laid out by this module."""

    def get_usage(self, ctx: Any) -> str:
        """Return the usage line, as help and usage errors show it."""
        return _usage(self, ctx)

    def get_help(self, ctx: Any) -> str:
        """Return the whole help text."""
        return _help(self, ctx, _parameters(self, ctx))


class HelpGroup(TyperGroup):
    """A group of commands whose help is laid out by this module."""

    def get_usage(self, ctx: Any) -> str:
        """Return the usage line, as help and usage errors show it."""
        return _usage(self, ctx)

    def get_help(self, ctx: Any) -> str:
        """Return the whole help text, with the list of commands."""
        commands = [(name, command.short_help or "") for name, command in self.commands.items()]
        return _help(self, ctx, {**_parameters(self, ctx), "Commands": commands})


_Terms = list[tuple[str, str]]


def _help(command: HelpCommand | HelpGroup, ctx: Any, sections: dict[str, _Terms]) -> str:
    parts = [_usage(command, ctx), *_paragraphs(command.help)]
    parts += [f"{heading}:\n{_definitions(terms)}" for heading, terms in sections.items() if terms]
    return "\n\n".join([*parts, *_paragraphs(command.epilog)])


def _parameters(command: HelpCommand | HelpGroup, ctx: Any) -> dict[str, _Terms]:
    sections: dict[str, _Terms] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        term, meaning = record
        if parameter.param_type_name == "argument":
            sections["Arguments"].append((term.partition(" <")[0], meaning))  # without its Python type
        else:
            sections["Options"].append((term, meaning))
    return sections


def _width() -> int:
    return max(min(get_terminal_size().columns, _WIDEST), _NARROWEST) - 2


def _usage(command: HelpCommand | HelpGroup, ctx: Any) -> str:
    start = f"Usage: {ctx.command_path} "
    pieces = " ".join(command.collect_usage_pieces(ctx))
    if len(start) + len(pieces) <= _width():
        return start + pieces
    # Under the name of the command where there is room, else a little to the right of the margin.
    indent = len(start) if _width() - len(start) >= 20 else 4
    return "\n".join(_wrap(start + pieces, indent=0, hang=indent))


def _paragraphs(text: str | None) -> list[str]:
    """Return the paragraphs, wrapped; one that begins with `Example` keeps its lines."""
    return [
        textwrap.indent(paragraph, "  ")
        if paragraph.startswith("Example")
        else "\n".join(_wrap(paragraph, indent=2))
        for paragraph in inspect.cleandoc(text or "").split("\n\n")
        if paragraph
    ]


def _definitions(terms: _Terms) -> str:
    """Return terms and their meanings, side by side if there is room."""
    column = min(max(len(term) for term, _ in terms), _TERM) + 4
    lines: list[str] = []
    if _width() - column < _DESCRIPTION:
        for term, meaning in terms:
            lines += [f"  {piece}" for piece in _break_choices(term, _width() - 2)]
            lines += _wrap(meaning, indent=6)
        return "\n".join(lines)
    for term, meaning in terms:
        first, *rest = _wrap(meaning, indent=column) or [""]
        if len(term) > column - 4:
            lines += [f"  {term}", first, *rest]
        else:
            lines += [f"  {term}".ljust(column) + first.lstrip(), *rest]
    return "\n".join(lines)


def _break_choices(term: str, columns: int) -> Iterable[str]:
    """Break an option with many choices into lines of at most so many columns, between choices."""
    lines = [""]
    for piece in term.replace("|", "|\0").replace(" <", " \0<").split("\0"):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > columns:
            lines.append("  ")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _wrap(text: str, *, indent: int, hang: int | None = None) -> list[str]:
    """Wrap a paragraph; `indent` columns before its first line and `hang` before the others."""
    return textwrap.wrap(
        text,
        _width(),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent if hang is None else hang),
        break_on_hyphens=False,
    )
