"""Add up the tokens of responses by day, month, session, model or project."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .. import _core
from ..errors import UsageError
from ..stores.locate import StrPath
from ..stores.project_folder import matches_key
from ..usage_result import TokenSum, Usage, UsageBy, UsageCount, UsageGroup
from .files import TokenFile, find_files
from .prices import Prices, check_prices, read_prices
from .responses import Response, Tokens, read_responses

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def usage(
    paths: StrPath | Iterable[StrPath] | None = None,
    *,
    projects: StrPath | Iterable[StrPath] | None = None,
    by: UsageBy = "day",
    count: UsageCount = "final",
    since: int | None = None,
    until: int | None = None,
    timezone: str | None = None,
    prices: StrPath | Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> Usage:
    """Add up the tokens of all responses, each once, those of subagents included and told apart.

    The CLI writes a record for each part of a response, and a resumed session copies another's records:
    records of one message id and request id are one response.

    Args:
        paths: Transcripts, or folders to search for .jsonl files; default: all under `projects`.
        projects: The roots of the transcripts; default: this user's.
        by: What to group by.
        count: Which record of a response counts: `final` the one with the most output tokens, since what is
            written while a response streams is not all of it yet; `first` the first, as ccusage counts.
        since: Only responses at this time or later, in epoch ms UTC.
        until: Only responses at this time or earlier. Responses without a time fall outside any bound.
        timezone: The zone of days and months, such as `Europe/Berlin` or `UTC`; default: local time.
        prices: A table of prices, or the JSON file that holds it. There is none in sessscan.
        threads: How many files are read at a time; default: one a processor.

    Raises:
        UsageError: an unknown zone, grouping or count, or a table of prices that is none.
        OSError: a path that is not there. Other files that cannot be read are in `errors`.
    """
    if by not in get_args(UsageBy):
        raise UsageError(f"by {by!r}: choose of {', '.join(get_args(UsageBy))}")
    if count not in get_args(UsageCount):
        raise UsageError(f"count {count!r}: choose of {', '.join(get_args(UsageCount))}")
    zone = _zone(timezone)
    table = _prices(prices)
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    found = find_files(several, projects)
    read = read_responses(found.files, threads=threads)
    responses = [one for one in read.responses if _within(one.time, since, until)]
    by_key: dict[str | None, list[Response]] = defaultdict(list)
    key_of = _KEYS[by] if by in _KEYS else _Moments(zone, 10 if by == "day" else 7)
    for response in responses:
        by_key[key_of(response)].append(response)
    labels = _labels(by, by_key, found.files, threads)
    groups = [_group(key, labels.get(key), those, count, table) for key, those in by_key.items()]
    if by in ("day", "month"):
        groups.sort(key=lambda group: (group.key is None, group.key or ""))
    else:
        groups.sort(key=lambda group: (-group.tokens.total_tokens, group.key or ""))
    return Usage(
        by,
        count,
        timezone or "local",
        tuple(groups),
        _group(None, None, responses, count, table),
        _sum([one.first for one in responses]),
        None if table is None else table.currency,
        () if table is None else _without_price(responses, count, table),
        len(found.files),
        read.defect_count,
        tuple(_message(error) for error in [*found.errors, *read.errors]),
    )


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"there is no time zone {name!r}: give UTC, or such as Europe/Berlin") from None


def _prices(given: StrPath | Mapping[str, Any] | None) -> Prices | None:
    if given is None:
        return None
    return check_prices(given) if isinstance(given, Mapping) else read_prices(given)


def _within(time: int | None, since: int | None, until: int | None) -> bool:
    if since is None and until is None:
        return True
    return time is not None and (since is None or time >= since) and (until is None or time <= until)


class _Moments:
    """Names the day or month of a response in a zone."""

    def __init__(self, zone: tzinfo | None, length: int) -> None:
        self._zone = zone
        self._length = length
        self._known: dict[int, str | None] = {}

    def __call__(self, response: Response) -> str | None:
        if response.time is None:
            return None
        # Every zone's offset is a whole number of quarters of an hour since 1970 but for Liberia's, until
        # 1972, so that all times of one quarter are of the same day.
        quarter = response.time // 900_000
        if quarter not in self._known:
            self._known[quarter] = self._name(quarter * 900_000)
        return self._known[quarter]

    def _name(self, milliseconds: int) -> str | None:
        try:
            moment = _EPOCH + timedelta(milliseconds=milliseconds)
            return moment.astimezone(self._zone).date().isoformat()[: self._length]
        except (OverflowError, ValueError, OSError):
            return None  # a record may claim any year


_KEYS: dict[str, Callable[[Response], str | None]] = {
    "session": lambda response: response.session,
    "model": lambda response: response.model,
    "project": lambda response: response.file.project,
}


def _labels(
    by: UsageBy,
    groups: Mapping[str | None, Sequence[Response]],
    files: Sequence[TokenFile],
    threads: int | None,
) -> dict[str | None, str]:
    """Return the titles of sessions, or the directories of projects, by the groups' keys."""
    if by == "project":
        directories = (
            (key, next((one.cwd for one in those if one.cwd and key and matches_key(one.cwd, key)), None))
            for key, those in groups.items()
        )
        return {key: cwd for key, cwd in directories if cwd is not None}
    if by == "session":
        paths = [file.path for file in files if not file.of_subagent and file.session in groups]
        scanned = _core.scan_many(paths, threads=threads)
        return {
            one.session_id.lower(): one.title
            for one in scanned
            if one.error is None and one.session_id is not None and one.title is not None
        }
    return {}


def _group(
    key: str | None,
    label: str | None,
    responses: Sequence[Response],
    count: UsageCount,
    prices: Prices | None,
) -> UsageGroup:
    times = [one.time for one in responses if one.time is not None]
    return UsageGroup(
        key,
        label,
        _sum([getattr(one, count) for one in responses]),
        _sum([getattr(one, count) for one in responses if one.of_subagent]),
        tuple(sorted({one.model for one in responses if one.model is not None})),
        min(times, default=None),
        max(times, default=None),
        None if prices is None else _cost(responses, count, prices),
    )


def _sum(tokens: Sequence[Tokens]) -> TokenSum:
    return TokenSum(len(tokens), *(sum(kind) for kind in zip(*tokens, strict=True)) if tokens else (0,) * 6)


def _by_model(responses: Iterable[Response], count: UsageCount) -> dict[str | None, Tokens]:
    """Return the tokens of each model."""
    found: dict[str | None, list[Tokens]] = defaultdict(list)
    for response in responses:
        found[response.model].append(getattr(response, count))
    return {model: Tokens(*(sum(kind) for kind in zip(*of, strict=True))) for model, of in found.items()}


def _cost(responses: Iterable[Response], count: UsageCount, prices: Prices) -> float | None:
    total = Decimal(0)
    for model, tokens in _by_model(responses, count).items():
        cost = prices.cost(model, tokens)
        if cost is None:
            return None
        total += cost
    return float(total)


def _without_price(responses: Iterable[Response], count: UsageCount, prices: Prices) -> tuple[str, ...]:
    used = _by_model(responses, count)
    return tuple(sorted(model or "(none)" for model, of in used.items() if prices.cost(model, of) is None))


def _message(error: OSError) -> tuple[str, str]:
    return str(error.filename or ""), error.strerror or str(error)
