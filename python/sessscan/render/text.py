"""Text that may go to a terminal, whoever wrote it.

Titles and paths come from files that anybody may have written. A terminal obeys what it is shown; so whatever
it could take for an order, or would show in another place than it stands, is spelled out instead.
"""

from __future__ import annotations

import datetime
import os
import shlex
import sys
import unicodedata
from collections.abc import Sequence

# Zero-width joiners make one emoji out of several, and Persian needs the other; neither hides or moves text.
_HARMLESS = "\u200c\u200d"

_LONGEST = 500
"""Characters of a title that are shown. A file may hold one of a megabyte."""


def clean(text: str) -> str:
    """`text` without anything a terminal might obey: control characters, direction overrides, separators of
    lines, other invisible marks and half surrogate pairs are spelled out, as in `\\x1b`."""
    return text if text.isprintable() else "".join(map(_spell, text))


def _spell(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in _HARMLESS:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte of a file name that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def folded(text: str) -> str:
    """`text` on one line: white space folded, the rest cleaned, and no more of it than anybody would read."""
    line = " ".join(text.split())
    return clean(line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…")


def command(arguments: Sequence[str]) -> str:
    """A command line that can be typed as it stands, whatever is in the arguments."""
    if sys.platform == "win32":
        import subprocess

        return clean(subprocess.list2cmdline(arguments))
    return " ".join(map(_quote, arguments))


def _quote(argument: str) -> str:
    if clean(argument) == argument:
        return shlex.quote(argument)
    spelled = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in os.fsencode(argument)
    )
    return f"$'{''.join(spelled)}'"


def when(milliseconds: int | None) -> str:
    """A time in UTC, to the minute; nothing for none."""
    return "" if milliseconds is None else moment(milliseconds).rpartition(":")[0] or str(milliseconds)


def moment(milliseconds: int) -> str:
    """A time in UTC, to the millisecond."""
    try:
        time = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)  # a file may hold any number at all
    return f"{time:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03}"


def size(count: int) -> str:
    """A number of bytes, as short as three digits make it."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`, `12,345 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
