"""Make damaged transcripts readable again for the official readers: from transcripts to a plan."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from ..changes.outcome import REPAIR
from ..changes.plan import Plan
from ..model import Action, Finding, Progress
from ..scan_cache import USE_INDEX
from ..stores.locate import StrPath, locate
from .choices import Choices, Parents
from .choose import transcripts
from .look import look_at, unreadable
from .plan import action_for

__all__ = ["repair"]


def repair(
    sessions: StrPath | Iterable[StrPath] = (),
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    parents: Parents = (),
    unbrick: bool = False,
    index: bool = USE_INDEX,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Find what is damaged in transcripts, and how their readers can be given it back. Writes nothing.

    The actions of the plan are of the kinds `repair` and `hold`, one for each transcript that needs one.

    Args:
        sessions: ids of sessions, or the beginnings of ids, files and folders; none: all transcripts.
        projects: the roots of the transcripts; None: where the CLI keeps them.
        parents: the user's word on held records, as RECORD=RECORD texts or a mapping: which they followed.
        unbrick: also mend what the API refuses, in the conversation that would be sent.
        index: read only the transcripts that have changed since they were last looked at.
        threads: how many transcripts are read at a time; None: as many as there are processors.
        progress: called with the bytes read so far, and of all transcripts.

    Raises:
        OSError: a folder that was named cannot be listed.
        UsageError: a name fits nothing, or several sessions.
        MatchError: one of `parents` cannot be.
    """
    roots = locate((), projects).projects
    named = [sessions] if isinstance(sessions, (str, PathLike)) else list(sessions)
    paths, errors = transcripts(named, roots)
    chosen = Choices(parents)
    findings: list[Finding] = [unreadable(str(error.filename), error) for error in errors]
    actions: list[Action] = []
    for look in look_at(paths, every=unbrick, index=index, threads=threads, progress=progress):
        findings += look.findings
        action = action_for(look, chosen, unbrick=unbrick)
        if action is not None:
            actions.append(action)
    chosen.check_used()
    return Plan(
        stores=(),
        rows=0,
        transcripts=len(paths),
        bytes=sum(map(_size, paths)),
        findings=tuple(findings),
        actions=tuple(actions),
        schema=REPAIR,
    )


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
