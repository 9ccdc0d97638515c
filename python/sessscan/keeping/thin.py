"""Choose which of the versions that a watch has kept of a growing transcript can be dropped.

A watch keeps a transcript every second in which it grows. All these versions are beginnings of the newest, so
dropping one loses no byte: only the moment at which the transcript ended there is not told any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a version was kept."""

    version: int
    taken_at: int
    """Epoch ms."""
    passing: int
    """1 if a watch kept it; 0 if the user was told of it, and it stays."""


def superfluous(moments: Iterable[Moment], now: int) -> Iterator[int]:
    """Yield the versions of one content that can be dropped.

    The newest stays, and every one that is not `passing`. Of the others the newest of each minute of the last
    hour stays, of each hour of the last day, and of each day before that, in UTC.

    `moments`: the newest first. `now`: epoch ms.
    """
    before: int | None = None
    """When the next newer one was kept; it may itself be dropped, and then a still newer one stays."""
    for moment in moments:
        age = now - moment.taken_at
        step = _MINUTE if age < _HOUR else _HOUR if age < _DAY else _DAY
        if moment.passing and before is not None and before // step == moment.taken_at // step:
            yield moment.version
        before = moment.taken_at
