"""What a lost row's witnesses prove.

A row, its `.tmp` and a copy of it name their transcript themselves: that decides alone. Where they contradict
each other the newest state of the row counts, and where it cannot be told which is the newest, none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from ... import _core
from ...model import Evidence, Source
from ...snapshots.store import RowVersion
from ...stores.row_states import LOST_STATES, MISSING
from ...stores.rows import PRIOR
from ..inventory import transcript_id
from .candidates import DESKTOP
from .lost_row import Case, Witness, candidate, span
from .remains import SETTLING, Witnesses, is_fresh, stated_at
from .state import Docket


def hear(docket: Docket) -> None:
    """Decides the cases whose witnesses name a transcript; holds those that nothing can be written for."""
    witnesses = Witnesses(docket.survey, (case.session_id for case in docket.cases))
    given = [case for case in docket.cases if not case.open]
    for case in given:  # by the user's word; what is left of the row still comes before what can be derived
        witnesses.call(case)
        case.base = [w for w in _of_itself(case) if w.cli_session_id in (None, case.cli_session_id)]
        if case.base and case.base[0].kind == "snapshot":
            case.source = "snapshot"
    cases = docket.undecided()
    wanting: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        untouchable = LOST_STATES[case.row.state].untouchable
        if untouchable is not None or case.row.error is not None:
            case.hold(untouchable or "something else than a file stands in its place")
            continue
        witnesses.call(case)
        agreeing, contradiction = newest(case)
        named = next((w.cli_session_id for w in agreeing if w.cli_session_id is not None), None)
        if contradiction is not None:
            case.hold(contradiction, *docket.named(case))
        elif case.misnamed is not None and not (agreeing and agreeing[0].kind == "snapshot"):
            case.hold(f"it names no transcript, but {case.misnamed!r}", *docket.named(case))
        elif case.lost and not any(witness.kind in ("tmp", "snapshot") for witness in agreeing):
            left = "a snapshot" if case.row.state == MISSING else "a .tmp"
            case.hold(case.because(f"nothing is left of its row but {left} that cannot be used"))
        elif named is not None:
            _judge(docket, case, agreeing, named)
            if case.source is not None or case.reason is not None:
                wanting[named].append(case)
        elif agreeing and _never_started(case, agreeing[0]):
            decide(docket, case, agreeing[:1])
        else:
            case.base = _of_itself(case)
    docket.settle(wanting)
    for case in cases:
        for witness in case.witnesses:
            if witness.version is not None:
                fields = witness.fields
                row = replace(case.row, state="ok", mtime=witness.mtime, fields=fields, error=None)
                docket.survey.remember(row)
            earlier = witness.fields.get(PRIOR)
            for name in [witness.cli_session_id, *(earlier if isinstance(earlier, list) else ())]:
                if isinstance(name, str):
                    docket.taken.setdefault(name.lower(), case.session_id)


def newest(case: Case) -> tuple[list[Witness], str | None]:
    """The witnesses that agree with the newest one; or, where it cannot be told, the reason."""
    heard = case.witnesses
    naming = [witness for witness in heard if witness.cli_session_id is not None]
    if not naming:
        return heard, None
    best = naming[0]
    for other in naming[1:]:
        if other.cli_session_id != best.cli_session_id:
            order = _compare(best, other)
            if order == 0:
                return [], (
                    f"{best.path} and {other.path} name different transcripts, and it cannot be told "
                    "which of them is the newer"
                )
            if order < 0:
                best = other
    return [witness for witness in heard if witness.cli_session_id in (None, best.cli_session_id)], None


def _of_itself(case: Case) -> list[Witness]:
    return [w for w in case.witnesses if w.path == case.row.path or w.kind == "snapshot"]


def _never_started(case: Case, witness: Witness) -> bool:
    """Whether it is a whole row without a transcript to name: one of a session that had none yet.

    A row that was written again after the snapshot may name one by now.
    """
    if witness.kind == "snapshot":
        return case.lost or case.row.mtime <= witness.mtime + SETTLING
    times = (witness.fields.get("createdAt"), witness.fields.get("lastActivityAt"))
    known = any(isinstance(time, int | float) and not isinstance(time, bool) for time in times)
    return witness.kind == "tmp" or (witness.kind == "own" and known)


def _judge(docket: Docket, case: Case, agreeing: list[Witness], named: str) -> None:
    """Decides a case whose witnesses name the transcript `named`."""
    transcript = docket.pick(named, agreeing[0].fields.get("cwd"))
    entire = any(witness.kind in ("snapshot", "tmp", "own") for witness in agreeing)
    version = agreeing[0].version
    naming = [witness for witness in agreeing if witness.cli_session_id == named]
    if named in _deleted_here(docket, case):
        case.deleted = True
        return
    if docket.taken.get(named, case.session_id) != case.session_id:
        case.hold("you gave the transcript that it names to another row", *docket.named(case))
        return
    objection = docket.objection(case, named, version)
    if objection is not None:
        case.hold(f"it names the transcript {named}, but {objection}", *docket.named(case))
        return
    if transcript is None and all(witness.kind == "copy" for witness in naming):
        case.remarks.append(f"a copy of it names the transcript {named}, which is not there")
        return  # the copy may be old: a session's transcript is not the same for ever
    if transcript is None and not entire:
        unread = any(transcript_id(other) == named for other in docket.survey.unread)
        missing = "cannot be read" if unread else "is not among the transcripts looked at"
        case.hold(f"it names the transcript {named}, but that {missing}")
        return
    newer = docket.lineage.newer_copy(transcript) if transcript is not None else None
    stale = all(witness.kind == "copy" for witness in naming) or _outlived(version, newer)
    if newer is not None and stale:
        case.hold(
            f"a {'copy' if version is None else 'snapshot'} of it names a transcript whose conversation went "
            "on in another",
            candidate(newer, transcript_id(newer), "the conversation went on in this one"),
            *docket.named(case),
        )
        return
    case.transcript = transcript
    case.cli_session_id = named
    decide(docket, case, agreeing)
    if transcript is None:
        case.evidence.append(Evidence("missing", f"the transcript {named} is not among those looked at"))


def decide(docket: Docket, case: Case, agreeing: list[Witness]) -> None:
    """Puts the row back as the first of its witnesses has it; the later ones fill in what it lacks."""
    kinds = [witness.kind for witness in agreeing]
    if kinds[0] == "snapshot":
        # The row is there whole: nothing but what was written of it later can add to that.
        agreeing = [w for w in agreeing if w.kind == "snapshot" or w.path == case.row.path]
    case.base = agreeing
    case.evidence = [_told(docket, case, witness) for witness in agreeing]
    sources: dict[str, Source] = {
        "snapshot": "snapshot",
        "tmp": "tmp",
        "own": "prefix",
        "prefix": "prefix",
        "copy": "copy",
    }
    case.source = sources[kinds[0]]
    case.rests_on = [w.path for w in agreeing if w.path != case.row.path and w.version is None]


def _outlived(version: RowVersion | None, newer: _core.Transcript | None) -> bool:
    """Whether the app may have given a row another transcript after the snapshot was taken."""
    if version is None or newer is None or newer.entrypoint not in (DESKTOP, None):
        return False
    return (newer.last_activity_at or 0) > version.taken_at


def _told(docket: Docket, case: Case, witness: Witness) -> Evidence:
    if witness.version is not None:
        age = span(docket.survey.now - witness.version.taken_at)
        return Evidence("snapshot", f"sessscan has a snapshot of the whole row, taken {age} ago")
    if witness.kind == "tmp":
        age = span(docket.survey.now - witness.mtime)
        older = "" if is_fresh(case, witness) else ", older than the row's last write"
        return Evidence("tmp", f"the app left a whole copy of it in {witness.path} {age} ago{older}")
    if witness.kind == "copy":
        return Evidence("copy", f"{witness.path} is a readable copy of it")
    if witness.kind == "own":
        return Evidence("own", "its content is whole, only the app refuses it")
    if witness.cli_session_id is None:
        return Evidence("prefix", f"some of its fields can still be read in {witness.path}")
    what = "most of its transcript's id" if witness.partial else "its transcript's id"
    return Evidence("prefix", f"{what} can still be read in {witness.path}")


def _deleted_here(docket: Docket, case: Case) -> set[str]:
    for contents in docket.survey.contents:
        if contents.store is case.row.store:
            return contents.tombstones
    return set()


def _compare(one: Witness, other: Witness) -> int:
    """Positive if `one` is the newer state of the row, negative if `other` is, 0 if that cannot be told."""
    direct = ("own", "prefix")
    if "snapshot" in (one.kind, other.kind) and "copy" in (one.kind, other.kind):
        return 1 if one.kind == "snapshot" else -1  # a copy went its own way
    if one.kind in direct and other.kind in ("copy", "snapshot"):
        return 1  # a copy was taken before the row was last written
    if other.kind in direct and one.kind in ("copy", "snapshot"):
        return -1
    difference = stated_at(one) - stated_at(other)
    if "copy" not in (one.kind, other.kind):
        difference = one.mtime - other.mtime
        if abs(difference) <= SETTLING:
            return 0
    return (difference > 0) - (difference < 0)
