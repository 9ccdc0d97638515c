"""Make any text safe to print on a terminal, and format times, sizes, numbers and commands.

Titles and paths come from files that anybody may have written. A terminal obeys control characters, and
reorders text at direction marks; so these characters are printed as escapes.
"""

from __future__ import annotations

import datetime
import os
import shlex
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

# Joiners, which emoji and Persian need. They neither hide nor move text.
_HARMLESS = "\u200c\u200d"

_LONGEST = 500
"""The most characters of a line. A title may have a megabyte."""


def clean(text: str) -> str:
    """Return the text with every character that a terminal might obey as an escape, such as `\\x1b`.

    These are control characters, direction overrides, line separators, other invisible marks, and lone
    surrogates.
    """
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in _HARMLESS:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogateescape: a byte of a file name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def folded(text: str) -> str:
    """Return the text on one line: white space folded, cleaned, and cut if it is very long."""
    line = " ".join(text.split())
    return clean(line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…")


def command(arguments: Sequence[str]) -> str:
    """Return a command line that can be typed as it is, whatever the arguments contain."""
    if sys.platform == "win32":
        import subprocess

        return clean(subprocess.list2cmdline(arguments))
    return " ".join(map(_quote, arguments))


def _quote(argument: str) -> str:
    if clean(argument) == argument:
        return shlex.quote(argument)
    escaped = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in os.fsencode(argument)
    )
    return f"$'{''.join(escaped)}'"


def when(milliseconds: int | None) -> str:
    """Format a time (epoch ms) in UTC, to the minute; None as an empty text."""
    return "" if milliseconds is None else moment(milliseconds).rpartition(":")[0] or str(milliseconds)


def moment(milliseconds: int) -> str:
    """Format a time (epoch ms) in UTC, to the millisecond."""
    try:
        time = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)  # a file may hold any number
    return f"{time:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03}"


def size(count: int) -> str:
    """Format a number of bytes with three digits and a decimal unit: `12.3 kB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Format a number of things: `1 row`, `2 rows`, `12,345 rows`. `many`: the plural, if it is irregular."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def reasons(passed_over: Iterable[tuple[str, str]]) -> str:
    """List why paths were passed over: each reason once, with how often it was given if more than once."""
    kinds = Counter(reason for _, reason in passed_over)
    return ", ".join(f"{one} {count:,}" if count > 1 else one for one, count in kinds.items())
