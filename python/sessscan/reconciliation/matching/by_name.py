"""Match lost rows that bear a transcript's uuid as their own name, as rows of imported sessions do."""

from __future__ import annotations

from ...model import Evidence
from ...stores.rows import bare_id
from ...stores.transcripts import is_conversation, transcript_id
from .lost_row import LostRow, candidate
from .rivals import Doubt
from .state import Proposal, State

CLAIMED = "the transcript whose uuid it bears is named by another lost row"


def by_name(state: State) -> tuple[list[Proposal], dict[str, tuple[str, ...]]]:
    """Propose a verdict on each row whose name is a transcript's uuid.

    The row named that transcript when the session was imported, at an unknown time after it began. Also
    returns, by row, notes on transcripts that another lost row names.
    """
    proposals: list[Proposal] = []
    notes: dict[str, tuple[str, ...]] = {}
    for lost in state.undecided():
        name = bare_id(lost.session_id)
        if state.pick(name) is None:
            continue
        if state.taken.get(name, lost.session_id) != lost.session_id:
            notes[lost.path] = (CLAIMED,)
            continue
        proposals.append(_propose(state, lost, name))
    return proposals, notes


def _propose(state: State, lost: LostRow, name: str) -> Proposal:
    transcript = state.pick(name)
    assert transcript is not None
    objection = state.objection(lost, name)
    if objection is None and not is_conversation(transcript):
        objection = "that holds no conversation (a subagent's, or a few lines without any message)"
    objection = objection or state.ambiguous(name)
    if objection is not None:
        reason = f"it bears the uuid of a transcript, but {objection}"
        replaced = state.is_replaced(lost, name)
        return Proposal(lost, state.hold(lost, reason, *state.named(lost, name), replaced=replaced), name)
    newer = state.lineage.newer_copy(transcript)
    if newer is not None:
        reason = "it bears the uuid of a transcript whose conversation went on in another"
        went_on = candidate(newer, transcript_id(newer), "the conversation went on in this one")
        itself = candidate(transcript, name, "its uuid is the row's own")
        return Proposal(lost, state.hold(lost, reason, went_on, itself), name)
    decision = state.rivals.decide(lost, transcript, transcript.created_at or 0)
    if isinstance(decision, Doubt):
        rivals = (
            candidate(rival, transcript_id(rival), "it was active since, and has no row")
            for rival in decision.rivals
        )
        reason = f"it bears the uuid of a transcript, but {decision.reason}"
        held = state.hold(lost, reason, *state.named(lost, name), *rivals, rivalled=bool(decision.rivals))
        return Proposal(lost, held, name)
    evidence = Evidence("uuid", f"the transcript bears the row's own uuid; {decision.because}")
    return Proposal(lost, state.match(lost, transcript, evidence, absence=decision.absence), name)
