"""Say for one session what each place that shows sessions makes of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from ..model import Action, Finding, Progress
from ..reconciliation.building.relink import relinks
from ..reconciliation.building.row import actions
from ..reconciliation.details import Details
from ..reconciliation.diagnose import describe, diagnose
from ..reconciliation.inventory import Inventory, take_inventory
from ..reconciliation.matching import match
from ..reconciliation.matching.state import State
from ..reconciliation.orphans import find_orphans
from ..scan_cache import USE_INDEX
from ..snapshots.source import SnapshotSource
from ..stores.installs import remark_on_installs
from ..stores.locate import StrPath
from ..stores.transcripts import path_of
from ..visibility_result import Visibility
from .app import app
from .known import Known, find, known_sessions
from .old_index import old_index
from .subject import Subject
from .transcripts import python, terminal, typescript, typescript_interactive, vscode

_SURFACES = (app, terminal, typescript, typescript_interactive, python, vscode, old_index)
"""The places, in the order of `visibility_result.LABELS`."""


def why(
    session: StrPath,
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    index: bool = USE_INDEX,
    progress: Progress | None = None,
) -> Visibility:
    """Say of each place that shows sessions whether it shows this one, and by which rule. Changes nothing.

    The places are the desktop app, the terminal's picker, both SDKs, the extension for VS Code and the old
    index. The verdicts on the SDKs are those of their own code, run by the tests beside it; what is known of
    the others comes from documentation and reports, and each rule names its source.

    Args:
        session: the path of a transcript or row; the id of a session or of a row (`local_…`), of which four
            characters do if no other begins so; or its title, of which a part does if no other has it.
        stores, projects, index, progress: as in `reconcile`.

    Raises:
        UsageError: there is no such session, or there are several; the nearest are named.
        OSError: a folder of `stores` or `projects` cannot be listed.
        InsecureStateError: others may have written sessscan's own state.
    """
    around = look_around(stores, projects, index=index, progress=progress)
    return visibility(find(around.sessions, os.fspath(session), _places(around.state.inventory)), around)


@dataclass(frozen=True, slots=True)
class Around:
    """All that was read to judge one session, or any other of the same stores."""

    state: State
    sessions: list[Known]
    findings: tuple[Finding, ...]
    planned: tuple[Action, ...]
    remarks: tuple[str, ...]


def look_around(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    index: bool = USE_INDEX,
    progress: Progress | None = None,
) -> Around:
    """Read the stores and transcripts. Arguments and errors as in `why`."""
    with closing(SnapshotSource(read=True)) as snapshots:
        inventory = take_inventory(stores, projects, progress, int(time.time() * 1000), index, snapshots)
        state = match(inventory, Details(inventory))
        findings = tuple(diagnose(state, find_orphans(state)))
        planned = (*actions(state), *relinks(state))
    homes = (contents.store.user_data for contents in inventory.contents)
    installs = remark_on_installs(home for home in homes if home is not None)
    remarks = (*(() if installs is None else (installs,)), *snapshots.remarks)
    return Around(state, known_sessions(state), findings, planned, remarks)


def visibility(known: Known, around: Around) -> Visibility:
    """Return what each place makes of one session."""
    subject = Subject(known, around.state, around.findings, around.planned)
    return Visibility(
        session_id=subject.name,
        title=known.title,
        cwd=subject.cwd,
        last_activity_at=known.last or None,
        transcripts=tuple(file.path for file in subject.files),
        rows=tuple(one.path for one in known.registered),
        surfaces=tuple(place(subject) for place in _SURFACES),
        errors=tuple(_errors(around.state.inventory)),
        remarks=around.remarks,
    )


def _places(inventory: Inventory) -> str:
    """Return where sessions were looked for, in words."""
    places = [*inventory.projects, *(contents.store.path for contents in inventory.contents)]
    shown = ", ".join(places[:3]) + (f" and {len(places) - 3:,} more places" if len(places) > 3 else "")
    return shown or "the usual places: there is neither a projects folder nor a store of the app"


def _errors(inventory: Inventory) -> Iterable[tuple[str, str]]:
    """Yield what could not be read, each with the reason."""
    for error in inventory.errors:
        yield os.fsdecode(error.filename or ""), describe(error)
    owned = (one for found in inventory.own.values() for one in found if one.error is not None)
    for transcript in (*inventory.unread, *owned):
        yield path_of(transcript), describe(transcript.error)
