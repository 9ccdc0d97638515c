"""What a backtest finds: how well the healthy rows of a store would be put back if they were lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

SCHEMA = "sessscan.verify/1"

GROUPS = 20
"""The number of groups of rows that are hidden one after the other."""
ONE_GONE_IN = 4
"""Of so many transcripts that no readable row names, one is taken away in the round `doubly`, by chance."""
ENOUGH = 1_000
"""So many rows are tried with one kind of evidence a group at a time, and with transcripts taken away; in a
larger store the other groups are left out."""
SHOWN = 20
"""So many held rows of one kind of evidence in one round are listed."""

Outcome = Literal["found", "offered", "held", "wrong", "gone"]
"""What the matching makes of a hidden row.

`found`: it gets its own transcript back. `offered`: it is held, with its own transcript among the candidates.
`held`: it is held without it. `wrong`: it gets another transcript, which must never happen. `gone`: it is
held, as it should be, since its transcript is not there."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

TriedEvidence = Literal["snapshot", "tmp", "copy", "prefix", "own-folder", "uuid", "lease", "time"]
"""The kinds of evidence that a hidden row can be left with: a snapshot of it, its unfinished save, a readable
copy of it, its own beginning, the folder of its name, its name, the worktree lent to it, the time of its last
write."""

TRIED: tuple[TriedEvidence, ...] = get_args(TriedEvidence)


class FieldDifference(NamedTuple):
    """A field of a row that would not come out the same."""

    path: str
    actual: Any
    """The field's value; None where the row has none."""
    rebuilt: Any
    """The value that would be written; None where none would be."""


class Mismatch(NamedTuple):
    """A hidden row whose transcript was not found."""

    path: str
    outcome: Outcome
    cli_session_id: str | None
    """The transcript it was given, if that was a wrong one."""
    reason: str | None
    """Why it was held."""
    own: str
    """The transcript that the row names itself."""
    decided_by: str | None
    """The kind of the evidence by which it was put back."""


@dataclass
class FieldCounts:
    """How often a field would come out the same, different, not at all, or although the row has none."""

    same: int = 0
    different: int = 0
    missing: int = 0
    added: int = 0
    examples: list[FieldDifference] = field(default_factory=list)
    """Every row in which it would not come out the same."""

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and examples as a JSON object."""
        return {
            "same": self.same,
            "different": self.different,
            "missing": self.missing,
            "added": self.added,
            "rows": [
                {"path": path, "is": actual, "would_be": rebuilt} for path, actual, rebuilt in self.examples
            ],
        }


@dataclass
class MatchCounts:
    """How many hidden rows had each outcome."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    examples: list[Mismatch] = field(default_factory=list)
    """Every row whose transcript was not found; with `shown` all wrong ones, and so many of the others."""
    decided: dict[str, Counter[Outcome]] = field(default_factory=dict)
    """By the kind of evidence that decided, how many rows were put back with the right transcript and with a
    wrong one."""
    shown: int | None = None

    @property
    def right(self) -> int:
        """How many rows were put back with their own transcript."""
        return self.counts["found"]

    @property
    def holds(self) -> int:
        """How many rows were held, for whatever reason."""
        return self.counts["offered"] + self.counts["held"] + self.counts["gone"]

    @property
    def wrong(self) -> int:
        """How many rows were put back with another transcript, which must never happen."""
        return self.counts["wrong"]

    def add(self, found: Mismatch) -> None:
        """Count one hidden row."""
        self.counts[found.outcome] += 1
        if found.decided_by is not None:
            self.decided.setdefault(found.decided_by, Counter())[found.outcome] += 1
        unlimited = self.shown is None or found.outcome == "wrong" or self.holds <= self.shown
        if found.outcome != "found" and unlimited:
            self.examples.append(found)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and examples as a JSON object."""
        return {
            **{outcome: self.counts[outcome] for outcome in OUTCOMES},
            "rows": [example._asdict() for example in self.examples],
            "decided_by": {
                kind: {"found": counts["found"], "wrong": counts["wrong"]}
                for kind, counts in self.decided.items()
            },
        }


@dataclass
class Rounds:
    """What the matching makes of hidden rows, in each of three rounds."""

    alone: MatchCounts = field(default_factory=MatchCounts)
    """With one row in `GROUPS` hidden at a time."""
    together: MatchCounts = field(default_factory=MatchCounts)
    """With all rows hidden at once."""
    doubly: MatchCounts = field(default_factory=MatchCounts)
    """With one row in `GROUPS` hidden at a time, and transcripts taken away as well."""

    @classmethod
    def of_evidence(cls) -> Rounds:
        """Return empty rounds that list only some of the rows that are held."""
        return cls(MatchCounts(shown=SHOWN), MatchCounts(shown=SHOWN), MatchCounts(shown=SHOWN))

    def each(self) -> Iterator[MatchCounts]:
        """Yield the three rounds."""
        yield from (self.alone, self.together, self.doubly)

    def to_dict(self) -> dict[str, Any]:
        """Return the rounds as a JSON object."""
        return {
            "a_twentieth_lost": self.alone.to_dict(),
            "all_lost": self.together.to_dict(),
            "doubly_damaged": self.doubly.to_dict(),
        }


@dataclass
class Backtest:
    """How the healthy rows of some stores would be put back if they were lost."""

    stores: list[tuple[str, int]] = field(default_factory=list)
    """Each store and the number of healthy rows in it."""
    rows: int = 0
    """Rows that were rebuilt."""
    skipped: int = 0
    """Healthy rows without a transcript to rebuild them from."""
    unbuildable: list[tuple[str, str]] = field(default_factory=list)
    """Rows whose transcript does not say enough, and what is lacking."""
    fields: dict[str, FieldCounts] = field(default_factory=dict)
    """By field, how it would come out."""
    reset: Counter[str] = field(default_factory=Counter)
    """Permissions and settings, with the number of rows in which a rebuilt row would have the default."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Other fields that no transcript has, with the number of rows that have them."""
    matching: Rounds = field(default_factory=Rounds)
    """What became of rows whose content was hidden, with all that the stores have beside it."""
    links: Rounds = field(default_factory=Rounds.of_evidence)
    """What became of rows that counted turns and lost nothing but the transcript that they name."""
    evidence: dict[TriedEvidence, Rounds] = field(
        default_factory=lambda: {kind: Rounds.of_evidence() for kind in TRIED}
    )
    """The same with one kind of evidence left of each row. Rows that cannot have it are not counted."""
    seed: int = 0
    """What chance was begun with."""
    remarks: list[str] = field(default_factory=list)
    """Sentences for the user, such as that the snapshots cannot be read."""

    @property
    def wrong(self) -> int:
        """How many rows were given a wrong transcript, in all rounds together."""
        rounds = (self.matching, self.links, *self.evidence.values())
        return sum(counts.wrong for each in rounds for counts in each.each())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `reconcile --verify --format json` prints."""
        return {
            "schema": SCHEMA,
            "stores": [{"path": path, "rows": rows} for path, rows in self.stores],
            "rows": self.rows,
            "skipped": self.skipped,
            "unbuildable": [{"path": path, "reason": reason} for path, reason in self.unbuildable],
            "fields": {name: counts.to_dict() for name, counts in self.fields.items()},
            "reset": dict(self.reset),
            "left_out": dict(self.left_out),
            "matching": self.matching.to_dict(),
            "links": self.links.to_dict(),
            "evidence": {kind: rounds.to_dict() for kind, rounds in self.evidence.items()},
            "seed": self.seed,
        }
