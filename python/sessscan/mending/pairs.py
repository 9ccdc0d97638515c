"""Find the records that lost the other half of their tool call to a hole.

The API refuses a call without its result and a result without its call, so neither may be in the
conversation alone. Three kinds are no damage and are left: the calls of the last response, which may still
run; a call that was interrupted, so that the next prompt follows it at once; and a half whose other half is a
record that is there, and says something else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from .graph import Graph


def broken_pairs(graph: Graph, path: Sequence[int], joined: Mapping[int, str], *, may_run: bool) -> set[int]:
    """Return the records of a conversation whose other half was destroyed.

    Args:
        graph: the records.
        path: what a reader passes, from the leaf up.
        joined: the records above which the path crosses a hole.
        may_run: whether the last calls may still run, although bytes are damaged behind them.
    """
    place = {number: step for step, number in enumerate(path)}
    given = _given(graph, path)
    broken: set[int] = set()
    for number in given:
        record = graph.records[number]
        if any(call not in graph.results for call in record.calls):
            if not _has_follower(graph, number) and _was_answered(
                graph, number, path, place, joined, may_run
            ):
                broken.add(number)
        elif any(call not in graph.calls for call in record.results) and not _has_caller(graph, number):
            broken.add(number)
    return _closed(graph, broken - _beginnings(graph, path, broken, joined))


def _beginnings(
    graph: Graph, path: Sequence[int], broken: Collection[int], joined: Mapping[int, str]
) -> set[int]:
    """Return the results among `broken` that a reader gave already, and with which the conversation begins.

    Their calls stood before all that is left, and no damage tells that they were in this file.
    """
    crossing = next((step for step, number in enumerate(path) if number in joined), len(path))
    kept: set[int] = set()
    for step in range(len(path) - 1, -1, -1):
        number = path[step]
        if not graph.is_message(number):
            continue
        if number not in broken:
            break
        if step <= crossing and not graph.hole_before(number):
            kept.add(number)
    return kept


def _given(graph: Graph, path: Iterable[int]) -> list[int]:
    """Return the records that a reader gives: those on the path, and what belongs to their responses."""
    given = dict.fromkeys(path)
    for number in list(given):
        record = graph.records[number]
        if record.type != "assistant" or not record.message_id:
            continue
        for part in graph.responses.get(record.message_id, ()):
            given.setdefault(part)
            hanging = graph.children.get(graph.uuid[part], ())
            given.update(dict.fromkeys(i for i in hanging if graph.records[i].results))
            for call in graph.records[part].calls:
                given.update(dict.fromkeys(graph.results.get(call, ())))
    return sorted(number for number in given if graph.is_main(number))


def _closed(graph: Graph, broken: Collection[int]) -> set[int]:
    """Return the records together with those that lose their other half by leaving them out."""
    closed: set[int] = set()
    left = list(broken)
    while left:
        number = left.pop()
        if number in closed:
            continue
        closed.add(number)
        record = graph.records[number]
        for call in record.calls:
            left += graph.results.get(call, ())
        for call in record.results:
            left += graph.calls.get(call, ())
    return closed


def _has_follower(graph: Graph, number: int) -> bool:
    """Tell whether what answers a call is there, and holds no result of it: then no record was lost."""
    return any(
        graph.is_main(i) and graph.records[i].type == "user"
        for i in graph.children.get(graph.uuid[number], ())
    )


def _has_caller(graph: Graph, number: int) -> bool:
    """Tell whether the record that a result answers is there, and makes no such call."""
    source = graph.parsed(number).get("sourceToolAssistantUUID")
    if isinstance(source, str):
        return source in graph.at
    above = graph.above(number)
    return above is not None and graph.records[above].type == "assistant"


def _was_answered(
    graph: Graph,
    number: int,
    path: Sequence[int],
    place: Mapping[int, int],
    joined: Mapping[int, str],
    may_run: bool,
) -> bool:
    """Tell whether a call whose result is not there must have had one.

    It had if the conversation went on with another response; if it went on with a prompt, or ends with the
    call, only where bytes are damaged behind it.
    """
    record = graph.records[number]
    parts = graph.responses.get(record.message_id or "", [number])
    steps = [place[part] for part in parts if part in place]
    if not steps:
        return False
    last = min(steps)
    calls = {call for part in parts for call in graph.records[part].calls}
    for step in range(last - 1, -1, -1):
        follower = path[step]
        other = graph.records[follower]
        if not graph.is_message(follower) or calls.intersection(other.results):
            continue
        if other.type == "assistant" or other.results:
            return True
        crossed = any(path[i] in joined for i in range(step, last))
        return crossed or graph.hole_between(number, follower) is not None
    return not may_run and graph.hole_after(number)
