"""Match readable rows that have lost their link, by what they say of the session and by what named it.

A row that counted turns and has lost its `cliSessionId` still says where its session was, when it began, when
it was last active, what it was called and how many turns it had. Each of these alone proves little. So:

1. *Words* decide if a transcript lies where the app looks for it by the row's directory, begins and ends when
   the row says, and bears its title or has its number of turns; if it was begun and last used in the app, and
   is neither a fork nor an older copy; and if no other transcript without a row begins and ends near.
2. *What named it*: a snapshot, a save or a copy of the row, the row's own name, or a transcript that the row
   named before and whose conversation went on there. That was at another time than the row's last write, so
   it decides only where that transcript was active when the row was. A worktree that is lent to the row
   stands in for title and turns alone. A stub that says where its conversation continues needs no more, nor
   does a session's own folder.
3. A transcript that a readable row or a mark of deletion claims is none of these, and one that two rows want
   is given to neither. A transcript that the row itself named before is only offered: `/clear` leaves it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ... import _core
from ...model import Absence, Candidate, Evidence, Row
from ...stores.project_folder import may_be_from, normalize
from ...stores.rows import bare_id
from ...stores.transcripts import folder_of, is_conversation, may_hold_conversation, path_of, transcript_id
from ..inventory import cli_session_id, prior_ids
from .candidates import free
from .fitness import why_unfit
from .former_names import FormerNames
from .limits import ALIKE, BIRTH, CLEAR, MARGIN, PERCENTILE, SHOWN, SKEW, STEADY, TELLING, WORDS
from .lost_row import Held, Matched, candidate, moment, span
from .rivals import Possible
from .state import Proposal, State
from .unlinked import Unlinked


def by_words(state: State) -> list[Proposal]:
    """Propose a verdict on each row that has lost its link, where a transcript fits it at all."""
    open_rows = [one for path, one in state.unlinked.items() if path not in state.verdicts]
    if not open_rows:
        return []
    words = _Words(state, open_rows)
    return [proposal for one in open_rows if (proposal := words.propose(one)) is not None]


@dataclass(frozen=True, slots=True)
class _Fit:
    """What a row and a transcript agree in."""

    transcript: _core.Transcript
    is_found: bool
    """Whether the app finds the transcript by the row's directory."""
    began: int | None
    """The transcript's first line, after the row's createdAt, ms."""
    ended: int | None
    """Its last line, after the row's lastActivityAt, ms."""
    was_active: bool
    """Whether it was active when the row says that the session was last."""
    title: str | None
    """The title that both have."""
    turns: bool
    names: tuple[Evidence, ...] = ()
    """What named the transcript, and when that was not shown, does not decide."""

    @property
    def id(self) -> str:
        return transcript_id(self.transcript)

    @property
    def agreements(self) -> int:
        """In how many of three they agree, roughly: when it began, when it was last active, its title."""
        ended = self.was_active or _near(self.ended, WORDS)
        return _near(self.began, WORDS) + ended + (self.title is not None)


