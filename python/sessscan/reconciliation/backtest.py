"""Try on the healthy rows of a store how well they would be put back if they were lost. Nothing is written.

Each healthy row is tried in two ways. It is rebuilt from the transcript it names, and the result compared
with it field by field. And it is hidden, as if all its bytes were zero, and the matching has to find its
transcript.

Hiding one row at a time would take quadratic time. So one row in 20 is hidden at a time, never two that
follow each other in time, and then all of them at once, which is the hardest case. Both take linear time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..backtest_result import GROUPS, Backtest, FieldCounts, FieldDifference, MatchCounts, Mismatch, Outcome
from ..model import Progress, Row
from ..stores.locate import StrPath
from ..stores.row_fields import DEFAULTS
from ..stores.rows import read_file, readable_members
from .building.row import action
from .details import Details
from .inventory import Inventory, claims_of, cli_session_id, take_inventory
from .matching import match
from .matching.lost_row import Held, LostRow, Matched, Verdict

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


def backtest(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    progress: Progress | None = None,
    row_progress: Progress | None = None,
    now: int | None = None,
) -> Backtest:
    """Try how well each healthy row would be put back if it were lost. Writes nothing.

    Args:
        stores, projects: as for `reconcile`, and with its errors.
        progress: called with the bytes of the transcripts that are scanned and those of all.
        row_progress: then called with the number of comparisons that are done and that of all.
        now: epoch ms; by default the clock's time.
    """
    inventory = take_inventory(stores, projects, progress, int(time.time() * 1000) if now is None else now)
    healthy = [row for row in inventory.rows() if row.state == "ok"]
    result = Backtest()
    for contents in inventory.contents:
        result.stores.append((contents.store.path, sum(row.state == "ok" for row in contents.rows)))
    started = [row for row in healthy if cli_session_id(row) is not None]
    started.sort(key=lambda row: (row.mtime, row.path))
    done, total = 0, len(healthy) + 2 * len(started)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if row_progress is not None:
            row_progress(done, total)

    details = Details(inventory, inventory.transcripts)
    for row in healthy:
        _compare_rebuilt(inventory, details, row, result)
        advance(1)
    for group in (started[start::GROUPS] for start in range(GROUPS)):
        _match_hidden(inventory, details, group, result.alone)
        advance(len(group))
    _match_hidden(inventory, details, started, result.together)
    advance(len(started))
    return result


def _compare_rebuilt(inventory: Inventory, details: Details, row: Row, result: Backtest) -> None:
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
    lost = LostRow(_zeroed(row), status)
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


def _zeroed(row: Row) -> Row:
    """Return a healthy row as it would be if a crash had left only its length and its time."""
    return replace(row, state="zero-filled", offset=0, length=row.size, fields={})


def _match_hidden(inventory: Inventory, details: Details, rows: Sequence[Row], result: MatchCounts) -> None:
    """Match rows of which only the name, the store and the time are known, and count the outcomes."""
    if not rows:
        return
    hidden = {row.path: row for row in rows}
    state = match(_without_content(inventory, hidden), details)
    for lost in state.lost:
        row = hidden.get(lost.path)
        if row is None:
            continue
        verdict, own = state.verdict(lost), cli_session_id(row) or ""
        outcome = _outcome(inventory, verdict, own)
        result.counts[outcome] += 1
        if outcome != "found":
            given = verdict.cli_session_id if isinstance(verdict, Matched) else None
            reason = verdict.reason if isinstance(verdict, Held) else None
            result.examples.append(Mismatch(row.path, outcome, given, reason))


def _outcome(inventory: Inventory, verdict: Verdict | None, own: str) -> Outcome:
    if isinstance(verdict, Matched) and verdict.cli_session_id is not None:
        return "found" if verdict.cli_session_id == own else "wrong"
    if not inventory.by_id.get(own):
        return "gone"
    candidates = verdict.candidates if isinstance(verdict, Held) else ()
    return "offered" if any(candidate.cli_session_id == own for candidate in candidates) else "held"


def _without_content(inventory: Inventory, hidden: dict[str, Row]) -> Inventory:
    """Return the stores as they would be if the rows in `hidden` had lost their content."""
    contents = []
    for store in inventory.contents:
        rows, stats = [], dict(store.stats)
        for row in store.rows:
            if row.path in hidden:
                try:
                    stats[row.path] = os.lstat(row.path)
                except OSError:
                    continue  # it vanished meanwhile
                row = _zeroed(row)
            rows.append(row)
        contents.append(replace(store, rows=rows, stats=stats))
    every_store = (*contents, *inventory.context)
    return replace(inventory, contents=tuple(contents), claims=claims_of(every_store))
