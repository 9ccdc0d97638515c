"""What a backtest finds: how well the healthy rows of a store would be put back if they were lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

SCHEMA = "sessscan.verify/1"

GROUPS = 20
"""The number of groups of rows that are hidden one after the other."""

Outcome = Literal["found", "offered", "held", "wrong", "gone"]
"""What the matching makes of a hidden row.

`found`: it gets its own transcript. `offered`: it is held, with its own transcript among the candidates.
`held`: it is held without it. `wrong`: it gets another transcript, which must never happen. `gone`: it is
held, as it should be, since its transcript is not there."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


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
    """Every row whose transcript was not found."""

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and examples as a JSON object."""
        return {
            **{outcome: self.counts[outcome] for outcome in OUTCOMES},
            "rows": [example._asdict() for example in self.examples],
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
    alone: MatchCounts = field(default_factory=MatchCounts)
    """With one row in `GROUPS` hidden at a time."""
    together: MatchCounts = field(default_factory=MatchCounts)
    """With all rows hidden at once."""

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
            "matching": {"a_twentieth_lost": self.alone.to_dict(), "all_lost": self.together.to_dict()},
        }