class _Words:
    """The open rows and the transcripts without a row, by what they have in common."""

    def __init__(self, state: State, rows: Iterable[Unlinked]) -> None:
        self._state = state
        self._names = FormerNames(state.inventory, [one.row for one in rows])
        self._by_mark: dict[tuple[str, object], list[Possible]] = defaultdict(list)
        for transcript in free(state.inventory, state.taken):
            possible = state.rivals.possible(transcript)
            for mark in _marks(transcript.created_at, transcript.last_activity_at, _titles(transcript)):
                self._by_mark[mark].append(possible)
        others = [one for one in state.rivals.unnamed if one.id not in state.taken]
        self._legible = sorted((one for one in others if one.is_legible), key=_end)
        self._ends = [_end(one) for one in self._legible]
        self._illegible = [one for one in others if not one.is_legible]
        held = (one for one in state.lost if not isinstance(state.verdict(one), Matched) and not one.named)
        self._lost_writes = sorted(
            (write, one.session_id) for one in held if (write := state.times.last_write(one)) is not None
        )

    def propose(self, one: Unlinked) -> Proposal | None:
        """Return the transcript that a row is linked to again, or a hold; None where nothing fits it."""
        if one.loss == "unavailable":
            return self._back_again(one)
        if not one.row.store.format.transcripts_in_projects:
            return self._in_own_folder(one)
        fits = self._fits(one)
        proved = [fit for fit in fits if fit.names and self._named(one, fit)]
        by_words = [fit for fit in fits if self._agrees(fit)]
        decided = {fit.id: fit for fit in (*proved, *by_words)}
        if len(decided) > 1:
            return self._hold(one, "several transcripts without a row fit what it says", fits)
        if not decided:
            return self._hold(one, self._why_not(fits), fits) if fits else None
        [fit] = decided.values()
        doubt = self._doubt(one, fit, by_name=bool(proved))
        if doubt is not None:
            return self._hold(one, doubt, fits)
        evidence = fit.names if proved else ()
        if by_words:
            evidence = (*evidence, self._evidence(one, fit))
        match = Matched("transcript", fit.transcript, fit.id, evidence, absence=self._absence(one, fit))
        return Proposal(one.lost, match, fit.id)

    # What fits

    def _fits(self, one: Unlinked) -> list[_Fit]:
        """Return the transcripts that may be a row's, those that agree in most first."""
        row, state = one.row, self._state
        stated = [row.fields.get(key) for key in ("createdAt", "lastActivityAt")]
        found: dict[str, Possible] = {}
        for mark in _marks(stated[0], stated[1], [row.fields.get("title")], around=True):
            alike = self._by_mark.get(mark, ())
            if len(alike) <= ALIKE:
                found.update((possible.id, possible) for possible in alike)
        named: dict[str, list[Evidence]] = defaultdict(list)
        for name, evidence in self._names.of(row):
            named[name].append(evidence)
        for name in (*named, *prior_ids(row)):
            if name not in found and self._is_open(name, row):
                transcript = state.pick(name, row.fields.get("cwd"))
                if transcript is not None and is_conversation(transcript):
                    found[name] = state.rivals.possible(transcript)
        fits = []
        for name, possible in found.items():
            if name == cli_session_id(row):
                continue
            transcript = state.pick(name, row.fields.get("cwd")) or possible.transcript
            fit = self._fit(row, transcript, possible, tuple(named.get(name, ())))
            enough = 1 if one.loss == "absent" else 2
            if (
                fit.names
                or name in prior_ids(row)
                or fit.agreements == 3
                or (fit.is_found and fit.agreements >= enough)
            ):
                fits.append(fit)
        fits.sort(key=lambda fit: (not fit.names, -fit.agreements, not fit.is_found, fit.id))
        return fits

    def _fit(
        self, row: Row, transcript: _core.Transcript, possible: Possible, names: tuple[Evidence, ...]
    ) -> _Fit:
        last, title = _number(row, "lastActivityAt"), row.fields.get("title")
        titles = {one.strip() for one in _titles(transcript)}
        own = prior_ids(row)
        for older in self._state.lineage.older_copies(transcript):
            if transcript_id(older) in own and self._state.lineage.goes_on_in(older, transcript):
                detail = (
                    f"the conversation of {transcript_id(older)}, which the row named before, goes on in it"
                )
                names = (*names, Evidence("continued", detail))
        cwd = row.fields.get("cwd")
        return _Fit(
            transcript,
            isinstance(cwd, str)
            and bool(cwd)
            and self._state.details.places.is_found(row.fields, row.session_id, row.store.format, transcript),
            _difference(transcript.created_at, _number(row, "createdAt")),
            _difference(transcript.last_activity_at, last),
            last is not None and possible.is_legible and possible.was_active(last - SKEW, last + SKEW),
            title.strip() if isinstance(title, str) and title.strip() in titles else None,
            row.fields.get("completedTurns") == transcript.turns,
            names,
        )

    def _is_open(self, name: str, row: Row) -> bool:
        """Tell whether a transcript is no other row's, by what the rows say, and was not deleted."""
        state = self._state
        return (
            not state.inventory.claimants(name, row.session_id)
            and name not in state.inventory.tombstones
            and state.taken.get(name, row.session_id) == row.session_id
        )

    # What decides

    def _agrees(self, fit: _Fit) -> bool:
        """Tell whether a row's own words say that a transcript is its own."""
        return self._agrees_in_times(fit) and (fit.title is not None or fit.turns)

    def _agrees_in_times(self, fit: _Fit) -> bool:
        """Tell whether a transcript is in its place and begins and ends when the row says."""
        if fit.began is None or fit.ended is None or not fit.is_found:
            return False
        (first, latest), (least, most) = self._tolerances
        return first <= fit.began <= latest and least <= fit.ended <= most

    def _named(self, one: Unlinked, fit: _Fit) -> bool:
        """Tell whether what named a transcript shows that it was still the row's when that was written."""
        if not fit.is_found or fit.id in prior_ids(one.row):
            return False
        if any(evidence.kind == "continued" for evidence in fit.names) and one.loss == "hollow":
            return True
        if all(evidence.kind == "lease" for evidence in fit.names):
            # A lease names a directory, in which others may have been as well, and no transcript.
            return self._agrees_in_times(fit)
        return fit.was_active or _near(fit.ended, SKEW)

    def _doubt(self, one: Unlinked, fit: _Fit, *, by_name: bool) -> str | None:
        """Return why a transcript must not be given to a row although it fits; None if it may be."""
        state, row = self._state, one.row
        if fit.id in prior_ids(row):
            return "it has named the transcript that fits before, and may have been cleared since"
        if state.rivals.unseen:
            return f"{state.rivals.unseen[0]} cannot be looked at, and may hide the row's own transcript"
        if by_name:
            if state.lineage.newer_copy(fit.transcript) is not None:
                return "the conversation of the transcript that fits went on in another"
            return state.ambiguous(fit.id, row.fields.get("cwd"))
        unfit = why_unfit(state, fit.transcript, one.lost, row.fields.get("cwd"), "what it says")
        return unfit or self._rival(row, fit) or self._lost_rival(fit)

    def _rival(self, row: Row, fit: _Fit) -> str | None:
        """Return that another transcript without a row may be the one that a row's words are about."""
        created, last = _number(row, "createdAt") or 0, _number(row, "lastActivityAt") or 0
        places = _directories(row)
        near = self._legible[bisect_left(self._ends, last - CLEAR) : bisect_right(self._ends, last + CLEAR)]
        for other in (*near, *self._illegible):
            if other.id == fit.id or not may_be_from(other.directories, folder_of(other.transcript), places):
                continue
            if not other.is_legible:
                if other.written is None or other.written >= created:
                    what = "cannot be read" if other.transcript.error is not None else "tells no time"
                    return (
                        f"a transcript of its folder {what}, and may be its own ({path_of(other.transcript)})"
                    )
            elif abs(other.spans[0][0] - created) <= CLEAR and not self._is_older_copy(other, fit):
                return f"another transcript without a row begins and ends about the same time: {other.id}"
        return None

    def _is_older_copy(self, other: Possible, fit: _Fit) -> bool:
        newer = self._state.lineage.newer_copy(other.transcript)
        return newer is not None and transcript_id(newer) == fit.id

    def _lost_rival(self, fit: _Fit) -> str | None:
        """Return that a lost row of which nothing tells its transcript was written when that ended."""
        last = fit.transcript.last_activity_at or 0
        place = bisect_left(self._lost_writes, (last - SKEW, ""))
        if place < len(self._lost_writes) and self._lost_writes[place][0] <= last + self._state.times.bound:
            return f"{self._lost_writes[place][1]}, a lost row, may have belonged to the transcript that fits"
        return None

    @cached_property
    def _tolerances(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """How far, ms, a transcript's first and last line lie after the times of its row in this store."""
        began: list[int] = []
        ended: list[int] = []
        for row, transcript in self._state.times.healthy:
            for found, time, key in (
                (began, transcript.created_at, "createdAt"),
                (ended, transcript.last_activity_at, "lastActivityAt"),
            ):
                difference = _difference(time, _number(row, key))
                if difference is not None:
                    found.append(difference)
        return _usual(began, (-SKEW, BIRTH)), _usual(ended, (-SKEW, SKEW))

    # What is proposed

    def _back_again(self, one: Unlinked) -> Proposal | None:
        """Propose to drop the note that a transcript is not available, where the app finds it again."""
        row = one.row
        name = cli_session_id(row)
        transcript = None if name is None else self._state.pick(name, row.fields.get("cwd"))
        if name is None or transcript is None or not self._is_open(name, row):
            return None
        if not self._state.details.places.is_found(row.fields, row.session_id, row.store.format, transcript):
            return None
        detail = "the row names it, and it is where the app looks for it"
        return Proposal(one.lost, Matched("transcript", transcript, name, (Evidence("own", detail),)), name)

    def _in_own_folder(self, one: Unlinked) -> Proposal | None:
        """Propose the one transcript in the folder of a Cowork session's own name."""
        found = self._state.inventory.own.get(bare_id(one.row.session_id), ())
        possible = [each for each in found if may_hold_conversation(each)]
        sessions = [
            each
            for each in possible
            if each.error is None and is_conversation(each) and self._is_open(transcript_id(each), one.row)
        ]
        if len(possible) == 1 and sessions:
            detail = "it is the only transcript in the folder of the session's own name"
            evidence = (Evidence("own-folder", detail),)
            name = transcript_id(sessions[0])
            return Proposal(one.lost, Matched("transcript", sessions[0], name, evidence), name)
        if not sessions:
            return None
        offered = [
            candidate(each, transcript_id(each), "it lies in the folder of the session's own name")
            for each in sorted(sessions, key=lambda each: -(each.last_activity_at or 0))[:SHOWN]
        ]
        reason = "its own folder holds several transcripts, or one that cannot be read"
        return Proposal(one.lost, Held(reason, tuple(offered)))

    def _hold(self, one: Unlinked, reason: str, fits: Iterable[_Fit]) -> Proposal:
        offered = tuple(self._candidate(one, fit) for fit in fits)[:SHOWN]
        return Proposal(one.lost, self._state.hold(one.lost, reason, *offered))

    def _candidate(self, one: Unlinked, fit: _Fit) -> Candidate:
        words = [evidence.detail for evidence in fit.names]
        if fit.id in prior_ids(one.row):
            words.append("the row has named it before")
        words += self._said(one.row, fit)
        if not fit.is_found:
            words.append("it does not lie where the app looks for it by the row's directory")
        return candidate(fit.transcript, fit.id, "; ".join(words))

    def _why_not(self, fits: Iterable[_Fit]) -> str:
        if any(fit.names for fit in fits):
            return (
                "what named a transcript does not show that it was still the row's when that was last active"
            )
        return "what it says of its session does not agree with any one transcript in enough"

    def _said(self, row: Row, fit: _Fit) -> Iterator[str]:
        """Yield what a row says that agrees with a transcript, each as the end of a sentence."""
        if fit.began is not None and _near(fit.began, WORDS):
            when = "after" if fit.began >= 0 else "before"
            yield f"it begins {span(fit.began)} {when} the row's createdAt"
        if fit.ended is not None and _near(fit.ended, WORDS):
            yield f"it ends {moment(fit.transcript.last_activity_at or 0)}, when the row was last active"
        elif fit.was_active:
            yield "it was active when the row was last active"
        if fit.title is not None:
            yield f'it bears the row\'s title "{fit.title}"'
        if fit.turns:
            yield f"it has the row's {fit.transcript.turns:,} turns"

    def _evidence(self, one: Unlinked, fit: _Fit) -> Evidence:
        said = ", ".join(self._said(one.row, fit))
        return Evidence(
            "words",
            f"it lies in the project folder of the row's directory, {said}; it was born in the desktop app, "
            "no row claims it, and no other transcript without a row begins and ends within "
            f"{span(CLEAR)} of that",
        )

    def _absence(self, one: Unlinked, fit: _Fit) -> Absence:
        last, inventory = fit.transcript.last_activity_at or 0, self._state.inventory
        return Absence(
            transcript=fit.id,
            after=last - CLEAR,
            until=last + CLEAR,
            directories=tuple(sorted(_directories(one.row))),
            newest_change_ns=inventory.newest_change_ns,
            stores=tuple(contents.store.path for contents in inventory.every_store()),
            projects=tuple(inventory.projects),
        )


def _marks(
    began: object, ended: object, titles: Iterable[object], *, around: bool = False
) -> Iterator[tuple[str, object]]:
    """Yield what a row and a transcript can agree in; a time by the number of the `WORDS` that it lies in,
    and with `around` those beside it."""
    for kind, value in (("began", began), ("ended", ended)):
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            number = int(value) // WORDS
            yield from ((kind, number + step) for step in ((-1, 0, 1) if around else (0,)))
    for title in dict.fromkeys(title.strip() for title in titles if isinstance(title, str)):
        if title:
            yield "title", title


def _titles(transcript: _core.Transcript) -> list[str]:
    titles = (transcript.title, transcript.custom_title, transcript.ai_title, transcript.summary)
    return [title for title in titles if title]


def _number(row: Row, key: str) -> int | None:
    value = row.fields.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return int(value)
    return None


def _difference(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one - other


def _near(difference: int | None, within: int) -> bool:
    return difference is not None and abs(difference) <= within


def _usual(differences: list[int], known: tuple[int, int]) -> tuple[int, int]:
    """Return from where to where a difference counts: what nearly all healthy rows show, with a margin; where
    too few tell, or they show too much to say anything, what is known of the app."""
    if len(differences) < TELLING:
        return known
    middle = sorted(differences)[len(differences) // 2]
    apart = sorted(abs(one - middle) for one in differences)
    spread = MARGIN * apart[math.ceil(PERCENTILE * len(apart)) - 1] + STEADY
    return (middle - spread, middle + spread) if spread <= WORDS else known


def _end(possible: Possible) -> int:
    return possible.spans[-1][1]


def _directories(row: Row) -> frozenset[str]:
    values = (row.fields.get(key) for key in ("cwd", "originCwd", "worktreePath"))
    return frozenset(normalize(value) for value in values if isinstance(value, str) and value)
