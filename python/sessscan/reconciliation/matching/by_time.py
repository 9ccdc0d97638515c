"""Match lost rows by time alone, where nothing else is left.

The app saves a row at the end of each turn, so a row's last write and its transcript's last line lie
seconds apart. That alone proves nothing: it decides only where a row and a transcript are each other's clear
best, and everything else that was active about then is accounted for.

1. A row and a transcript *fit* if the transcript's last line lies within the bound before the row's last
   write, its first line about when the row's file was made, where the file system keeps that, and nothing
   says that the session had no row of its own.
2. They are a *pair* if each is the other's clear best: the second best is far behind.
3. A pair *stands* if every other transcript that was active near the row's time, by its records' times or its
   file's, and every other lost row that was written near the transcript's end, belongs to another pair; and
   if there is nothing that could not be looked at.

Whatever has a time takes part, also rows that cannot be restored: a forbidden row or a deleted one may own a
transcript as well as a damaged one.
"""

from __future__ import annotations

import heapq
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ... import _core
from ...model import Absence, Candidate, Evidence, Row
from ...stores.project_folder import normalize
from ...stores.row_states import LOST_STATES
from ...stores.transcripts import is_desktop, path_of, transcript_id
from .candidates import free
from .deletions import unexplained_deletions
from .fitness import why_unfit
from .limits import AFTER, CLEAR, CROWD, NEAR, NEWBORN, RATIO, SHOWN, SKEW
from .lost_row import Held, LostRow, Matched, candidate, moment, span
from .rivals import Possible
from .state import Proposal, State


@dataclass
class _Node:
    """A lost row, or another row whose transcript is not known, in time."""

    time: int
    lost: LostRow | None
    best: int | None = None
    pair: int | None = None
    born: int | None = None
    """When the row's file was made, epoch ms, where that tells when its session began."""
    near: list[int] = field(default_factory=list)


def by_time(state: State) -> list[Proposal]:
    """Propose a verdict on every row that is still open: the transcript that its time proves, or a hold."""
    if not state.undecided():
        return []
    return _Timeline(state).propose()


