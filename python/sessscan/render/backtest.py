"""Print what a backtest found: how well healthy rows would be put back if they were lost."""

from __future__ import annotations

from collections import Counter

from ..backtest_result import (
    ENOUGH,
    GROUPS,
    ONE_GONE_IN,
    Backtest,
    FieldCounts,
    MatchCounts,
    Mismatch,
    Outcome,
    TriedEvidence,
)
from .screen import Page, console, on_terminal, width
from .text import clean, counted
from .transcripts import print_table

_NAMED = 8
"""The number of further fields that are named; the rest are counted."""

_OUTCOMES: tuple[tuple[Outcome, str], ...] = (
    ("found", "put back, with its own transcript"),
    ("offered", "held, its own among the candidates"),
    ("held", "held, its own not among them"),
    ("gone", "held: its transcript is not there"),
    ("wrong", "put back with a wrong transcript"),
)

_EVIDENCE: dict[TriedEvidence, str] = {
    "snapshot": "a snapshot of it",
    "tmp": "an unfinished save of it",
    "copy": "a readable copy of it",
    "prefix": "its own beginning",
    "own-folder": "the folder of its own name",
    "uuid": "its name, a transcript's",
    "lease": "a worktree lent to it",
    "time": "the time of its last write",
}
_ROUNDS = (f"ONE IN {GROUPS}", "ALL", "DOUBLY")
_WRONG_SHOWN = 5
"""Rows with a wrong transcript that are shown; JSON lists all."""


def print_backtest(found: Backtest) -> None:
    """Print how the healthy rows would have been put back, had they been lost."""
    page = Page()
    healthy = sum(rows for _, rows in found.stores)
    if not healthy:
        page.prose("There are no rows here that the app can read, so there is nothing to try it on.")
        return
    where = f"{counted(healthy, 'healthy row')} in {counted(len(found.stores), 'store')}"
    page.prose(f"{where}, treated as lost. Nothing was changed.", style="bold")
    _matching(page, found)
    _by_evidence(page, found)
    _links(page, found)
    _wrong(page, found)
    if found.rows:
        _fields(page, found)
    _unknown(page, found)
    if any(counts.examples for counts in found.fields.values()):
        page.gap()
        page.prose("--format json lists the rows that would come out different, and how.", style="dim")


def _matching(page: Page, found: Backtest) -> None:
    page.heading("Would the right transcript be found?")
    page.prose(
        f"With every byte of the row zero. ONE IN {GROUPS}: hidden in {GROUPS} groups, rows that follow each "
        f"other in time never together. ALL: all at once. DOUBLY: one in {GROUPS}, and one in {ONE_GONE_IN} "
        "of the transcripts that no row names then is gone as well.",
        style="dim",
    )
    page.gap()
    rows = [
        {
            "HIDDEN": text,
            **{
                name: _share(counts, outcome)
                for name, counts in zip(_ROUNDS, found.matching.each(), strict=True)
            },
        }
        for outcome, text in _OUTCOMES
    ]
    _table(["HIDDEN", *_ROUNDS], rows)


def _by_evidence(page: Page, found: Backtest) -> None:
    tried = {kind: rounds for kind, rounds in found.evidence.items() if rounds.together.counts}
    if not tried:
        return
    page.heading("By which evidence?")
    page.prose(
        "With one kind of evidence left of each row that can have it: rows put back right / held / put back "
        "with a wrong transcript. Where the transcript is gone as well, to hold is right. Where there is no "
        "unfinished save or copy of a row, one is made of the row's own content, in memory. Of a large store "
        f"about {ENOUGH:,} rows are tried in groups.",
        style="dim",
    )
    page.gap()
    rows = [
        {
            "LEFT OF THE ROW": _EVIDENCE[kind],
            **{
                name: f"{counts.right:,} / {counts.holds:,} / {counts.wrong:,}"
                for name, counts in zip(_ROUNDS, rounds.each(), strict=True)
            },
        }
        for kind, rounds in tried.items()
    ]
    _table(["LEFT OF THE ROW", *_ROUNDS], rows)


