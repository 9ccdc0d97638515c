"""Link the records of a damaged transcript as its readers do, and tell between which bytes are damaged."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .. import _core
from .content import Content, parse
from .ids import MendedIds, mend_ids

CHAINED = frozenset({"user", "assistant", "system", "attachment", "progress"})
"""The types of the records that readers link by `parentUuid`."""

_HOLES = frozenset({"nul-run", "spliced", "invalid", "torn"})
"""The defects that may stand where a record was lost."""


@dataclass
class Graph:
    """The linked records of a transcript, by their number, in the order of the file."""

    content: Content
    survivors: Sequence[_core.SurvivingRecord]
    """All records of the file."""
    records: Sequence[_core.SurvivingRecord]
    """All that have a uuid and are of a type in `CHAINED`."""
    holes: Sequence[tuple[int, int]]
    """Where bytes are damaged, each range from its begin to its end."""
    ids: MendedIds
    uuid: list[str] = field(init=False)
    at: dict[str, int] = field(init=False)
    """The number of the record with a uuid: of two with one uuid the last counts."""
    parent: list[str | None] = field(init=False)
    """What each record hangs on, as a compaction may have relinked it."""
    children: dict[str, list[int]] = field(init=False)
    calls: dict[str, list[int]] = field(init=False)
    """The records that make a tool call, by its id."""
    results: dict[str, list[int]] = field(init=False)
    """The records that hold the result of a tool call, by its id."""
    responses: dict[str, list[int]] = field(init=False)
    """The records of a response, by its `message.id`."""

    def __post_init__(self) -> None:
        self.uuid = [self.ids.uuids.get(i, record.uuid or "") for i, record in enumerate(self.records)]
        self.parent = [self.ids.parents.get(i, record.parent) for i, record in enumerate(self.records)]
        self.at = {uuid: number for number, uuid in enumerate(self.uuid)}
        self._relink_compacted()
        self.children = _groups((parent, number) for number, parent in self._live() if parent)
        main = [number for number in self.at.values() if self.is_main(number)]
        self.calls = _groups((call, i) for i in main for call in self.records[i].calls)
        self.results = _groups((call, i) for i in main for call in self.records[i].results)
        self.responses = _groups(
            (record.message_id, number)
            for number, record in enumerate(self.records)
            if record.message_id and record.type == "assistant" and self.at[self.uuid[number]] == number
        )

    def _live(self) -> Iterator[tuple[int, str | None]]:
        """Yield the number and parent of each record that counts."""
        return ((number, self.parent[number]) for number in self.at.values())

    def _relink_compacted(self) -> None:
        """Hang what a compaction preserved where its boundary says, as the official readers do."""
        for number in list(self.at.values()):
            record = self.records[number]
            if not record.is_compact_boundary:
                continue
            metadata = self.parsed(number).get("compactMetadata")
            if not isinstance(metadata, dict):
                continue
            preserved, segment = metadata.get("preservedMessages"), metadata.get("preservedSegment")
            if isinstance(preserved, dict):
                self._hang_preserved(preserved)
            elif isinstance(segment, dict):
                head, tail, anchor = (segment.get(key) for key in ("headUuid", "tailUuid", "anchorUuid"))
                if isinstance(anchor, str) and isinstance(tail, str):
                    if head in self.at:
                        self.parent[self.at[head]] = anchor
                    self._move_children(anchor, tail, but=head)

    def _hang_preserved(self, preserved: Mapping[str, Any]) -> None:
        uuids, anchor = preserved.get("uuids"), preserved.get("anchorUuid")
        if not isinstance(uuids, list) or not uuids or not isinstance(anchor, str):
            return
        if any(not isinstance(uuid, str) or uuid not in self.at for uuid in uuids):
            return
        above = anchor
        for uuid in uuids:
            self.parent[self.at[uuid]] = above
            above = uuid
        self._move_children(anchor, uuids[-1], but=uuids[0])

    def _move_children(self, anchor: str, tail: str, but: object) -> None:
        for uuid, number in self.at.items():
            if self.parent[number] == anchor and uuid != but:
                self.parent[number] = tail

    def parsed(self, number: int) -> dict[str, Any]:
        """Return a record's JSON object."""
        record = self.records[number]
        return parse(self.content, record.offset, record.length)

    def written_parent(self, number: int) -> str | None:
        """Return what a record says that it hangs on, whatever a compaction made of it."""
        return self.ids.parents.get(number, self.records[number].parent)

    def above(self, number: int) -> int | None:
        """Return the record that one hangs on; None where it hangs on nothing, or on what is not there."""
        parent = self.parent[number]
        return self.at.get(parent) if parent else None

    def is_cut(self, number: int) -> bool:
        """Tell whether a record hangs on one that is not there."""
        parent = self.parent[number]
        return bool(parent) and parent not in self.at

    def is_main(self, number: int) -> bool:
        """Tell whether a record is of the session itself, not of a helper's."""
        record = self.records[number]
        return not record.is_sidechain and not record.is_team

    def last_before(self, number: int) -> int | None:
        """Return the last record of the main conversation before one in the file."""
        return next((i for i in range(number - 1, -1, -1) if self.is_main(i) and self._counts(i)), None)

    def _counts(self, number: int) -> bool:
        record = self.records[number]
        return record.type != "progress" and self.at[self.uuid[number]] == number

    def hole_between(self, first: int, second: int) -> tuple[int, int] | None:
        """Return the last damaged range between two records, if bytes there are damaged."""
        begin = self.records[first].offset + self.records[first].length
        end = self.records[second].offset
        place = bisect_left(self.holes, (end, 0)) - 1
        if place >= 0 and self.holes[place][1] > begin:
            return self.holes[place]
        return None

    def hole_after(self, number: int) -> bool:
        """Tell whether bytes are damaged anywhere behind a record."""
        return bool(self.holes) and self.holes[-1][0] > self.records[number].offset

    def hole_before(self, number: int) -> bool:
        """Tell whether bytes are damaged anywhere before a record."""
        return bool(self.holes) and self.holes[0][0] < self.records[number].offset

    def is_prompt(self, number: int) -> bool:
        """Tell whether a record is what a human, or the program in their place, said."""
        record = self.records[number]
        return record.type == "user" and not record.results and not record.is_compact_summary

    def is_message(self, number: int) -> bool:
        """Tell whether a record is a message of the user or the model."""
        return self.records[number].type in ("user", "assistant")

    @cached_property
    def was_compacted(self) -> bool:
        """Whether a boundary of a compaction is among the records."""
        return any(self.records[number].is_compact_boundary for number in self.at.values())

    @cached_property
    def was_rewound(self) -> bool:
        """Whether two prompts hang on one record, of which the first was taken back."""
        return any(
            sum(self.is_main(i) and self.is_prompt(i) and not self.records[i].is_meta for i in numbers) > 1
            for numbers in self.children.values()
        )

    def leaf(self) -> int | None:
        """Return the record a reader begins at: the last that ends a branch with a message on it."""
        inner = {self.parent[i] for i in self.at.values() if self.may_lead(i)}
        dead: set[int] = set()
        for number in sorted(self.at.values(), reverse=True):
            if not self.may_lead(number) or self.uuid[number] in inner:
                continue
            walked: set[int] = set()
            place: int | None = number
            while place is not None and place not in dead and place not in walked:
                if self.is_message(place):
                    return number
                walked.add(place)
                place = self.above(place)
            dead |= walked
        return None

    @cached_property
    def _briefings(self) -> set[int]:
        """The attachments that brief a fork of the session, at which no reader begins."""
        found: set[int] = set()
        for number, record in enumerate(self.records):
            if record.type == "attachment":
                attachment = self.parsed(number).get("attachment")
                if isinstance(attachment, dict) and attachment.get("type") == "fork_briefing":
                    found.add(number)
        return found

    def may_lead(self, number: int) -> bool:
        """Tell whether a reader may begin at a record, if nothing hangs on it."""
        record = self.records[number]
        if not self.is_main(number) or record.type == "progress":
            return False
        return record.type != "attachment" or number not in self._briefings


def graph_of(content: Content, survivors: _core.Survivors) -> Graph:
    """Return the graph of a transcript's records."""
    linked = [record for record in survivors.records if record.uuid and record.type in CHAINED]
    holes = sorted((d.offset, d.offset + d.length) for d in survivors.defects if d.kind in _HOLES)
    return Graph(content, survivors.records, linked, _merged(holes), mend_ids(content, linked))


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in ranges:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _groups(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for key, number in pairs:
        groups[key].append(number)
    return groups
