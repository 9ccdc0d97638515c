"""Know thyself: how well would healthy rows come out, had they been lost?

Two questions are asked of every healthy row, and nothing is written.

*What would be in it?* The row is built anew from the transcript that it names, and compared with what it
says, field by field.

*Would its transcript have been found?* A row is hidden, as if all its bytes were zero, and the matching is
left to find its transcript again. To hide one row at a time would be quadratic; so a twentieth of them is
hidden at a time, rows that follow each other in time never together, and once all of them, which is the
hardest case there is. Both are linear in the number of rows.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..model import Progress, Row
from ..stores.locate import StrPath
from ..stores.row_fields import DEFAULTS
from ..stores.rows import read_file, readable_members
from .building.row import action
from .details import Details
from .inventory import Inventory, claims_of, cli_session_id, take_inventory
from .matching import match
from .matching.lost_row import Held, LostRow, Matched

SCHEMA = "sessscan.verify/1"

CLOSE = 10_000
"""Ms. Two times that differ by less mean the same moment: the app notes a session about 2 s before its first
line, and saves it some seconds after its last."""
TIMES = frozenset(("createdAt", "lastActivityAt", "lastFocusedAt"))
RESET = frozenset(DEFAULTS)
"""What was granted or configured in the app. No transcript tells, and a rebuilt row begins anew with it."""
TOLD = frozenset(
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
"""What a transcript may tell; where it does not the field comes out missing. All else is in the app alone."""
GROUPS = 20
"""Into so many groups rows are dealt that are hidden together."""


@dataclass
class Field:
    """How often one field came out as it is, otherwise, not at all, or although the row has none."""

    same: int = 0
    different: int = 0
    missing: int = 0
    added: int = 0
    examples: list[tuple[str, Any, Any]] = field(default_factory=list)
    """Of each that did not come out the same the row's path, what it says, and what would be written; None
    where it says nothing, or nothing would be."""


@dataclass
class Matching:
    """What became of hidden rows."""

    found: int = 0
    """Put back, and its own transcript."""
    offered: int = 0
    """Held, with its own transcript among the candidates."""
    held: int = 0
    """Held, without it."""
    wrong: int = 0
    """Given another's transcript. That must never be."""
    gone: int = 0
    """Held, as it should be, since its transcript is not there."""
    examples: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    """Of each that was not found the row's path, what became of it, the transcript given if it was a wrong
    one, and the reason of a hold."""


@dataclass
class Verification:
    """How the healthy rows of a store would have come out."""

    stores: list[tuple[str, int]] = field(default_factory=list)
    """Each store and how many healthy rows are in it."""
    rows: int = 0
    """Rows that were built anew."""
    skipped: int = 0
    """Healthy rows without a transcript to build them from."""
    unbuildable: list[tuple[str, str]] = field(default_factory=list)
    """Rows whose transcript does not say enough, and what is lacking."""
    fields: dict[str, Field] = field(default_factory=dict)
    reset: Counter[str] = field(default_factory=Counter)
    """Grants and settings that some rows have and that a rebuilt row would begin anew with."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Further fields of rows that are in no transcript."""
    alone: Matching = field(default_factory=Matching)
    """Hidden a twentieth at a time."""
    together: Matching = field(default_factory=Matching)
    """All hidden at once."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `reconcile --verify --format json` prints."""
        return {
            "schema": SCHEMA,
            "stores": [{"path": path, "rows": rows} for path, rows in self.stores],
            "rows": self.rows,
            "skipped": self.skipped,
            "unbuildable": [{"path": path, "reason": reason} for path, reason in self.unbuildable],
            "fields": {name: _field(counts) for name, counts in self.fields.items()},
            "reset": dict(self.reset),
            "left_out": dict(self.left_out),
            "matching": {
                "a_twentieth_lost": _matching(self.alone),
                "all_lost": _matching(self.together),
            },
        }


def verify(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    progress: Progress | None = None,
    trying: Progress | None = None,
    now: int | None = None,
) -> Verification:
    """Rebuilds every healthy row as if it were lost, and compares. Raises as `reconcile` does.

    `progress` is called with the bytes of transcripts that are scanned and that are to be, and then `trying`
    with what is tried and what is to be. `now`: epoch ms, if another time than the clock's is meant.
    """
    inventory = take_inventory(stores, projects, progress, int(time.time() * 1000) if now is None else now)
    healthy = [row for row in inventory.rows() if row.state == "ok"]
    result = Verification()
    for contents in inventory.contents:
        result.stores.append((contents.store.path, sum(row.state == "ok" for row in contents.rows)))
    started = [row for row in healthy if cli_session_id(row) is not None]
    started.sort(key=lambda row: (row.mtime, row.path))
    done, whole = 0, len(healthy) + 2 * len(started)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if trying is not None:
            trying(done, whole)

    details = Details(inventory, inventory.transcripts)
    for row in healthy:
        _compare(inventory, details, row, result)
        advance(1)
    for group in (started[start::GROUPS] for start in range(GROUPS)):
        _hide(inventory, details, group, result.alone)
        advance(len(group))
    _hide(inventory, details, started, result.together)
    advance(len(started))
    return result


