"""Match lost rows by what remains of them: the row, its `.tmp`, a copy or a snapshot names its transcript."""

from __future__ import annotations

from ... import _core
from ...model import Evidence
from ...stores.row_states import MISSING
from ...stores.rows import bare_id
from ...stores.transcripts import DESKTOP, may_hold_conversation, path_of, transcript_id
from .limits import FORMER_ID, SETTLING
from .lost_row import LostRow, Matched, Nothing, Remains, Verdict, candidate
from .remains import can_be_written, newest, why_not_written
from .rivals import Doubt, Stands
from .sources import SOURCES
from .state import Proposal, State, is_deleted_here


def by_content(state: State) -> tuple[list[Proposal], dict[str, tuple[str, ...]]]:
    """Propose a verdict on each row whose remains name a transcript, and on those nothing can be written for.

    Also returns, by row, notes on remains that looked like evidence and are none.
    """
    proposals: list[Proposal] = []
    notes: dict[str, tuple[str, ...]] = {}
    for lost in state.undecided():
        found = _propose(state, lost)
        if isinstance(found, Proposal):
            proposals.append(found)
        elif found is not None:
            notes[lost.path] = (found,)
    return proposals, notes


def as_kept(state: State) -> list[Proposal]:
    """Propose to put rows back as a snapshot has them that named no transcript then, and for which nothing
    proves one now."""
    return [
        Proposal(lost, restored(state, lost, [snapshot], None, None, ()))
        for lost in state.undecided()
        for snapshot in lost.remains
        if snapshot.version is not None and snapshot.cli_session_id is None
    ]


def restored(
    state: State,
    lost: LostRow,
    agreeing: list[Remains],
    transcript: _core.Transcript | None,
    named: str | None,
    more: tuple[Evidence, ...],
    stands: Stands | None = None,
) -> Matched:
    """Return a match from remains: the first of them is put back, the later ones fill in what it lacks."""
    first = agreeing[0]
    if first.kind == "snapshot":
        # The row is there whole: only what was written of it later can add to that.
        agreeing = [one for one in agreeing if one.kind == "snapshot" or one.path == lost.path]
    because = "" if stands is None else f"; {stands.because}"
    evidence = [Evidence(one.kind, SOURCES[one.kind].describe(one, lost)) for one in agreeing]
    evidence[0] = Evidence(evidence[0].kind, evidence[0].detail + because)
    return Matched(
        source=SOURCES[first.kind].source,
        transcript=transcript,
        cli_session_id=named,
        evidence=(*evidence, *more),
        base=tuple(agreeing),
        rests_on=tuple(one.path for one in agreeing if one.path != lost.path and one.version is None),
        absence=None if stands is None else stands.absence,
    )


def _propose(state: State, lost: LostRow) -> Proposal | str | None:
    if not can_be_written(lost):
        return Proposal(lost, state.hold(lost, why_not_written(lost)))
    agreeing, contradiction = newest(lost)
    named = next((one.cli_session_id for one in agreeing if one.cli_session_id is not None), None)
    contradiction = contradiction or lost.contradiction
    if contradiction is not None and not (named is not None and agreeing[0].kind == "snapshot"):
        return Proposal(lost, state.hold(lost, contradiction, *state.named(lost)))
    if lost.misnamed is not None and not (agreeing and agreeing[0].kind == "snapshot"):
        return Proposal(
            lost, state.hold(lost, f"it names no transcript, but {lost.misnamed!r}", *state.named(lost))
        )
    if lost.is_gone and not any(one.kind in ("tmp", "snapshot") for one in agreeing):
        left = "a snapshot" if lost.row.state == MISSING else "a .tmp"
        return Proposal(lost, state.hold(lost, f"nothing is left of its row but {left} that cannot be used"))
    if named is not None:
        return _judge(state, lost, agreeing, named)
    own = state.inventory.own.get(bare_id(lost.session_id), ())
    if agreeing and _never_started(lost, agreeing[0]) and not any(map(may_hold_conversation, own)):
        return Proposal(lost, restored(state, lost, agreeing[:1], None, None, ()))
    return None