class _Timeline:
    """The open rows and the unclaimed transcripts in time. Positions index the transcripts, sorted by their
    last lines."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._times = state.times
        possible = [state.rivals.possible(t) for t in free(state.inventory, state.taken)]
        timed = [one for one in possible if one.transcript.last_activity_at is not None]
        timed.sort(key=lambda one: (_last(one), path_of(one.transcript)))
        self._pool = timed
        self._last = [_last(one) for one in timed]
        self._born = [min(one.transcript.created_at or _last(one), _last(one)) for one in timed]
        self._by_birth = sorted(range(len(timed)), key=self._born.__getitem__)
        self._births = [self._born[position] for position in self._by_birth]
        known = {path_of(one.transcript) for one in timed}
        self._illegible = [
            one
            for one in state.rivals.unnamed
            if path_of(one.transcript) not in known and one.id not in state.taken and not one.is_legible
        ]
        self._written_late = sorted(
            (one.written, position)
            for position, one in enumerate(timed)
            if one.written is not None and one.written > _last(one) + AFTER
        )
        self._bound = state.times.bound
        self._released = _when_released_were_active(state)
        self._deletions = unexplained_deletions(state.inventory)
        self._given: set[int] = set()
        self._sought = state.sought_by_unlinked()

    def propose(self) -> list[Proposal]:
        """Return the verdicts on all open rows."""
        state = self._state
        nodes = [_Node(row.mtime, None) for row in _of_unknown_transcript(state)]
        doubts: list[tuple[LostRow, _Node | None, str]] = []
        for lost in state.undecided():
            doubt = self._times.distrust(lost.row)
            if lost.foreign or not LOST_STATES[lost.row.state].from_crash:
                doubt = "its content is no crash's work, so its time is not that of its last save"
            if doubt is None:
                nodes.append(_Node(lost.row.mtime, lost, born=self._times.born(lost.row)))
            else:
                doubts.append((lost, None, doubt))
        nodes.sort(key=lambda node: node.time)
        self._find_rivals(nodes)
        self._pair_up(nodes)
        paired = {node.pair for node in nodes if node.pair is not None}
        proposals = []
        for place, node in enumerate(nodes):
            if node.lost is not None:
                objection = self._objection(nodes, place, node, node.lost, paired)
                if objection is not None:
                    doubts.append((node.lost, node, objection))
                elif node.pair is not None:
                    self._given.add(node.pair)
                    proposals.append(self._match(node, node.lost, node.pair))
        for lost, held_node, reason in doubts:
            candidates = self._candidates(lost, held_node)
            proposals.append(Proposal(lost, state.hold(lost, reason, *candidates, rivalled=True)))
        return proposals

    def _find_rivals(self, nodes: list[_Node]) -> None:
        """Fill in, for each row in order of time, its best fit and all that was active near it."""
        begun = 0
        running: list[tuple[int, int]] = []
        for node in nodes:
            time = node.time
            fitting = range(
                bisect_left(self._last, time - self._bound), bisect_right(self._last, time + SKEW)
            )
            able = [p for p in fitting if self._eligible(node.lost, p) and self._fits_birth(node, p)]
            reach = NEAR
            if able:
                node.best = min(able, key=lambda position: abs(time - self._last[position]))
                reach = max(NEAR, RATIO * abs(time - self._last[node.best]))
            low, high = bisect_left(self._last, time - reach), bisect_right(self._last, time + AFTER)
            near = set(range(low, min(high, low + CROWD + 1)))
            first, end = bisect_right(self._births, time), bisect_right(self._births, time + AFTER)
            near.update(self._by_birth[first : min(end, first + CROWD + 1)])
            while begun < first:
                position = self._by_birth[begun]
                heapq.heappush(running, (self._last[position], position))
                begun += 1
            while running and running[0][0] <= time:
                heapq.heappop(running)
            if len(running) > CROWD:
                near.update(position for _, position in running[: CROWD + 1])
            else:
                near.update(p for _, p in running if self._pool[p].was_active(time - reach - 1, time + AFTER))
            start = bisect_left(self._written_late, (time - NEAR, -1))
            stop = bisect_right(self._written_late, (time + AFTER, len(self._pool)))
            near.update(position for _, position in self._written_late[start:stop])
            node.near = sorted(p for p in near if self._eligible(node.lost, p) and self._is_rival(node, p))

    def _fits_birth(self, node: _Node, position: int) -> bool:
        """Tell whether a session began when a row's file was made, as far as that tells."""
        return node.born is None or abs(node.born - self._born[position]) <= AFTER

    def _is_rival(self, node: _Node, position: int) -> bool:
        """Tell whether a session that was active near a row's time can be the row's.

        Where files are as old as their sessions, one that began at another time cannot.
        """
        return self._fits_birth(node, position) or not self._times.births_tell

    def _eligible(self, lost: LostRow | None, position: int) -> bool:
        """Tell whether a transcript can be a row's: no older copy, and not denied by what is left of it."""
        transcript = self._pool[position].transcript
        if self._state.lineage.newer_copy(transcript) is not None:
            return False
        if lost is None:
            return True
        if not self._pool[position].id.startswith(lost.id_beginning):
            return False
        for remains in lost.remains:
            cwd, created = remains.fields.get("cwd"), remains.fields.get("createdAt")
            if (
                isinstance(cwd, str)
                and transcript.cwd is not None
                and normalize(cwd) != normalize(transcript.cwd)
            ):
                worktree = transcript.worktree
                if worktree is None or worktree.path is None or normalize(cwd) != normalize(worktree.path):
                    return False
            if isinstance(created, int | float) and abs(created - self._born[position]) > AFTER:
                return False
        return True

    def _pair_up(self, nodes: list[_Node]) -> None:
        """Pair those rows and transcripts that are each other's clear best."""
        times = [node.time for node in nodes]
        for place, node in enumerate(nodes):
            if node.best is None or len(node.near) > CROWD:
                continue
            last = self._last[node.best]
            gap = abs(node.time - last)
            clear = max(CLEAR, RATIO * gap)
            if any(other != node.best and abs(node.time - self._last[other]) < clear for other in node.near):
                continue
            start, end = bisect_left(times, last - clear + 1), bisect_left(times, last + clear)
            if all(other == place for other in range(start, end)):
                node.pair = node.best

    def _objection(
        self, nodes: list[_Node], place: int, node: _Node, lost: LostRow, paired: set[int]
    ) -> str | None:
        """Return why a row's time does not decide; None if its pair stands."""
        if len(node.near) > CROWD:
            return "more sessions than can be told apart were active when it was last written"
        if node.best is None:
            if node.born is not None and any(not self._fits_birth(node, position) for position in node.near):
                return (
                    f"its file was made {moment(node.born)}, and no transcript without a row both begins "
                    "then and ends shortly before it was last written"
                )
            return "no transcript without a row ends shortly before it was last written"
        if node.pair is None:
            return "several transcripts, or several lost rows, fit together equally well by their times"
        if any(position != node.pair and position not in paired for position in node.near):
            return "another transcript without a row was active about the same time"
        hidden = self._hidden(node.time, lost) or self._deleted_near(node.time)
        if hidden is not None:
            return hidden
        last = self._last[node.pair]
        reach = max(NEAR, RATIO * abs(node.time - last))
        lower = bisect_left(nodes, last - AFTER, key=lambda other: other.time)
        upper = bisect_right(nodes, last + reach, key=lambda other: other.time)
        if any(other != place and nodes[other].pair is None for other in range(lower, upper)):
            return "another lost row was written about the same time and may be the transcript's"
        transcript = self._pool[node.pair].transcript
        only = self._state.confined.get(lost.path)
        if only is not None and transcript_id(transcript) not in only:
            return "the transcript that fits by its time is not from the worktree leased to this row"
        return self._unfit(transcript, lost) or self._without_row(node.pair, node.time, paired)

    def _hidden(self, time: int, lost: LostRow) -> str | None:
        """Return what may hide the row's own transcript, or what may be it and cannot be read."""
        if self._state.rivals.unseen:
            unseen = self._state.rivals.unseen[0]
            return f"{unseen} cannot be looked at, and may hide the row's own transcript, or another's row"
        for one in self._illegible:
            if one.id.startswith(lost.id_beginning) and (
                one.written is None or time - NEAR <= one.written <= time + AFTER
            ):
                what = "cannot be read" if one.transcript.error is not None else "tells no time"
                return f"a transcript that {what} was written about the same time ({path_of(one.transcript)})"
        return None

    def _deleted_near(self, time: int) -> str | None:
        """Return that the row may have been of a deleted session: a mark beside a transcript names no row."""
        place = bisect_left(self._released, time - NEAR, key=lambda span: span[1])
        if place < len(self._released) and self._released[place][0] <= time + AFTER:
            return (
                "a session that was deleted was active about the same time, and the row may have been its own"
            )
        return None

    def _unfit(self, transcript: _core.Transcript, lost: LostRow) -> str | None:
        """Return why time alone must not give this transcript to a row."""
        unlinked = self._sought.get(transcript_id(transcript))
        if unlinked is not None:
            return f"the transcript that fits by its time may be that of {unlinked}, which has lost its own"
        cwd = next((r.fields["cwd"] for r in lost.remains if isinstance(r.fields.get("cwd"), str)), None)
        return why_unfit(self._state, transcript, lost, cwd, "by its time")

    def _without_row(self, position: int, time: int, paired: set[int]) -> str | None:
        """Return why the session may be one that had no row, so that the lost row is another's."""
        born = self._born[position]
        deletion = next((at for at in self._deletions if at >= born), None)
        if deletion is not None:
            return (
                f"a session was deleted {moment(deletion)}, and the transcript that fits by its time may be "
                "that one's"
            )
        if time - born <= NEWBORN and any(
            other != position and other not in paired and self._born[other] < time
            for other in range(len(self._pool))
        ):
            return (
                "the session that fits by its time began so shortly before that its own row may never have "
                "been written, and there are other transcripts without a row"
            )
        if not self._times.is_calibrated:
            for folder in self._state.inventory.listing.without_transcripts:
                if _changed_at(folder) >= time - self._bound:
                    return f"{folder} was emptied since, and the row's own transcript may have been in it"
        return None

    def _match(self, node: _Node, lost: LostRow, position: int) -> Proposal:
        transcript, gap = self._pool[position].transcript, lost.row.mtime - self._last[position]
        when = f"{span(gap)} {'before' if gap >= 0 else 'after'}"
        born = "" if node.born is None else f"; its first line is from {moment(self._born[position])}, "
        if node.born is not None:
            apart = node.born - self._born[position]
            born += f"{span(apart)} {'before' if apart >= 0 else 'after'} the row's file was made"
        other = (
            "transcript" if node.born is None or not self._times.births_tell else "transcript that began then"
        )
        detail = (
            f"its last line is from {moment(self._last[position])}, {when} the row's last write; it was born "
            f"in the desktop app, no row claims it, and no other such {other} and no other lost row comes "
            f"near: none was active or written from {span(NEAR)} before to {span(AFTER)} after{born}"
        )
        name = transcript_id(transcript)
        absence = Absence(
            transcript=name,
            after=lost.row.mtime - NEAR,
            until=lost.row.mtime + AFTER,
            directories=(),
            newest_change_ns=self._state.inventory.newest_change_ns,
            stores=tuple(contents.store.path for contents in self._state.inventory.every_store()),
            projects=self._state.inventory.projects,
        )
        match = self._state.match(lost, transcript, Evidence("time", detail), absence=absence)
        return Proposal(lost, match, name)

    def _distance(self, time: int, position: int) -> tuple[bool, int]:
        """Return how far a transcript's end is from a row's last write; those that fit it come first."""
        gap = time - self._last[position]
        return not -SKEW <= gap <= self._bound, abs(gap)

    def _candidates(self, lost: LostRow, node: _Node | None) -> list[Candidate]:
        """Return the transcripts that a held row may have belonged to: those near it in time, or else the
        nearest; where time says nothing, those that were active last."""
        time = lost.row.mtime
        if node is None:
            positions = list(range(len(self._pool) - 1, max(-1, len(self._pool) - 10 * SHOWN), -1))
        else:
            place = bisect_left(self._last, time)
            about = range(max(0, place - 2 * SHOWN), min(len(self._pool), place + 2 * SHOWN))
            positions = sorted(node.near or about, key=lambda p: (*self._distance(time, p), p))
        found: list[Candidate] = []
        for position in positions:
            if position in self._given or not self._eligible(lost, position):
                continue
            transcript, gap = self._pool[position].transcript, time - self._last[position]
            reason = f"last active {span(gap)} {'before' if gap >= 0 else 'after'} the row's time"
            if node is not None and not self._fits_birth(node, position):
                reason += "; it did not begin when the row's file was made"
            if not is_desktop(transcript):
                reason += "; whether it was the app's is not certain"
            found.append(candidate(transcript, transcript_id(transcript), reason))
            if len(found) == SHOWN:
                break
        return found


