"""Define what `usage` returns: tokens by kind, by group, and in all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

UsageBy = Literal["day", "month", "session", "model", "project"]
"""What tokens are added up by."""
UsageCount = Literal["final", "first"]
"""Which record of a response counts: that with the most output tokens, or the first."""


@dataclass(frozen=True, slots=True)
class TokenSum:
    """Tokens by kind, under the names of the API's `usage`, and the responses that they are of."""

    responses: int
    input_tokens: int
    """Without those written to the cache or read from it."""
    output_tokens: int
    cache_creation_input_tokens: int
    """Written to the cache, for any lifetime."""
    cache_creation_5m_input_tokens: int
    """Those of them that are kept for five minutes. Older records do not tell the lifetime."""
    cache_creation_1h_input_tokens: int
    """Those of them that are kept for an hour."""
    cache_read_input_tokens: int

    @property
    def total_tokens(self) -> int:
        """All of them: input, output, written to the cache and read from it."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_creation_input_tokens
            + self.cache_read_input_tokens
        )

    def to_dict(self) -> dict[str, int]:
        """Return the fields and `total_tokens`."""
        return {**asdict(self), "total_tokens": self.total_tokens}


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """The tokens of a day, month, session, model or project."""

    key: str | None
    """The day (`2026-03-01`), the month (`2026-03`), the session's id, the model, or the name of the project
    folder. None for responses that do not tell."""
    label: str | None
    """What a person knows it by: a session's title, a project's directory. None where there is no such."""
    tokens: TokenSum
    of_subagents: TokenSum
    """Those of `tokens` that subagents used."""
    models: tuple[str, ...]
    """The models that answered, in order of their names."""
    first_at: int | None
    """The time of the first response, in epoch ms UTC."""
    last_at: int | None
    cost: float | None
    """By the given prices; None without any, or where one that is needed is not given."""

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON values: its tokens beside the other fields."""
        return {
            "key": self.key,
            "label": self.label,
            **self.tokens.to_dict(),
            "of_subagents": self.of_subagents.to_dict(),
            "models": list(self.models),
            "first_at": self.first_at,
            "last_at": self.last_at,
            "cost": self.cost,
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that transcripts tell of."""

    by: UsageBy
    count: UsageCount
    timezone: str
    """The zone of days and months: its name, or `local`."""
    groups: tuple[UsageGroup, ...]
    """Days and months in order; sessions, models and projects by their tokens, most first."""
    total: UsageGroup
    """All groups together; its key is None."""
    total_of_first_records: TokenSum
    """The total if of each response the first record counted, as ccusage has it."""
    currency: str | None
    """Of the costs, as the table of prices names it."""
    without_price: tuple[str, ...]
    """Models of which a price that is needed is not given."""
    files: int
    """How many files were read."""
    defect_count: int
    """Damaged places in these files."""
    errors: tuple[tuple[str, str], ...]
    """Path and message of each file that could not be read."""

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `sessscan usage --format json` prints."""
        return {
            "schema": "sessscan.usage/1",
            "by": self.by,
            "count": self.count,
            "timezone": self.timezone,
            "groups": [group.to_dict() for group in self.groups],
            "total": self.total.to_dict(),
            "total_of_first_records": self.total_of_first_records.to_dict(),
            "currency": self.currency,
            "without_price": list(self.without_price),
            "files": self.files,
            "defect_count": self.defect_count,
            "errors": [{"path": path, "message": message} for path, message in self.errors],
        }