def _judge(state: State, lost: LostRow, agreeing: list[Remains], named: str) -> Proposal | str:
    """Propose a verdict on a row whose remains name the transcript `named`."""
    if is_deleted_here(state, lost, named):
        return Proposal(lost, Nothing("the session was deleted"))
    if state.taken.get(named, lost.session_id) != lost.session_id:
        return Proposal(
            lost, state.hold(lost, "you gave the transcript that it names to another row", *state.named(lost))
        )
    version = agreeing[0].version
    objection = state.objection(lost, named, version)
    if objection is not None:
        reason = f"it names the transcript {named}, but {objection}"
        replaced = state.is_replaced(lost, named, version)
        return Proposal(lost, state.hold(lost, reason, *state.named(lost), replaced=replaced), named)
    naming = [one for one in agreeing if one.cli_session_id == named]
    transcript, several = _file(state, lost, agreeing, named)
    if several is not None:
        return Proposal(lost, state.hold(lost, several, *state.named(lost)), named)
    if transcript is None:
        if all(one.kind == "copy" for one in naming):
            reason = f"a copy of it names the transcript {named}, which is not there"
            write = state.times.last_write(lost)
            if write is not None and max(one.stated_until for one in naming) >= write - SETTLING:
                return Proposal(lost, state.hold(lost, f"{reason}: that was so at its last write"), named)
            return reason  # the copy may be old: a session's transcript is not the same for ever
        if not any(one.kind in ("snapshot", "tmp", "own") for one in agreeing):
            reason = f"it names the transcript {named}, but that {_absent(state, named)}"
            return Proposal(lost, state.hold(lost, reason), named)
    return Proposal(lost, _verdict(state, lost, agreeing, naming, named, transcript), named)


def _verdict(
    state: State,
    lost: LostRow,
    agreeing: list[Remains],
    naming: list[Remains],
    named: str,
    transcript: _core.Transcript | None,
) -> Verdict:
    """Return the match, with a proved successor in place of the transcript that was named; or the hold."""
    since = max(one.stated_until for one in naming)
    decision = state.rivals.decide(lost, transcript, since)
    newer = None if transcript is None else state.lineage.newer_copy(transcript)
    is_last = isinstance(decision, Stands) and decision.rule == "last write"
    if (
        transcript is not None
        and newer is not None
        and (_is_outlived(naming, newer) or (not is_last and (newer.last_activity_at or 0) > since))
    ):
        went_on = _successor(state, lost, agreeing, transcript, newer)
        if went_on is not None:
            return went_on
        return state.hold(
            lost,
            f"{_name_of(naming[0])} names a transcript whose conversation went on in another",
            candidate(newer, transcript_id(newer), "the conversation went on in this one"),
            *state.named(lost),
        )
    if isinstance(decision, Doubt):
        return state.hold(
            lost,
            f"{_name_of(naming[0])} names the transcript {named}, but {decision.reason}",
            *state.named(lost),
            *(
                candidate(rival, transcript_id(rival), "it was active since, and has no row")
                for rival in decision.rivals
            ),
            rivalled=bool(decision.rivals),
        )
    changed = _was_changed(lost, naming[0], transcript, since, decision)
    if changed is not None:
        return state.hold(
            lost, f"{_name_of(naming[0])} names the transcript {named}, but {changed}", *state.named(lost)
        )
    more: tuple[Evidence, ...] = ()
    if transcript is None:
        more = (Evidence("missing", f"the transcript {named} {_absent(state, named)}"),)
    return restored(state, lost, agreeing, transcript, named, more, decision)


