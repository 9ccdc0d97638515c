"""From what is on the disk to what would be done about it: each stage a function of the one before."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..model import Action
from ..stores import StrPath
from .adopt import adoptions
from .diagnose import diagnose, find_orphans
from .lineage import Lineage
from .match import match
from .plan import Plan, Progress
from .rebuild import rebuild
from .survey import take
from .word import Matches

__all__ = ["reconcile"]


def reconcile(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    matches: Matches | None = None,
    adopt: bool = False,
    progress: Progress | None = None,
    now: int | None = None,
) -> Plan:
    """Finds what is wrong with the stores and what can be done about it. Writes nothing.

    `stores`: userData folders, registries or account/organisation folders, and `projects`: the transcripts'
    roots; by default where this platform keeps them. `matches`: the user's word on held rows, ROW=TRANSCRIPT
    or a mapping. `adopt`: also make rows for orphans. `progress` is called with the bytes of transcripts that
    are scanned and that are to be. `now`: epoch ms, if another time than the clock's is meant.

    Raises `FileNotFoundError`, `NotADirectoryError` or `PermissionError` for a folder that was named, and
    `ValueError` for a match that cannot be.
    """
    survey = take(stores, projects, progress, int(time.time() * 1000) if now is None else now)
    docket = match(survey, Lineage(survey), matches)
    actions: list[Action] = []
    for case in docket.cases:
        if case.source is not None or (case.reason is not None and not case.lost):
            actions.append(rebuild(case))
    orphans = find_orphans(docket)
    findings = diagnose(docket, orphans)
    if adopt:
        actions += adoptions(docket, orphans)
    return Plan(
        stores=tuple((contents.store, len(contents.rows)) for contents in survey.contents),
        rows=sum(len(contents.rows) for contents in survey.contents),
        transcripts=len(survey.transcripts) + len(survey.unread),
        bytes=survey.size,
        findings=tuple(findings),
        actions=tuple(actions),
    )
