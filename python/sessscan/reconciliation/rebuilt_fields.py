"""Rebuild healthy rows from the transcripts they name, and compare the results field by field."""

from __future__ import annotations

import json
import os
from typing import Any

from ..backtest_result import Backtest, FieldCounts, FieldDifference
from ..model import Row
from ..stores.row_fields import DEFAULTS
from ..stores.rows import read_file, readable_members
from .building.row import action
from .details import Details
from .hidden_rows import zeroed
from .inventory import Inventory, cli_session_id
from .matching.lost_row import LostRow, Matched

_SAME_MOMENT = 10_000
"""Ms by which equal times may differ: the app notes a session about 2 s before its first line, and saves it
some seconds after its last."""
_TIMES = frozenset(("createdAt", "lastActivityAt", "lastFocusedAt"))
_RESET = frozenset(DEFAULTS)
"""Permissions and settings of the app. No transcript has them, and a rebuilt row gets the defaults."""
_IN_TRANSCRIPTS = frozenset(
    (
        "cwd",
        "originCwd",
        "title",
        "titleSource",
        "model",
        "worktreePath",
        "worktreeName",
        "branch",
        "sourceBranch",
    )
)
"""Fields that a transcript may have. Where it has not, the field is missing in the rebuilt row. The other
fields that a rebuilt row lacks are known to the app alone."""


def compare_rebuilt(inventory: Inventory, details: Details, row: Row, result: Backtest) -> None:
    """Rebuild a row from its transcript, and count which of its fields come out the same."""
    name = cli_session_id(row)
    transcript = None if name is None else inventory.pick(name, row.fields.get("cwd"))
    try:
        actual = readable_members(read_file(row.path)[0])
        status = os.lstat(row.path)
    except OSError:
        transcript = None
    if transcript is None:
        result.skipped += 1
        return
    lost = LostRow(zeroed(row), status)
    planned = action(lost, Matched("transcript", transcript, name, ()), details)
    if planned.kind != "restore":
        result.unbuildable.append((row.path, planned.error or ""))
        return
    result.rows += 1
    rebuilt = planned.row
    for key in [*rebuilt, *(key for key in actual if key not in rebuilt)]:
        if key in _RESET:
            result.reset[key] += key in actual and not _equal(key, actual[key], rebuilt[key])
        elif key not in rebuilt and key not in _IN_TRANSCRIPTS:
            result.left_out[key] += 1
        else:
            _count(result.fields.setdefault(key, FieldCounts()), row.path, key, actual, rebuilt)


def _count(counts: FieldCounts, path: str, key: str, actual: dict[str, Any], rebuilt: dict[str, Any]) -> None:
    if key not in rebuilt:
        counts.missing += 1
    elif key not in actual:
        counts.added += 1
    elif _equal(key, actual[key], rebuilt[key]):
        counts.same += 1
        return
    else:
        counts.different += 1
    counts.examples.append(FieldDifference(path, actual.get(key), rebuilt.get(key)))


def _equal(key: str, actual: Any, rebuilt: Any) -> bool:
    if key in _TIMES and isinstance(actual, int | float) and isinstance(rebuilt, int | float):
        return abs(actual - rebuilt) <= _SAME_MOMENT
    return json.dumps(actual, sort_keys=True) == json.dumps(rebuilt, sort_keys=True)
