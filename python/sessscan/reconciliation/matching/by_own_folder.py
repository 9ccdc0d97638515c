"""Match lost rows by the transcripts in the folder of the session's own name, where Cowork keeps them.

What lies in that folder belongs to that session and to no other, so one conversation in it decides alone. Of
several the row named the one that the app wrote to last: that is decided as for any other evidence, with the
others in the folder as rivals.
"""

from __future__ import annotations

from ... import _core
from ...model import Candidate, Evidence
from ...stores.rows import bare_id
from ...stores.transcripts import is_conversation, may_hold_conversation, path_of, transcript_id
from .limits import BIRTH
from .lost_row import Held, LostRow, Matched, Nothing, Verdict, candidate
from .rivals import Doubt
from .state import Proposal, State


def by_own_folder(state: State) -> list[Proposal]:
    """Propose a verdict on each open row whose session's own folder holds transcripts."""
    proposals = []
    for lost in state.undecided():
        found = state.inventory.own.get(bare_id(lost.session_id), ())
        possible = [one for one in found if may_hold_conversation(one)]
        if possible:
            verdict = _decide(state, lost, possible)
            wants = verdict.cli_session_id if isinstance(verdict, Matched) else None
            proposals.append(Proposal(lost, verdict, wants))
    return proposals


def _decide(state: State, lost: LostRow, possible: list[_core.Transcript]) -> Verdict:
    sessions = [one for one in possible if one.error is None and is_conversation(one)]
    if not sessions:
        state_of = "cannot be read" if possible[0].error is not None else "holds no whole record"
        return _hold(state, lost, f"{path_of(possible[0])}, in the row's own folder, {state_of}", [])
    newest = max(sessions, key=lambda one: (one.last_activity_at or 0, path_of(one)))
    name = transcript_id(newest)
    if name in state.inventory.released:
        return Nothing("the session was deleted")
    objection = state.objection(lost, name)
    if objection is not None:
        return _hold(state, lost, f"its own folder holds a transcript, but {objection}", sessions)
    if len(possible) == 1:
        detail = "it is the only transcript in the folder of the session's own name"
        return state.match(lost, newest, Evidence("own-folder", detail))
    write = state.times.last_write(lost)
    if write is not None and newest.created_at is not None and newest.created_at > write + BIRTH:
        reason = "the newest transcript in the row's own folder was begun after the row was last written"
        return _hold(state, lost, reason, sessions)
    decision = state.rivals.decide(lost, newest, newest.last_activity_at or 0)
    if isinstance(decision, Doubt):
        reason = f"its own folder holds {len(possible)} transcripts, and {decision.reason}"
        return _hold(state, lost, reason, sessions)
    detail = f"of the transcripts in the folder of the session's own name it is the last; {decision.because}"
    return state.match(lost, newest, Evidence("own-folder", detail), absence=decision.absence)


def _hold(state: State, lost: LostRow, reason: str, sessions: list[_core.Transcript]) -> Held:
    newest_first = sorted(sessions, key=lambda one: -(one.last_activity_at or 0))
    return state.hold(lost, reason, *map(_candidate, newest_first))


def _candidate(transcript: _core.Transcript) -> Candidate:
    return candidate(transcript, transcript_id(transcript), "it lies in the folder of the session's own name")
