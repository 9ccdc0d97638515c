"""Follow a project's folder that was renamed or moved, or a store that came from another machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..changes.outcome import RELOCATE
from ..changes.plan import Plan
from ..errors import UsageError, describe
from ..model import Action, Finding, Progress
from ..rules import finding
from ..scan_cache import USE_INDEX
from ..stores.locate import StrPath, locate
from .folders import Directories, checked
from .plan import plan_sessions
from .rows import actions_for_leases, directories_of, rows_of, transcript_of
from .sessions import find_sessions
from .unknown import nothing_from

__all__ = ["move"]


def move(
    old: StrPath,
    new: StrPath,
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    prefix: bool = False,
    index: bool = USE_INDEX,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Plan what sessions need after a project's folder has moved from `old` to `new`. Writes nothing.

    The transcripts, and what lies beside them, go into the project folder that is the new one's, and get a
    line that says so; the app's rows and its leases of worktrees name the new directory. The same is done for
    the sessions of each directory inside. Nothing inside messages is changed.

    The actions of the plan are of the kinds `move`, `move-row`, `move-leases` and `hold`.

    Args:
        old: where the folder was. It may be a path of another machine, as `C:\\\\Users\\\\ada\\\\app`.
        new: where it is: a folder that exists.
        stores: userData folders of the app, or folders in them; None: where this platform keeps them.
        projects: the roots of the transcripts; None: where the CLI keeps them.
        prefix: both are only the beginnings of paths, as those of a store that came from another machine.
        index: read only the transcripts that have changed since they were last scanned.
        threads: how many transcripts are read at a time; None: as many as there are processors.
        progress: called with the bytes read so far, and of all transcripts.

    Raises:
        OSError: a folder that was named cannot be listed.
        UsageError: `new` is no folder, it lies in `old`, or no session is from `old`.
    """
    directories = Directories(checked(old, new, prefix=prefix))
    places = locate(stores, projects)
    errors = list(places.errors)
    counts, rows = rows_of(places.stores, errors)
    named: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        transcript = transcript_of(row)
        if transcript is not None:
            named[transcript] += directories_of(row)
    sessions = find_sessions(
        places.projects, directories, named, errors, index=index, threads=threads, progress=progress
    )
    made = plan_sessions(sessions, rows, directories)
    planned = [*made.actions, *actions_for_leases(places.stores, directories)]
    actions = tuple(one for one in planned if isinstance(one, Action))
    findings = [one for one in planned if isinstance(one, Finding)]
    findings += [
        finding("unreadable", str(error.filename), f"It cannot be listed: {describe(error)}.")
        for error in errors
    ]
    if not planned and not made.there_already:
        raise UsageError(nothing_from(directories, rows, places.projects))
    return Plan(
        stores=tuple(counts),
        rows=sum(count for _, count in counts),
        transcripts=sum(session.transcript is not None for session in sessions),
        bytes=sum(session.status.st_size for session in sessions if session.status is not None),
        findings=tuple(findings),
        actions=actions,
        schema=RELOCATE,
        moved=directories.move,
    )
