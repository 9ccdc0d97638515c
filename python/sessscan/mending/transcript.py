"""Plan what is to be done about one damaged transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import _core
from ..model import Edit
from .content import BytesContent, Content
from .edits import all_edits
from .graph import Graph, graph_of
from .lines import Span, apply_edits, line_edits
from .outcome import SMALL, given_after
from .relink import Mending, relink
from .unbrick import unsendable


@dataclass(frozen=True)
class Mended:
    """What is planned for a transcript."""

    edits: Sequence[Edit]
    graph: Graph
    mending: Mending
    before: int
    """How many messages a reader gives now."""
    after: int
    """How many it gives then."""
    returning: Sequence[str]
    """The uuids of those that come back."""
    refused: str | None
    """Why the links stay as they are, although some could be mended."""
    chosen: Mapping[str, str]
    """What the user said of its records."""


def mend(
    content: Content,
    survivors: _core.Survivors,
    now: Sequence[str],
    chosen: Mapping[str, str],
    *,
    unbrick: bool = False,
    settle: bool = True,
) -> Mended:
    """Return what is planned for a transcript.

    Args:
        content: what it holds.
        survivors: its records.
        now: the uuids of the messages that a reader gives now, in its order.
        chosen: for the uuid of a record, by the user's word, that of the one it is to hang on.
        unbrick: also mend what the API refuses.
        settle: plan nothing if another repair would then find more to do.

    Raises `TooLargeError`.
    """
    spans = [Span(record.offset, record.length) for record in survivors.records]
    lines = line_edits(content, [defect.offset for defect in survivors.defects], spans)
    graph = graph_of(content, survivors)
    by_number = {
        graph.at[one]: graph.at[other] for one, other in chosen.items() if {one, other} <= graph.at.keys()
    }
    refused = None
    for may_run in (False, True):
        mending = relink(graph, by_number, may_run=may_run)
        edits = all_edits(graph, mending, lines)
        after = given_after(graph, mending, edits)
        refused = _objection(graph, mending, now, after)
        if refused is None:
            break
    else:
        # Records that can be read again would take the place of others: two have one uuid, or hang in a ring.
        mending, edits, after = Mending(held=mending.held), [], list(now)
    if unbrick:
        contents = unsendable(graph, [graph.at[uuid] for uuid in after if uuid in graph.at])
        if contents:
            edits = all_edits(graph, mending, lines, contents)
            after = given_after(graph, mending, edits)
    if settle and edits and content.size <= SMALL and not _is_settled(content, edits):
        mending, edits, after = Mending(held=mending.held), [], list(now)
        refused = "its links do not settle: with them mended, others would be lost"
    known = set(now)
    return Mended(
        edits,
        graph,
        mending,
        before=len(now),
        after=len(after),
        returning=[uuid for uuid in after if uuid not in known],
        refused=refused,
        chosen=chosen,
    )


def _objection(graph: Graph, mending: Mending, now: Sequence[str], after: Sequence[str]) -> str | None:
    """Return why a plan must not be carried out; None if nothing speaks against it."""
    out = {graph.uuid[number] for number in mending.left_out}
    given = set(after)
    lost = [uuid for uuid in now if uuid not in given and uuid not in out]
    if lost:
        return f"it would take {len(lost)} messages from the conversation"
    if any(uuid in out for uuid in after):
        return "a reader would give a message without the other half of its tool call"
    expected = {graph.uuid[number] for number in mending.path if graph.is_message(number)}
    return None if expected & given or not expected else "a reader would begin elsewhere"


def _is_settled(content: Content, edits: Sequence[Edit]) -> bool:
    """Tell whether nothing more is to be done about a content once it is edited."""
    data = apply_edits(content.read(0, content.size), 0, edits)
    now = [message.uuid for message in _core.conversation(data).messages]
    return not mend(BytesContent(data), _core.survivors(data), now, {}, settle=False).edits
