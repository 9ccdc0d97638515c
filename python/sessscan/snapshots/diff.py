"""What differs between two states of a row, member by member, in values short enough to be read.

Rows hold grants, connector settings and what else their owner may not want on a screen: of lists and objects
only the size is told, and of what may be a secret nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ..stores.rows import readable_members

_SHOWN = 60
"""Characters of a value that are shown."""
_SECRET = re.compile(r"token|secret|passw|credential|authoriz|api_?key|cookie", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Difference:
    """A member that is not the same in two states of a row; None: it is not there."""

    member: str
    before: str | None
    after: str | None


def differences(before: bytes, after: bytes) -> list[Difference]:
    """In the order of the members in `after`; what is gone comes last."""
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
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