def _compare(inventory: Inventory, details: Details, row: Row, result: Verification) -> None:
    name = cli_session_id(row)
    transcript = None if name is None else inventory.pick(name, row.fields.get("cwd"))
    try:
        actual = readable_members(read_file(row.path)[0])
        hidden = _as_lost(row)
    except OSError:
        transcript = None
    if transcript is None:
        result.skipped += 1
        return
    lost = LostRow(hidden, os.lstat(row.path))
    planned = action(lost, Matched("transcript", transcript, name, ()), details)
    if planned.kind != "restore":
        result.unbuildable.append((row.path, planned.error or ""))
        return
    result.rows += 1
    rebuilt = planned.row
    for key in [*rebuilt, *(key for key in actual if key not in rebuilt)]:
        if key in RESET:
            result.reset[key] += key in actual and not _equal(key, actual[key], rebuilt[key])
        elif key not in rebuilt and key not in TOLD:
            result.left_out[key] += 1
        else:
            _count(result.fields.setdefault(key, Field()), row.path, key, actual, rebuilt)


def _count(counts: Field, path: str, key: str, actual: dict[str, Any], rebuilt: dict[str, Any]) -> None:
    if key not in rebuilt:
        counts.missing += 1
    elif key not in actual:
        counts.added += 1
    elif _equal(key, actual[key], rebuilt[key]):
        counts.same += 1
        return
    else:
        counts.different += 1
    counts.examples.append((path, actual.get(key), rebuilt.get(key)))


def _equal(key: str, actual: Any, rebuilt: Any) -> bool:
    if key in TIMES and isinstance(actual, int | float) and isinstance(rebuilt, int | float):
        return abs(actual - rebuilt) <= CLOSE
    return json.dumps(actual, sort_keys=True) == json.dumps(rebuilt, sort_keys=True)


def _as_lost(row: Row) -> Row:
    """A healthy row as it would be had a crash left nothing but its length and its time."""
    return replace(row, state="zero-filled", offset=0, length=row.size, fields={})


def _hide(inventory: Inventory, details: Details, rows: Sequence[Row], result: Matching) -> None:
    """Lets the matching find the transcripts of rows of which it knows nothing but name, place and time."""
    if not rows:
        return
    hidden = {row.path: row for row in rows}
    state = match(_without(inventory, hidden), details)
    for lost in state.lost:
        row = hidden.get(lost.path)
        if row is None:
            continue
        own = cli_session_id(row) or ""
        verdict = state.verdict(lost)
        given = verdict.cli_session_id if isinstance(verdict, Matched) else None
        candidates = verdict.candidates if isinstance(verdict, Held) else ()
        if given is not None:
            if given == own:
                result.found += 1
                continue
            outcome = "wrong"
        elif not inventory.by_id.get(own):
            outcome = "gone"
        elif any(candidate.cli_session_id == own for candidate in candidates):
            outcome = "offered"
        else:
            outcome = "held"
        setattr(result, outcome, getattr(result, outcome) + 1)
        reason = verdict.reason if isinstance(verdict, Held) else None
        result.examples.append((row.path, outcome, given, reason))


def _without(inventory: Inventory, hidden: dict[str, Row]) -> Inventory:
    """The same store, had the rows in `hidden` lost their content."""
    contents = []
    for store in inventory.contents:
        rows, stats = [], dict(store.stats)
        for row in store.rows:
            if row.path in hidden:
                try:
                    stats[row.path] = os.lstat(row.path)
                except OSError:
                    continue  # it vanished meanwhile
                row = _as_lost(row)
            rows.append(row)
        contents.append(replace(store, rows=rows, stats=stats))
    every_store = (*contents, *inventory.context)
    return replace(inventory, contents=tuple(contents), claims=claims_of(every_store))


def _field(counts: Field) -> dict[str, Any]:
    return {
        "same": counts.same,
        "different": counts.different,
        "missing": counts.missing,
        "added": counts.added,
        "rows": [{"path": path, "is": actual, "would_be": built} for path, actual, built in counts.examples],
    }


def _matching(matching: Matching) -> dict[str, Any]:
    return {
        "found": matching.found,
        "offered": matching.offered,
        "held": matching.held,
        "wrong": matching.wrong,
        "gone": matching.gone,
        "rows": [
            {"path": path, "outcome": outcome, "cli_session_id": given, "reason": reason}
            for path, outcome, given, reason in matching.examples
        ],
    }