def _links(page: Page, found: Backtest) -> None:
    if not found.links.together.counts:
        return
    page.heading("And if a row lost nothing but its link?")
    page.prose(
        "Rows that counted turns, without the transcript that they name, and without snapshots and leases, "
        "which would tell: linked right / held or left / linked to a wrong transcript.",
        style="dim",
    )
    page.gap()
    counts = zip(_ROUNDS, found.links.each(), strict=True)
    shares = {name: f"{each.right:,} / {each.holds:,} / {each.wrong:,}" for name, each in counts}
    _table(["LOST", *_ROUNDS], [{"LOST": "the link alone", **shares}])


def _wrong(page: Page, found: Backtest) -> None:
    if not found.wrong:
        return
    page.gap()
    page.prose(
        "A wrong transcript must never be given. Before you apply a plan, look at what each row rests on; "
        "--format json lists the rows that went wrong here. These are some:",
        style="bold red",
    )
    rounds = (found.matching, found.links, *found.evidence.values())
    wrong: dict[str, Mismatch] = {}
    for counts in (counts for each in rounds for counts in each.each()):
        for one in counts.examples:
            if one.outcome == "wrong":
                wrong.setdefault(one.path, one)
    for one in list(wrong.values())[:_WRONG_SHOWN]:
        page.whole(one.path, indent=2)
        page.whole(f"by {one.decided_by}: {one.cli_session_id} instead of {one.own}", indent=4)


def _fields(page: Page, found: Backtest) -> None:
    page.heading("What would the row contain?")
    skipped = f", {found.skipped:,} without a transcript left out" if found.skipped else ""
    page.prose(
        f"{counted(found.rows, 'row')} rebuilt from the transcript alone{skipped}. Times that differ by "
        "less than 10 s count as the same.",
        style="dim",
    )
    page.gap()
    rows = [
        {
            "FIELD": clean(name),
            "SAME": f"{counts.same:,}",
            "%": _percent(counts.same, _total(counts)),
            "OTHER": f"{counts.different:,}",
            "MISSING": f"{counts.missing:,}",
            "ADDED": f"{counts.added:,}",
        }
        for name, counts in found.fields.items()
    ]
    _table(["FIELD", "SAME", "%", "OTHER", "MISSING", "ADDED"], rows)


def _unknown(page: Page, found: Backtest) -> None:
    reset = Counter({name: count for name, count in found.reset.items() if count})
    for text, counts in (
        ("Would be reset to the defaults, since no transcript has permissions and settings", reset),
        ("Would be left out, since they are in no transcript", found.left_out),
    ):
        if counts:
            names = [f"{name} ({counted(count, 'row')})" for name, count in counts.most_common(_NAMED)]
            if len(counts) > _NAMED:
                names.append(f"{len(counts) - _NAMED:,} more")
            page.gap()
            page.prose(f"{text}: {', '.join(names)}.")
    if found.unbuildable:
        page.gap()
        page.prose(
            f"{counted(len(found.unbuildable), 'row')} could not be rebuilt: {found.unbuildable[0][1]}.",
        )


def _share(matching: MatchCounts, outcome: Outcome) -> str:
    count = matching.counts[outcome]
    return f"{count:,}  {_percent(count, matching.counts.total()):>4} %"


def _total(counts: FieldCounts) -> int:
    return counts.same + counts.different + counts.missing + counts.added


def _percent(part: int, whole: int) -> str:
    """Return a percentage that is 0 or 100 only if it is so exactly."""
    if part in (0, whole):
        return "100" if part else "0"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f}"


def _table(columns: list[str], rows: list[dict[str, str]]) -> None:
    room = width(console()) if on_terminal() else None
    print_table(columns, rows, right=columns[1:], shrink=columns[:1], room=room)
