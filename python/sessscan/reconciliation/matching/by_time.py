"""Which transcript a lost row's time speaks for, where nothing else does.

The app saves a row at the end of each turn, so a row's last write and its transcript's last line lie
seconds apart. That alone proves nothing: it decides only where a row and a transcript are each other's clear
best, and everything else that was active about then is accounted for.

1. A row and a transcript *fit* if the transcript's last activity lies shortly before the row's last write.
2. They are a *pair* if each is the other's clear best: the second best is far behind.
3. A pair *stands* if every other transcript that was active near the row's time, and every other lost row
   that was written near the transcript's end, belongs to another pair.

Whatever has a time takes part, also rows that cannot be restored: a forbidden row or a deleted one may own a
transcript as well as a damaged one.
"""

from __future__ import annotations

import heapq
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ... import _core
from ...model import Candidate, Evidence, Row
from ...stores.project_folder import normalize
from ...stores.row_states import LOST_STATES
from ..inventory import Survey, path_of, transcript_id
from .candidates import is_desktop
from .lineage import Lineage
from .lost_row import Case, candidate, span

FIT = 300_000
"""Ms a transcript's last line may be older than its row's last write: a save follows a turn within seconds,
one for a change of focus or title within minutes. Later ones are not told apart from chance."""
SKEW = 2_000
"""Ms it may be younger: file systems count in steps of up to 2 s (FAT)."""
CLEAR = 60_000
"""Ms. The second best must be at least so far off, …"""
RATIO = 10
"""… and at least so many times as far as the best."""
NEAR = 900_000
"""Ms before a row's last write within which activity makes a transcript a rival: a row may be saved that long
after its session's last turn when its window comes to the front again."""
AFTER = 600_000
"""Ms after a row's last write, likewise: a first turn may last that long before its row is saved again."""
CROWD = 50
"""With more rivals than this nothing is said: so many sessions do not run at once, so times were lost."""
TOUCHED = 2_000
"""Ms. A healthy row this near in time, whose own times do not explain it, was rewritten by something else
than its session: a restored backup, a copy, a migration."""
SWEEP = 60_000
"""Ms within which several such rows show the same of a slower copy."""
SWEPT = 3
"""So many of them do: one or two were renamed or archived by hand."""
FIRST_RELEASE = 1_704_067_200_000
"""Epoch ms (2024). No row can be older than the app; 1970 and 1980 are what lost times look like."""
FUTURE = 86_400_000
"""Ms a time may lie ahead of now before it counts as lost."""
SHOWN = 5
"""Candidates named in a hold."""


@dataclass
class _Node:
    """A lost row, or another row whose transcript is not known, in time."""

    time: int
    case: Case | None
    best: int | None = None
    pair: int | None = None
    near: list[int] = field(default_factory=list)