def _last(possible: Possible) -> int:
    return possible.transcript.last_activity_at or 0


def _when_released_were_active(state: State) -> list[tuple[int, int]]:
    """Return when the deleted sessions were active whose transcripts are there, epoch ms: spans in order that
    do not overlap."""
    spans: list[tuple[int, int]] = []
    for name in state.inventory.released:
        for transcript in () if name in state.inventory.claims else state.inventory.by_id.get(name, ()):
            possible = state.rivals.possible(transcript)
            spans += possible.spans
            if possible.written is not None:
                spans.append((possible.written, possible.written))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _changed_at(folder: str) -> int:
    """Return when a file was made in a folder or removed from it last, epoch ms."""
    try:
        return os.stat(folder).st_mtime_ns // 1_000_000  # noqa: PTH116 - a str is at hand
    except OSError:
        return 0


def _of_unknown_transcript(state: State) -> Iterable[Row]:
    """Yield rows that are not open but may own a transcript, though nothing says which."""
    lost_paths = {lost.path for lost in state.lost}
    for lost in state.lost:
        verdict = state.verdict(lost)
        if isinstance(verdict, Held) and all(one.cli_session_id is None for one in lost.remains):
            yield lost.row
        elif isinstance(verdict, Matched) and verdict.cli_session_id is None:
            yield lost.row
            yield from (replace(lost.row, mtime=one.modified_at) for one in verdict.base[:1])
    for contents in state.inventory.every_store():
        for row in contents.rows:
            if row.path not in lost_paths and _may_own_any(state, row):
                yield row


def _may_own_any(state: State, row: Row) -> bool:
    """Tell whether a row that is not lost may own a transcript that nothing says is its own."""
    verdict = state.verdicts.get(row.path)
    if row.state != "ok":
        return True
    if isinstance(verdict, Matched):
        return False
    return isinstance(verdict, Held) or not isinstance(row.fields.get("cliSessionId"), str)
