"""Try on the healthy rows of a store how well they would be put back if they were lost. Nothing is written.

Each healthy row is tried in three ways. It is rebuilt from the transcript it names, and the result compared
with it field by field. It is hidden, as if all its bytes were zero, and the matching has to find its
transcript: with whatever the stores have beside it, and with one kind of evidence alone. And its link alone
is taken from it, and the matching has to find the transcript by what the row says of its session.

Hiding one row at a time would take quadratic time. So one row in 20 is hidden at a time, never two that
follow each other in time; then all of them at once, which is the hardest case; and then one in 20 again with
transcripts taken away as well, so that the row's own may be missing while a stranger's is there. All of it
takes linear time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from ..backtest_result import (
    ENOUGH,
    GROUPS,
    ONE_GONE_IN,
    TRIED,
    Backtest,
    MatchCounts,
    Mismatch,
    Outcome,
    TriedEvidence,
)
from ..model import Progress, Row
from ..snapshots.source import SnapshotSource
from ..stores.locate import StrPath
from .details import Details
from .hidden_rows import Trial, hide, some_unclaimed, take_away, trials, unlink
from .inventory import Inventory, cli_session_id, counted_turns, take_inventory
from .matching import match
from .matching.lost_row import Held, LostRow, Matched, Verdict
from .matching.remains import find_lost_rows
from .rebuilt_fields import compare_rebuilt


def backtest(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    progress: Progress | None = None,
    row_progress: Progress | None = None,
    now: int | None = None,
    seed: int = 0,
) -> Backtest:
    """Try how well each healthy row would be put back if it were lost. Writes nothing.

    Args:
        stores, projects: as for `reconcile`, and with its errors.
        progress: called with the bytes of the transcripts that are scanned and those of all.
        row_progress: then called with the number of comparisons that are done and that of all.
        now: epoch ms; by default the clock's time.
        seed: decides where rows are cut off and which transcripts are taken away.
    """
    inventory = take_inventory(stores, projects, progress, int(time.time() * 1000) if now is None else now)
    result = Backtest(seed=seed)
    for contents in inventory.contents:
        result.stores.append((contents.store.path, sum(row.state == "ok" for row in contents.rows)))
    snapshots = SnapshotSource(read=True)
    try:
        _try_all(inventory, snapshots, result, row_progress)
    finally:
        snapshots.close()
    result.remarks += snapshots.remarks
    return result


def _try_all(
    inventory: Inventory, snapshots: SnapshotSource, result: Backtest, progress: Progress | None
) -> None:
    """Rebuild each healthy row, and then hide them in all the ways that are to be tried."""
    healthy = [row for row in inventory.rows() if row.state == "ok"]
    tries = list(_tries(healthy, trials(inventory, snapshots, result.seed), result))
    done, total = 0, len(healthy) + sum(len(one.rows) for one in tries)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    owned = [one for found in inventory.own.values() for one in found if one.error is None]
    details = Details(inventory, [*inventory.transcripts, *owned])
    for row in healthy:
        compare_rebuilt(inventory, details, row, result)
        advance(1)
    for number, one in enumerate(tries):
        _match_hidden(inventory, details, one, Random(f"{result.seed} {number}"))
        advance(len(one.rows))


@dataclass(frozen=True)
class _Try:
    """Some rows to be hidden at once."""

    rows: Sequence[Row]
    result: MatchCounts
    trial: Trial | None = None
    """Which evidence is left; None for all that the stores have."""
    doubly: bool = False
    """Whether transcripts are taken away as well."""
    link_only: bool = False
    """Whether the rows lose nothing but the transcript that they name."""


def _tries(
    healthy: Iterable[Row], by_evidence: Mapping[TriedEvidence, Trial], result: Backtest
) -> Iterator[_Try]:
    """Yield what is to be hidden, one after the other."""
    started = [row for row in healthy if cli_session_id(row) is not None]
    started.sort(key=lambda row: (row.mtime, row.path))
    groups = [started[start::GROUPS] for start in range(min(GROUPS, len(started)))]
    if not groups:
        return
    yield from (_Try(group, result.matching.alone) for group in groups)
    yield _Try(started, result.matching.together)
    for group in _enough(groups, None):
        yield _Try(group, result.matching.doubly, doubly=True)
    for kind in TRIED:
        trial, rounds = by_evidence[kind], result.evidence[kind]
        some = _enough(groups, trial)
        yield from (_Try(group, rounds.alone, trial) for group in some)
        if some:
            yield _Try(started, rounds.together, trial)
        yield from (_Try(group, rounds.doubly, trial, doubly=True) for group in some)
    yield from _linked_tries(started, groups, result)


def _linked_tries(started: Sequence[Row], groups: Sequence[list[Row]], result: Backtest) -> Iterator[_Try]:
    """Yield the rows that counted turns, to be tried without their links, in the same groups."""
    some = [turned for group in groups if (turned := [row for row in group if _may_lose_link(row)])]
    yield from (_Try(group, result.links.alone, link_only=True) for group in some)
    if some:
        together = [row for row in started if _may_lose_link(row)]
        yield _Try(together, result.links.together, link_only=True)
    for group in _enough(some, None):
        yield _Try(group, result.links.doubly, doubly=True, link_only=True)


def _may_lose_link(row: Row) -> bool:
    return counted_turns(row) and row.remote is None


def _enough(groups: Iterable[list[Row]], trial: Trial | None) -> list[list[Row]]:
    """Return groups in which there are rows to be tried, up to so many rows as are `ENOUGH`."""
    found: list[list[Row]] = []
    tried = 0
    for group in groups:
        count = len(group) if trial is None else sum(map(trial.suits, group))
        if count and tried < ENOUGH:
            found.append(group)
            tried += count
    return found


def _match_hidden(inventory: Inventory, details: Details, tried: _Try, dice: Random) -> None:
    """Match hidden rows by what is left of them, and count the outcomes."""
    hidden = {row.path: row for row in tried.rows}
    inventory = unlink(inventory, tried.rows) if tried.link_only else hide(inventory, tried.rows)
    if tried.doubly:
        gone = some_unclaimed(inventory, dice, ONE_GONE_IN)
        inventory, details = take_away(inventory, gone), details.without(gone)
    if tried.trial is not None:
        inventory = tried.trial.surroundings(inventory)
    lost, counted = _left(find_lost_rows(inventory), hidden, tried.trial)
    state = match(inventory, details, lost=lost)
    if tried.link_only:
        counted = [one.lost for path, one in state.unlinked.items() if path in hidden]
    for one in counted:
        row = hidden[one.path]
        verdict, own = state.verdict(one), cli_session_id(row) or ""
        decided = verdict if isinstance(verdict, Matched) and verdict.cli_session_id is not None else None
        outcome = _outcome(inventory, verdict, own)
        tried.result.add(
            Mismatch(
                row.path,
                outcome,
                decided.cli_session_id if decided is not None and outcome == "wrong" else None,
                _reason(verdict),
                own,
                decided.evidence[0].kind if decided is not None else None,
            )
        )


def _left(
    lost: Iterable[LostRow], hidden: Mapping[str, Row], trial: Trial | None
) -> tuple[list[LostRow], list[LostRow]]:
    """Return all lost rows, the hidden ones with the evidence of a trial alone; and those that are tried."""
    left, counted = [], []
    for one in lost:
        row = hidden.get(one.path)
        if row is not None:
            remaining = one if trial is None else trial.left_of(row, one) if trial.suits(row) else None
            one = replace(one, remains=(), notes=()) if remaining is None else remaining
            if remaining is not None:
                counted.append(one)
        left.append(one)
    return left, counted


def _reason(verdict: Verdict | None) -> str | None:
    if isinstance(verdict, Matched) and verdict.cli_session_id is None:
        return "it would be put back as it was before it had a transcript"
    return verdict.reason if isinstance(verdict, Held) else None


def _outcome(inventory: Inventory, verdict: Verdict | None, own: str) -> Outcome:
    if isinstance(verdict, Matched) and verdict.cli_session_id is not None:
        return "found" if verdict.cli_session_id == own else "wrong"
    if not inventory.files(own):
        return "gone"
    candidates = verdict.candidates if isinstance(verdict, Held) else ()
    return "offered" if any(candidate.cli_session_id == own for candidate in candidates) else "held"
