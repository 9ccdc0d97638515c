"""Parse the sizes that people type: `snapshot --max-size 2G`."""

from __future__ import annotations

import re

from .options import fail

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,15})\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)


def parsed(option: str, text: str | None) -> int | None:
    """Return the bytes given with an option, None without one. Exits with status 2 if it is not a size."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None or not int(found[1]):
        fail(f"{option} {text}: this is not a size: give bytes, or 500M, 2G", 2)
    return int(found[1]) * _UNITS[found[2].lower()]
