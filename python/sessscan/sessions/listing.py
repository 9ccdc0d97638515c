"""List all sessions of this user, newest first, with what has become of each.

Newest means by the last activity that the transcript itself records. A file's mtime does not tell that: a
resume appends lines without a time, and a copy has a new mtime. So every transcript is read, even where only
a few sessions are shown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .. import _core
from ..model import Progress, Session, SessionHealth, SessionListing
from ..reconciliation.building.row import actions
from ..reconciliation.desktop_status import DesktopStatus, desktop_statuses
from ..reconciliation.details import Details
from ..reconciliation.diagnose import describe, is_damaged
from ..reconciliation.inventory import Inventory, take_inventory
from ..reconciliation.matching import match
from ..reconciliation.orphans import find_orphans
from ..scan_cache import USE_INDEX
from ..stores.locate import StrPath
from ..stores.project_folder import normalize
from ..stores.transcripts import is_conversation, path_of
from .sdk import session_info, shown_first_prompt


def find_sessions(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    folder: StrPath | None = None,
    text: str = "",
    since: int | None = None,
    until: int | None = None,
    limit: int | None = None,
    index: bool = USE_INDEX,
    progress: Progress | None = None,
) -> SessionListing:
    """List the sessions that match all the given filters, newest first. Changes nothing in the stores.

    Subagents' transcripts are left out, and files with neither a message nor a title. Where a session has
    several files, the newest counts.

    Args:
        stores, projects, index, progress: as in `reconcile`.
        folder: only sessions whose directory, worktree or repository is this folder or lies in it. The folder
            need not exist any more.
        text: only sessions with each of these words in the title, a prompt, the directory or the branch,
            whatever the case.
        since, until: only sessions whose last activity is not before, or not after, this time (epoch ms).
        limit: return at most this many sessions.

    Raises:
        OSError: a folder of `stores` or `projects` cannot be listed.
    """
    inventory = take_inventory(stores, projects, progress, int(time.time() * 1000), index)
    state = match(inventory, Details(inventory))
    known = desktop_statuses(state, find_orphans(state)) if inventory.contents else None
    sessions = []
    total = 0
    wanted = _Filter(_spellings(folder), text.casefold().split(), since, until)
    for name in inventory.by_id:
        transcript = inventory.newest(name)
        status = None if known is None else known.get(name, DesktopStatus("none"))
        session = None if transcript is None else _session(transcript, status)
        if session is None or transcript is None:
            continue
        total += 1
        if wanted.matches(session, transcript):
            sessions.append(session)
    sessions.sort(key=lambda session: (-session.active_at, session.path))
    return SessionListing(
        tuple(sessions if limit is None else sessions[:limit]),
        len(sessions),
        total,
        tuple(contents.store.path for contents in inventory.contents),
        sum(action.kind == "hold" for action in actions(state)),
        tuple(_errors(inventory)),
    )


def _session(transcript: _core.Transcript, status: DesktopStatus | None) -> Session | None:
    """Build the record of a session; None where its transcript has nothing to show, or has been deleted."""
    path = path_of(transcript)
    try:
        modified = os.lstat(path).st_mtime_ns
    except OSError:
        return None
    if session_info(transcript, modified) is None and not is_conversation(transcript):
        return None
    desktop = None if status is None else status.desktop
    health: SessionHealth = "damaged" if is_damaged(transcript) else "ok"
    return Session(
        session_id=transcript.session_id or "",
        path=path,
        title=transcript.title,
        title_source=transcript.title_source,
        first_prompt=shown_first_prompt(transcript),
        last_prompt=transcript.last_prompt,
        tag=transcript.tag,
        cwd=transcript.cwd,
        git_branch=transcript.git_branch,
        created_at=transcript.created_at,
        last_activity_at=transcript.last_activity_at,
        last_modified=modified // 1_000_000,
        turns=transcript.turns,
        size=transcript.size,
        defects=len(transcript.defects),
        health="lost" if desktop in ("lost", "orphan") else health,
        desktop=desktop,
        row=None if status is None else status.row,
    )


@dataclass(frozen=True, slots=True)
class _Filter:
    """The conditions a session has to meet."""

    folders: tuple[str, ...]
    """The spellings of the folder it must lie in; none for any folder."""
    words: list[str]
    since: int | None
    until: int | None

    def matches(self, session: Session, transcript: _core.Transcript) -> bool:
        if self.since is not None and session.active_at < self.since:
            return False
        if self.until is not None and session.active_at > self.until:
            return False
        if self.words and not self._has_words(session):
            return False
        return not self.folders or any(map(self._is_inside, _directories(transcript)))

    def _has_words(self, session: Session) -> bool:
        texts = (session.title, session.first_prompt, session.last_prompt, session.cwd, session.git_branch)
        text = "\n".join(text for text in texts if text).casefold()
        return all(word in text for word in self.words)

    def _is_inside(self, directory: str) -> bool:
        directory = normalize(directory)
        return any(
            directory == folder
            or (directory.startswith(folder) and (folder[-1] in "/\\" or directory[len(folder)] in "/\\"))
            for folder in self.folders
            if folder
        )


def _spellings(folder: StrPath | None) -> tuple[str, ...]:
    """Return a folder as transcripts may spell it: as given, made absolute, and with its links resolved.

    As given matters for a folder of another platform, such as a Windows path on Linux.
    """
    if folder is None:
        return ()
    given = os.fspath(folder)
    return tuple({normalize(given), normalize(os.path.abspath(given)), normalize(os.path.realpath(given))})  # noqa: PTH100


def _directories(transcript: _core.Transcript) -> Iterator[str]:
    """Yield the directories a session belongs to: its cwd, the one it was moved to, its worktree and the
    repository of that worktree."""
    worktree = transcript.worktree
    named = [transcript.cwd, transcript.relocated_cwd]
    if worktree is not None:
        named += [worktree.path, worktree.original_cwd]
    return (name for name in named if name)


def _errors(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Yield the paths that could not be read, each with the reason."""
    for error in inventory.errors:
        yield os.fsdecode(error.filename or ""), describe(error)
    for transcript in inventory.unread:
        yield path_of(transcript), describe(transcript.error)
