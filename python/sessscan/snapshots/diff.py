"""Compare two states of a row member by member, with values shortened to be read on a screen.

Rows hold grants, connector settings and other things that their owner may not want on a screen. So lists and
objects are shown by their size alone, and of members whose name suggests a secret nothing is shown.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ..stores.rows import readable_members

_LENGTH = 60
"""Characters of a value that are shown."""
_SECRET = re.compile(r"token|secret|passw|credential|authoriz|api_?key|cookie", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Difference:
    """A member that differs between two states of a row."""

    member: str
    before: str | None
    """The old value as it is shown; None where the member did not exist."""
    after: str | None
    """The new value as it is shown; None where the member does not exist any more."""


def differences(before: bytes, after: bytes) -> list[Difference]:
    """Return the members that differ, in the order of `after`; those that were removed come last."""
    old, new = readable_members(before), readable_members(after)
    return [
        Difference(key, _shown(old, key), _shown(new, key))
        for key in dict.fromkeys([*new, *old])
        if not (key in old and key in new and _text(old[key]) == _text(new[key]))
    ]


def _shown(row: dict[str, Any], key: str) -> str | None:
    if key not in row:
        return None
    value = row[key]
    if isinstance(value, dict | list):
        size = len(_text(value))
        kind = "members" if isinstance(value, dict) else "items"
        return f"({len(value):,} {kind}, {size:,} characters)" if value else _text(value)
    if _SECRET.search(key):
        return "(not shown)"
    text = _text(value)
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}… ({len(text):,} characters)"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