class Clock:
    """What the files' times can prove. Positions index `pool`, sorted by last activity."""

    def __init__(self, survey: Survey, pool: Iterable[_core.Transcript], lineage: Lineage) -> None:
        self._lineage = lineage
        self._survey = survey
        timed = [(last, path_of(t), t) for t in pool if (last := t.last_activity_at) is not None]
        timed.sort(key=lambda entry: entry[:2])
        self._pool = [transcript for _, _, transcript in timed]
        self._last = [last for last, _, _ in timed]
        self._born = [min(t.created_at or last, last) for last, _, t in timed]
        self._by_birth = sorted(range(len(timed)), key=self._born.__getitem__)
        self._births = [self._born[position] for position in self._by_birth]
        self._activity: dict[int, list[int]] = {}
        self._given: set[int] = set()
        self._unread = [
            written
            for transcript in survey.unread
            if survey.unclaimed(transcript_id(transcript)) and (written := _written(transcript)) is not None
        ]
        times: dict[int, int] = {}
        for contents in survey.every_store():
            for row in contents.rows:
                times[row.mtime] = times.get(row.mtime, 0) + 1
        current = {row.path: row.mtime for contents in survey.contents for row in contents.rows}
        self._before = survey.written_before()
        for row in self._before:
            if current.get(row.path) != row.mtime:
                times[row.mtime] = times.get(row.mtime, 0) + 1
        self._at_once = times

    def distrust(self, row: Row) -> str | None:
        """Why a row's time proves nothing; None if it may."""
        if row.mtime < FIRST_RELEASE or row.mtime > self._survey.now + FUTURE:
            return "the time of its last write was lost"
        if self._at_once.get(row.mtime, 0) > 2:
            return "several rows bear the same time, so it is not that of its last write"
        rows, transcripts = self._touched
        swept = _count(rows, row.mtime, SWEEP) + _count(transcripts, row.mtime, SWEEP)
        if _count(rows, row.mtime, TOUCHED) or swept >= SWEPT:
            return (
                "other files were rewritten at the same time (a restored backup, a copy), which hides when "
                "it was itself last written"
            )
        return None

    def assign(self, cases: Sequence[Case], others: Iterable[Row]) -> None:
        """Gives each case its transcript, or its reason and candidates. `others`: further rows that may own
        one."""
        nodes = [_Node(row.mtime, None) for row in others]
        held: list[tuple[Case, _Node | None, str]] = []
        for case in cases:
            doubt = self.distrust(case.row)
            if case.foreign or not LOST_STATES[case.row.state].from_crash:
                doubt = "its content is no crash's work, so its time is not that of its last save"
            if doubt is None:
                nodes.append(_Node(case.row.mtime, case))
            else:
                held.append((case, None, doubt))
        nodes.sort(key=lambda node: node.time)
        self._find_rivals(nodes)
        self._pair_up(nodes)
        paired = {node.pair for node in nodes if node.pair is not None}
        for place, node in enumerate(nodes):
            if node.case is not None:
                objection = self._objection(nodes, place, node, node.case, paired)
                if objection is not None:
                    held.append((node.case, node, objection))
                elif node.pair is not None:
                    self._give(node.case, node.pair)
        for case, held_node, reason in held:
            case.hold(case.because(reason), *self._candidates(case, held_node))

    def fits(self, case: Case, transcript: _core.Transcript) -> bool:
        """Whether a transcript ends when a row was last written, as far as its time can be trusted."""
        last = transcript.last_activity_at
        if case.foreign or not LOST_STATES[case.row.state].from_crash:
            return False
        return last is not None and -SKEW <= case.row.mtime - last <= FIT and self.distrust(case.row) is None

    @cached_property
    def _touched(self) -> tuple[list[int], list[int]]:
        """The times of healthy rows, and of transcripts, that were written when nothing in them happened."""
        rows, transcripts = [], []
        known = [row for contents in self._survey.every_store() for row in contents.rows]
        for row in (*known, *self._before):
            if row.state == "ok" and not any(
                isinstance(at := row.fields.get(key), int | float) and row.mtime - at <= AFTER
                for key in ("lastFocusedAt", "lastActivityAt", "createdAt")
            ):
                rows.append(row.mtime)
        for transcript in self._survey.transcripts:
            written = _written(transcript)
            if written is not None and written - (transcript.last_activity_at or 0) > AFTER:
                transcripts.append(written)
        return sorted(rows), sorted(transcripts)

    def _find_rivals(self, nodes: list[_Node]) -> None:
        """Fills in, for each row in order of time, its best fit and all that was active near it."""
        begun = 0
        running: list[tuple[int, int]] = []
        for node in nodes:
            time = node.time
            fitting = range(bisect_left(self._last, time - FIT), bisect_right(self._last, time + SKEW))
            able = [position for position in fitting if self._eligible(node.case, position)]
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
                near.update(p for _, p in running if self._active(p, time - reach, time + AFTER))
            node.near = sorted(position for position in near if self._eligible(node.case, position))

    def _active(self, position: int, start: int, end: int) -> bool:
        """Whether a session that was under way did anything between two times."""
        times = self._activity.get(position)
        if times is None:
            try:
                path = path_of(self._pool[position])
                times = sorted(int(event.value) for event in _core.events(path, kinds=("timestamp",)))
            except OSError:
                return True
            self._activity[position] = times
        return bisect_left(times, start) < bisect_right(times, end)

    def _eligible(self, case: Case | None, position: int) -> bool:
        """Whether a transcript can be a row's: no older copy, and nothing left of the row contradicts it."""
        transcript = self._pool[position]
        if self._lineage.newer_copy(transcript) is not None:
            return False
        if case is None:
            return True
        name = transcript_id(transcript)
        if not name.startswith(case.id_beginning):
            return False
        for witness in case.witnesses:
            cwd, created = witness.fields.get("cwd"), witness.fields.get("createdAt")
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
        """Pairs those rows and transcripts that are each other's clear best."""
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
        self, nodes: list[_Node], place: int, node: _Node, case: Case, paired: set[int]
    ) -> str | None:
        """Why a row's time does not decide; None if its pair stands."""
        if len(node.near) > CROWD:
            return "more sessions than can be told apart were active when it was last written"
        if node.best is None:
            return "no transcript without a row ends shortly before it was last written"
        if node.pair is None:
            return "several transcripts, or several lost rows, fit together equally well by their times"
        if any(position != node.pair and position not in paired for position in node.near):
            return "another transcript without a row was active about the same time"
        if any(node.time - NEAR <= written <= node.time + AFTER for written in self._unread):
            return "a transcript that cannot be read was written about the same time"
        last = self._last[node.pair]
        reach = max(NEAR, RATIO * abs(node.time - last))
        lower = bisect_left(nodes, last - AFTER, key=lambda other: other.time)
        upper = bisect_right(nodes, last + reach, key=lambda other: other.time)
        if any(other != place and nodes[other].pair is None for other in range(lower, upper)):
            return "another lost row was written about the same time and may be the transcript's"
        transcript = self._pool[node.pair]
        if case.confined is not None and transcript_id(transcript) not in case.confined:
            return "the transcript that fits by its time is not from the worktree leased to this row"
        return self._unfit(transcript)

    def _give(self, case: Case, position: int) -> None:
        transcript, gap = self._pool[position], case.row.mtime - self._last[position]
        self._given.add(position)
        case.transcript = transcript
        case.cli_session_id = transcript_id(transcript)
        case.source = "transcript"
        when = f"{span(gap)} {'before' if gap >= 0 else 'after'} the row's last write"
        detail = (
            f"its last activity is {when}, it was born in the desktop app, no row claims it, and no other "
            "such transcript and no other lost row comes near"
        )
        case.evidence.append(Evidence("time", detail))

    def _unfit(self, transcript: _core.Transcript) -> str | None:
        """Why time alone must not give this transcript to a row."""
        if not is_desktop(transcript):
            return (
                "the transcript that fits by its time was not begun and last used in the desktop app, as far "
                "as it says"
            )
        if self._lineage.is_fork(transcript):
            return "the transcript that fits by its time is a fork of another session"
        if self._lineage.newer_copy(transcript, thorough=True) is not None:
            return "the transcript that fits by its time is an older copy of one that went on elsewhere"
        for older in self._lineage.older_copies(transcript, thorough=True):
            if not self._survey.unclaimed(transcript_id(older)):
                return "the transcript that fits by its time continues one that another row claims"
        return None

    def _candidates(self, case: Case, node: _Node | None) -> list[Candidate]:
        """The transcripts that a held row may have belonged to: those near it in time, or else the nearest;
        where time says nothing, those that were active last."""
        time = case.row.mtime
        if node is None:
            positions = list(range(len(self._pool) - 1, max(-1, len(self._pool) - 10 * SHOWN), -1))
        else:
            place = bisect_left(self._last, time)
            about = range(max(0, place - 2 * SHOWN), min(len(self._pool), place + 2 * SHOWN))
            positions = sorted(node.near or about, key=lambda p: (abs(time - self._last[p]), p))
        found: list[Candidate] = []
        for position in positions:
            if position in self._given or not self._eligible(case, position):
                continue
            transcript, gap = self._pool[position], time - self._last[position]
            reason = f"last active {span(gap)} {'before' if gap >= 0 else 'after'} the row's time"
            if not is_desktop(transcript):
                reason += "; whether it was the app's is not certain"
            found.append(candidate(transcript, transcript_id(transcript), reason))
            if len(found) == SHOWN:
                break
        return found


def _written(transcript: _core.Transcript) -> int | None:
    """When a transcript's file was last written to, epoch ms."""
    try:
        return os.stat(path_of(transcript)).st_mtime_ns // 1_000_000  # noqa: PTH116 - there are thousands
    except OSError:
        return None


def _count(times: list[int], time: int, within: int) -> int:
    return bisect_right(times, time + within) - bisect_left(times, time - within)
