"""Which transcript each lost row belonged to.

In this order, each step seeing only what the one before left open; two rows that want one transcript are both
held, since at least one of them is wrong:

1. the user's word (`--match`);
2. the row's own words: its `.tmp`, what can be read of it, copies of it;
3. its name, where that is a transcript's uuid (imported sessions);
4. its worktree lease;
5. a snapshot of it from before it had a transcript;
6. time and elimination.

A row that names its transcript itself never goes on to a weaker step.
"""

from __future__ import annotations

from collections import defaultdict

from ...model import Evidence
from ...stores.rows import bare_id
from ..inventory import Survey, transcript_id
from .by_content import decide, hear
from .by_lease import Leases
from .by_time import Clock
from .by_user import Matches, resolve
from .candidates import free, is_conversation
from .lineage import Lineage
from .lost_row import Case, candidate
from .state import Docket


def match(survey: Survey, lineage: Lineage, matches: Matches | None = None) -> Docket:
    """The verdict on every row that the app cannot read. Raises `ValueError` for a bad `matches`."""
    docket = Docket(survey, lineage)
    for case, transcript in resolve(docket, matches):
        docket.give(case, transcript, Evidence("match", "you said so"))
        docket.taken[transcript_id(transcript)] = case.session_id
    if docket.cases:
        hear(docket)
    for step in (_by_name, _by_lease, _as_kept, _by_time):
        if docket.undecided():
            step(docket)
    for case in docket.cases:
        if case.cli_session_id is not None:
            docket.taken[case.cli_session_id] = case.session_id
    return docket


def _by_name(docket: Docket) -> None:
    """Imported CLI sessions bear their transcript's uuid."""
    wanting: dict[str, list[Case]] = defaultdict(list)
    for case in docket.undecided():
        name = bare_id(case.session_id)
        transcript = docket.pick(name)
        if transcript is None:
            continue
        if docket.taken.get(name, case.session_id) != case.session_id:
            case.remarks.append("the transcript whose uuid it bears is named by another lost row")
            continue
        wanting[name].append(case)
        objection = docket.objection(case, name)
        if objection is None and not is_conversation(transcript):
            objection = "that holds no conversation (a subagent's, or a few lines without any message)"
        newer = docket.lineage.newer_copy(transcript)
        if objection is not None:
            case.hold(f"it bears the uuid of a transcript, but {objection}", *docket.named(case, name))
        elif newer is not None:
            case.hold(
                "it bears the uuid of a transcript whose conversation went on in another",
                candidate(newer, transcript_id(newer), "the conversation went on in this one"),
                candidate(transcript, name, "its uuid is the row's own"),
            )
        else:
            docket.give(case, transcript, Evidence("uuid", "the transcript bears the row's own uuid"))
    docket.settle(wanting)


def _by_lease(docket: Docket) -> None:
    pool = free(docket.survey, docket.taken)
    leases = Leases(docket.survey, pool, docket.lineage)
    if not leases:
        return
    clock = Clock(docket.survey, pool, docket.lineage)
    wanting: dict[str, list[Case]] = defaultdict(list)
    undecided = docket.undecided()
    for case in undecided:
        written = case.row.mtime if clock.distrust(case.row) is None else None
        found = leases.propose(case, written)
        if found is None:
            continue
        transcript, evidence = found
        if not clock.fits(case, transcript) and any(
            clock.fits(other, transcript) for other in undecided if other is not case
        ):
            case.remarks.append(
                "the transcript in its leased worktree ends when another lost row was written"
            )
            continue
        docket.give(case, transcript, evidence)
        case.rests_on.append(leases.file(case))
        wanting[transcript_id(transcript)].append(case)
    docket.settle(wanting)


def _as_kept(docket: Docket) -> None:
    """A row that named no transcript when it was kept comes back as it was, if nothing proves one now."""
    for case in docket.undecided():
        if case.base and case.base[0].version is not None:
            decide(docket, case, case.base[:1])


def _by_time(docket: Docket) -> None:
    clock = Clock(docket.survey, free(docket.survey, docket.taken), docket.lineage)
    clock.assign(docket.undecided(), docket.of_unknown_transcript())
