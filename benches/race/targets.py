"""List the speed targets, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from .measure import Result, ratio
from .sections import (
    ALL,
    APPENDED,
    BARE,
    CONVERSATION,
    EMPTY_APP,
    EVENTS,
    JSON,
    NOTHING,
    ONE,
    PEERS,
    RECONCILE,
    REFERENCE,
    RESCAN,
    RIPGREP,
    SDK,
    SDK_MESSAGES,
    STAT,
    TWO,
    VERSION,
)

Results = Mapping[str, Mapping[str, Result]]
"""By section, then by case."""

MIB = 1 << 20


@dataclass(frozen=True)
class Target:
    """One speed target."""

    work: str
    bound: str
    limit: float
    at_least: bool
    measured: float | None
    """None: something that the target needs was not measured."""
    remark: str = ""

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def to_dict(self) -> dict[str, object]:
        return {**asdict(self), "met": self.met}


def targets(results: Results) -> Iterator[Target]:
    """Yield every target, measured if its sections were run."""
    scan = {name: result for name, result in results.get("transcript", {}).items() if result.seconds}
    one = scan.get(ONE)

    def times(slow: str, fast: Result | None, cases: Mapping[str, Result] = scan) -> float | None:
        other = cases.get(slow)
        return ratio(other, fast) if other and other.seconds and fast and fast.seconds else None

    work = "exact scan of a 1 GB transcript, one thread"
    yield Target(work, "≥ 0.70 of ripgrep's speed", 0.70, True, times(RIPGREP, one), "its start taken off")
    pure = _fastest(scan, (REFERENCE, JSON))
    yield Target(work, "≥ 50 times pure Python", 50, True, times(pure, one), f"against {pure}")
    best = _fastest(scan, PEERS)
    absent = "" if all(name in scan for name in PEERS) else ", not all were measured"
    yield Target(work, "≥ 12 times the fastest peer", 12, True, times(best, one), f"against {best}{absent}")

    measured = times(ONE, scan.get(TWO))
    yield Target("the same on two threads", "≥ 1.6 times one thread", 1.6, True, measured)

    talk = results.get("conversation", {})
    work = "the conversation of that transcript"
    yield Target(work, "≥ 0.4 of the scan's rate", 0.4, True, times(ONE, talk.get(CONVERSATION), talk))
    measured = times(SDK_MESSAGES, talk.get(CONVERSATION), talk)
    yield Target(work, "≥ 20 times get_session_messages", 20, True, measured)

    store = results.get("store", {})
    for name in (ONE, ALL):
        work = f"10,000 transcripts, 2.2 GB, all of it, {name.removeprefix('sessscan, ')}"
        yield Target(work, "≥ 6 times list_sessions", 6, True, times(SDK, store.get(name), store))

    index = results.get("index", {})
    measured = times(RESCAN, index.get(STAT), index)
    yield Target("rescan of 10,000 unchanged", "≤ 4 times os.stat of each", 4, False, measured)
    measured = times(APPENDED, index.get(RESCAN), index)
    yield Target("after 1 MB appended", "≤ 1.25 times that rescan", 1.25, False, measured)

    rows = results.get("reconcile", {})
    measured = times(RECONCILE, rows.get(BARE), rows)
    yield Target("reconcile, dry run, 4,000 rows of 100 KB", "≤ 1.5 times bare reading", 1.5, False, measured)

    yield _memory(results)

    start = results.get("start", {})
    measured = times(VERSION, start.get(EMPTY_APP), start)
    yield Target("sessscan --version", "≤ 1.3 times an empty Typer app", 1.3, False, measured)


def _fastest(results: Mapping[str, Result], names: Iterable[str]) -> str:
    """Return the name of the fastest; `-` if none was measured."""
    return min(
        (name for name in names if name in results), key=lambda name: results[name].median, default="-"
    )


def _memory(results: Results) -> Target:
    most, where = None, ""
    for section in ("transcript", "short", "huge", "long", "line"):
        for result in results.get(section, {}).values():
            ours = result.case.name in (ONE, TWO, ALL, EVENTS)
            more = memory(result, results) if ours else None
            if more is not None and (most is None or more > most):
                most, where = more, f"{result.case.name}, on “{section}”"
    measured = None if most is None else most / MIB
    return Target("peak memory over the interpreter's, any file", "≤ 64 MiB", 64, False, measured, where)


def memory(result: Result, results: Results) -> int | None:
    """Return the peak memory of a case beyond that of the interpreter alone, in bytes."""
    interpreter = results.get("interpreter", {}).get(NOTHING)
    return result.peak - interpreter.peak if result.peak and interpreter and interpreter.peak else None
