"""Choose new parents for the records whose parent was lost, so that a reader reaches what stands before.

From the leaf the walk goes up, as a reader's does. Where it ends at a parent that is not there, it goes on at
the last record that survives before the hole, if the conversation went straight on there. Then records that
lost the other half of their tool call are passed over, and each link that came out otherwise than the file
has it is an edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .continuity import Continuity, continuity
from .graph import Graph
from .pairs import broken_pairs

_NEAR = 400
"""How many records below a hole are looked at for the next response."""

_FAR = 4000
"""How many records above a hole are looked at."""

_MOST_CANDIDATES = 5

_PASSED_OVER = "the record between them lost the other half of its tool call"


@dataclass(frozen=True, slots=True)
class Link:
    """A record that is to hang on another one."""

    record: int
    parent: int | None
    """None: on nothing, so that the conversation begins with it."""
    passed_over: bool
    """Whether its parent survives, and is passed over."""
    why: str


@dataclass(frozen=True, slots=True)
class HeldLink:
    """A record whose parent was lost, where it is not certain what it hung on."""

    record: int
    candidates: tuple[int, ...]
    why: str


@dataclass
class Mending:
    """What is to be done about the links of a transcript."""

    links: list[Link] = field(default_factory=list)
    held: list[HeldLink] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    """The records that lost the other half of their tool call, in the order of the file."""
    set_aside: list[int] = field(default_factory=list)
    """Those of them that a reader would give all the same: they are marked as no part of the conversation."""
    path: list[int] = field(default_factory=list)
    """The records that a reader passes then, from the leaf up."""


def relink(graph: Graph, chosen: Mapping[int, int], *, may_run: bool = False) -> Mending:
    """Return what is to be done about the links of a transcript.

    `chosen`: for a record, by the user's word, the one it is to hang on. `may_run`: see `broken_pairs`.
    """
    mending = Mending()
    path, joined = _walk(graph, chosen, mending)
    left_out = broken_pairs(graph, path, joined, may_run=may_run)
    mending.left_out = sorted(left_out)
    mending.path = [number for number in path if number not in left_out]
    place = {number: step for step, number in enumerate(path)}
    for number, above in pairwise([*mending.path, None]):
        if number is None or (above is None and graph.above(number) is None):
            continue  # the walk ends where it ended
        wanted = graph.uuid[above] if above is not None else None
        if graph.parent[number] == wanted:
            continue
        crossed = path[place[number] : len(path) if above is None else place[above]]
        why = next((joined[i] for i in crossed if i in joined), _PASSED_OVER)
        mending.links.append(Link(number, above, not graph.is_cut(number), why))
    mending.set_aside = _still_given(graph, mending)
    return mending


def _still_given(graph: Graph, mending: Mending) -> list[int]:
    """Return the records left out that a reader would give all the same.

    It puts back each part of a response, and each result that hangs on one, if another part is on the path;
    and it begins at the last record that nothing hangs on.
    """
    responses = {graph.records[number].message_id for number in mending.path} - {None}
    hung_on = {link.record: link.parent for link in mending.links}
    carried = {
        hung_on[number] if number in hung_on else graph.above(number)
        for number in graph.at.values()
        if graph.may_lead(number)
    }
    begin = mending.path[0] if mending.path else -1
    found: list[int] = []
    for number in mending.left_out:
        above = graph.above(number)
        if graph.is_main(number) and (
            graph.records[number].message_id in responses
            or (above is not None and graph.records[above].message_id in responses)
            or (number > begin and number not in carried)
        ):
            found.append(number)
    return found


def _walk(graph: Graph, chosen: Mapping[int, int], mending: Mending) -> tuple[list[int], dict[int, str]]:
    """Return the records from the leaf up, across holes, and for each record that crosses one, why."""
    path: list[int] = []
    joined: dict[int, str] = {}
    walked: set[int] = set()
    place = graph.leaf()
    while place is not None and place not in walked:
        walked.add(place)
        path.append(place)
        if place in chosen:
            joined[place] = "you said so with --parent"
            place = chosen[place]
        elif graph.is_cut(place):
            place = _across(graph, path, walked, joined, mending)
        else:
            place = graph.above(place)
    return path, joined


def _across(
    graph: Graph, path: Sequence[int], walked: set[int], joined: dict[int, str], mending: Mending
) -> int | None:
    """Return the record to go on at, across the hole above the last record of `path`; None: it ends here."""
    cut = path[-1]
    if graph.records[cut].is_compact_summary:
        return None  # its boundary was lost, and before that nothing counts
    siblings = [number for number in graph.children[graph.parent[cut] or ""] if graph.is_main(number)]
    first = _past_lone_results(graph, min([cut, *siblings]))
    above = graph.last_before(first)
    while above is not None and above in walked:
        above = graph.last_before(above)  # a record may stand before the one that it hangs on
    if above is None:
        return None
    ancestors = _ancestors(graph, above, walked)
    hole = graph.hole_between(above, first)
    found = continuity(graph, ancestors, path[: -_NEAR - 1 : -1], hole)
    if hole is None and graph.hole_before(first) and found.verdict == "likely":
        found = Continuity("doubtful", "its parent may have been lost just before it, or in an earlier hole")
    if found.verdict == "doubtful":
        mending.held.append(HeldLink(cut, _candidates(graph, above, first), found.why))
        return None
    joined[cut] = found.why
    return above


def _past_lone_results(graph: Graph, first: int) -> int:
    """Return the first of the results right before a record whose calls were lost together."""
    while (above := graph.last_before(first)) is not None and graph.is_cut(above):
        results = graph.records[above].results
        if not results or any(call in graph.calls for call in results):
            break
        first = above
    return first


def _ancestors(graph: Graph, number: int, walked: set[int]) -> list[int]:
    """Return a record and those that it hangs on, nearest first: as many as it takes to judge."""
    found: list[int] = []
    seen: set[int] = set()
    place: int | None = number
    while place is not None and place not in walked and place not in seen and len(found) < _FAR:
        seen.add(place)
        found.append(place)
        place = graph.above(place)
    return found


def _candidates(graph: Graph, above: int, first: int) -> tuple[int, ...]:
    """Return the records that one may have hung on: the last before it, the last before each hole further
    up, and those where an earlier branch ends."""
    found = [above]
    ends = (
        number
        for number in range(first - 1, -1, -1)
        if graph.is_main(number)
        and graph.is_message(number)
        and (not graph.children.get(graph.uuid[number]) or _before_hole(graph, number))
    )
    for number in ends:
        if number not in found:
            found.append(number)
        if len(found) == _MOST_CANDIDATES:
            break
    return tuple(found)


def _before_hole(graph: Graph, number: int) -> bool:
    """Tell whether bytes are damaged between a record and the next one."""
    return number + 1 < len(graph.records) and graph.hole_between(number, number + 1) is not None