def _absent(state: State, named: str) -> str:
    """Return what is known of a transcript that is named and was not read."""
    inventory = state.inventory
    if named in inventory.unread_ids:
        return "cannot be read"
    if named in inventory.empty_paths:
        return f"is empty (0 bytes: {inventory.empty_paths[named]})"
    return f"was not found in {', '.join(inventory.projects) or 'any folder'}"


def _was_changed(
    lost: LostRow, remains: Remains, transcript: _core.Transcript | None, since: int, decision: Stands
) -> str | None:
    """Return why a row cannot have said the same when it was written last as remains of it do.

    A zero-filled file has the length that the row had. Without a turn in between, only times of equal length
    change in a row; where the length differs, something else has, and it may be the transcript. Turns change
    more than that, but a row longer than its snapshot by as much as an id may name another transcript.
    """
    whole = remains.kind in ("snapshot", "tmp")
    if decision.rule != "unrivalled" or lost.row.state != "zero-filled" or not whole:
        return None
    size = len(remains.data) if remains.status is None else remains.status.st_size
    went_on = transcript is not None and (transcript.last_activity_at or 0) > since
    grew = remains.kind == "snapshot" and lost.row.size >= size + FORMER_ID
    if lost.row.size == size or (went_on and not grew):
        return None
    return (
        f"the row was {lost.row.size:,} bytes long when it was written last, and this is {size:,}: something "
        "else in it changed since, and it may be the transcript"
    )


def _successor(
    state: State,
    lost: LostRow,
    agreeing: list[Remains],
    transcript: _core.Transcript,
    newer: _core.Transcript,
) -> Matched | None:
    """Return the match with the transcript that a conversation went on in, where the files prove that it is
    the row's: it continues the other in the same folder, and accounts for the row's last write."""
    name = transcript_id(newer)
    if (
        newer.entrypoint != DESKTOP
        or not state.lineage.goes_on_in(transcript, newer)
        or state.objection(lost, name) is not None
        or state.taken.get(name, lost.session_id) != lost.session_id
    ):
        return None
    last = state.rivals.explains(newer, lost)
    if last is None or last <= (transcript.last_activity_at or 0):
        return None
    decision = state.rivals.decide(lost, newer, transcript.last_activity_at or 0)
    if isinstance(decision, Doubt):
        return None
    went_on = Evidence(
        "continued", f"the conversation of {transcript_id(transcript)} went on in {path_of(newer)}"
    )
    return restored(state, lost, agreeing, newer, name, (went_on,), decision)


def _file(
    state: State, lost: LostRow, agreeing: list[Remains], named: str
) -> tuple[_core.Transcript | None, str | None]:
    """Return the file of the transcript that is named; or why it cannot be told which of several it is."""
    cwds = [one.fields.get("cwd") for one in agreeing]
    cwd = next((value for value in cwds if isinstance(value, str) and value), None)
    return state.pick(named, cwd), state.ambiguous(named, cwd)


def _is_outlived(naming: list[Remains], newer: _core.Transcript) -> bool:
    """Tell whether the app may have given a row another transcript after its remains were written."""
    if all(one.kind == "copy" for one in naming):
        return True
    version = naming[0].version
    if version is None or newer.entrypoint not in (DESKTOP, None):
        return False
    return (newer.last_activity_at or 0) > version.taken_at


def _never_started(lost: LostRow, remains: Remains) -> bool:
    """Tell whether a whole row without a transcript to name is one of a session that had none yet.

    A row that was written again after the snapshot may name one by now.
    """
    if remains.kind == "snapshot":
        return lost.is_gone or lost.row.mtime <= remains.modified_at + SETTLING
    times = (remains.fields.get("createdAt"), remains.fields.get("lastActivityAt"))
    known = any(isinstance(time, int | float) and not isinstance(time, bool) for time in times)
    return remains.kind == "tmp" or (remains.kind == "own" and known)


def _name_of(remains: Remains) -> str:
    return {"snapshot": "a snapshot of it", "tmp": "its .tmp", "copy": "a copy of it"}.get(remains.kind, "it")
