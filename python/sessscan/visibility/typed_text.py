"""Tell what the TypeScript SDK takes for white space and for pasted text."""

from __future__ import annotations

import re

SPACE_CHARACTERS = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
    "\u202f\u205f\u3000\ufeff"
)
"""White space in ECMAScript (section 12.2 and 12.3): Python's has other characters."""
SPACE = re.escape(SPACE_CHARACTERS)
"""The same, for the inside of a character class."""

_ID = re.compile("[0-9a-f]{4}")
_BEGIN = '<pasted_content id="'


def without_pasted(text: str) -> str:
    """Return a text in which each piece that was pasted has lost the tags around it."""
    parts: list[str] = []
    done = start = 0
    while (begin := text.find(_BEGIN, start)) >= 0:
        name = text[begin + len(_BEGIN) : begin + len(_BEGIN) + 4]
        content = begin + len(_BEGIN) + 4 + len('">\n')
        if not _ID.fullmatch(name) or not text.startswith('">\n', content - 3):
            start = begin + len(_BEGIN)
            continue
        closing = f'</pasted_content id="{name}">'
        end = text.find(f"\n{closing}", content - 1) + 1
        if not end:
            break
        parts += [_before(text, done, begin), text[content : max(content, end - 1)]]
        done = end + len(closing)
        done += len(text[done : done + 2]) - len(text[done : done + 2].lstrip("\n"))
        start = done
    return "".join([*parts, text[done:]])


def _before(text: str, done: int, begin: int) -> str:
    """Return the text up to what was pasted, without the line breaks before that, at most two."""
    end = begin
    while end > done and begin - end < 2 and text[end - 1] == "\n":
        end -= 1
    return text[done:end]
