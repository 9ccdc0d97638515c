"""List all sessions of this user, newest first, with what has become of each.

Newest means by the last activity that the transcript itself records. A file's mtime does not tell that: a
resume appends lines without a time, and a copy has a new mtime. So every transcript is read, even where only
a few sessions are shown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import get_args

from .. import _core
from ..errors import UsageError
from ..missed import count_missed
from ..model import (
    DesktopState,
    Progress,
    Row,
    Session,
    SessionHealth,
    SessionKind,
    SessionListing,
)
from ..reconciliation.building.relink import relinks
from ..reconciliation.building.row import actions
from ..reconciliation.desktop_status import DesktopStatus, desktop_statuses
from ..reconciliation.details import Details
from ..reconciliation.diagnose import describe, diagnose
from ..reconciliation.inventory import Inventory, is_hollow, take_inventory
from ..reconciliation.matching import match
from ..reconciliation.orphans import find_orphans
from ..reconciliation.transcript_damage import is_damaged
from ..scan_cache import USE_INDEX
from ..stores.locate import StrPath, real_path
from ..stores.project_folder import is_local_path, matches_key, normalize
from ..stores.retention import Retention, retention
from ..stores.transcripts import folder_of, is_conversation, path_of
from .beside import archived, given_title
from .sdk import shown_first_prompt

CLOCK_TOLERANCE = 5 * 60_000
"""Milliseconds by which a transcript's clock may be ahead of this machine's, as where it was written on
another machine."""

SESSION_KINDS: tuple[SessionKind, ...] = get_args(SessionKind)


def find_sessions(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    folder: StrPath | None = None,
    text: str = "",
    since: int | None = None,
    until: int | None = None,
    hide: Iterable[SessionKind] = (),
    limit: int | None = None,
    index: bool = USE_INDEX,
    progress: Progress | None = None,
) -> SessionListing:
    """List the sessions that match all the given filters, newest first. Changes nothing in the stores.

    Every transcript is a session of its own, also one without any record, and each of several with the same
    id in different project folders: the app's row is about one of them. Those whose time is later than the
    clock of this machine come last.

    Args:
        stores, projects, index, progress: as in `reconcile`.
        folder: only sessions whose directory, worktree or repository is this folder or lies in it, under any
            of its names. The folder need not exist any more.
        text: only sessions with each of these words in the title, a prompt, the directory or the branch,
            whatever the case.
        since, until: only sessions whose last activity is not before, or not after, this time (epoch ms).
        hide: leave out sessions that were last entered by a program (`sdk`: their entrypoint begins so),
            those that are `archived`, subagents' (`sidechain`), those whose health is `empty`, and those that
            the app has `deleted` or `continued` in another transcript.
        limit: return at most this many sessions.

    Raises:
        OSError: a folder of `stores` or `projects` cannot be listed.
        UsageError: there is nothing of that name to hide.
    """
    hidden = frozenset(hide)
    for kind in sorted(hidden - set(SESSION_KINDS)):
        raise UsageError(f"there is no kind of sessions named {kind!r}: choose of {', '.join(SESSION_KINDS)}")
    inventory = take_inventory(stores, projects, progress, int(time.time() * 1000), index)
    state = match(inventory, Details(inventory))
    orphans = find_orphans(state)
    known = desktop_statuses(state, orphans) if inventory.contents else None
    planned = [*actions(state), *relinks(state)]
    sessions = []
    total = in_future = 0
    wanted = _Filter(_spellings(folder), text.casefold().split(), since, hidden)
    owned = (one for found in inventory.own.values() for one in found if one.error is None)
    for transcript in (*inventory.transcripts, *inventory.empty, *owned):
        status = None if known is None else known.get(path_of(transcript), DesktopStatus("none"))
        is_whole = _is_whole(inventory, transcript)
        session = _session(transcript, status, inventory.now, is_whole=is_whole)
        if session is None:
            continue
        total += 1
        if wanted.matches(session, transcript):
            if until is None or session.active_at <= until:
                sessions.append(session)
            else:
                in_future += session.in_future
    sessions.sort(key=lambda session: (session.in_future, -session.active_at, session.path))
    kept = [(f"transcripts in {root} are kept for {one.source}", one) for root, one in _retention(inventory)]
    return SessionListing(
        tuple(sessions if limit is None else sessions[:limit]),
        len(sessions),
        total,
        tuple(contents.store.path for contents in inventory.contents),
        sum(action.kind == "hold" and action.path not in state.unlinked for action in planned),
        tuple(_errors(inventory)),
        in_future,
        count_missed(diagnose(state, orphans), planned),
        sum(len(contents.rows) for contents in inventory.contents),
        tuple(text for text, _ in kept),
        tuple(text for text, one in kept if not one.is_known),
    )


def _retention(inventory: Inventory) -> Iterator[tuple[str, Retention]]:
    """Yield how long the transcripts in each root are kept."""
    return ((root, retention(root, inventory.transcripts)) for root in inventory.projects)


def _is_whole(inventory: Inventory, transcript: _core.Transcript) -> bool:
    """Return whether nothing is known that is wrong with a transcript's conversation."""
    check = inventory.conversations.get(path_of(transcript))
    return check is None or check.is_whole


def _session(
    transcript: _core.Transcript, status: DesktopStatus | None, now: int, *, is_whole: bool
) -> Session | None:
    """Build the record of a session; None where its transcript has been deleted meanwhile."""
    path = path_of(transcript)
    try:
        modified = os.stat(path).st_mtime_ns // 1_000_000  # noqa: PTH116 - of many transcripts
    except OSError:
        return None
    desktop = None if status is None else status.desktop
    row = None if status is None else status.by
    hollow = row is not None and is_hollow(row, transcript)
    active = transcript.last_activity_at
    title, source = _title(transcript, row)
    return Session(
        session_id=transcript.session_id or "",
        path=path,
        title=title,
        title_source=source,
        first_prompt=shown_first_prompt(transcript),
        last_prompt=transcript.last_prompt,
        tag=transcript.tag,
        cwd=transcript.cwd or _text(row, "cwd"),
        git_branch=transcript.git_branch,
        created_at=transcript.created_at,
        last_activity_at=active,
        last_modified=modified,
        turns=transcript.turns,
        size=transcript.size,
        defects=transcript.defect_count,
        health=_health(transcript, desktop, hollow, is_whole),
        desktop=desktop,
        row=None if status is None else status.row,
        entrypoint=transcript.entrypoint,
        archived=_archived(transcript, row),
        hollow=hollow,
        sidechain=transcript.is_sidechain,
        in_future=(modified if active is None else active) > now + CLOCK_TOLERANCE,
        records=transcript.records,
        own_records=transcript.own_records,
    )


def _title(transcript: _core.Transcript, row: Row | None) -> tuple[str | None, str | None]:
    """Return the title, and where it comes from; that of the row only where the transcript has none."""
    given = given_title(transcript)
    if given:
        return given, "custom"
    if transcript.title is not None:
        return transcript.title, transcript.title_source
    title = _text(row, "title")
    return title, None if title is None else "row"


def _text(row: Row | None, name: str) -> str | None:
    value = None if row is None else row.fields.get(name)
    return value if isinstance(value, str) and value else None


def _health(
    transcript: _core.Transcript, desktop: DesktopState | None, hollow: bool, is_whole: bool
) -> SessionHealth:
    if desktop in ("lost", "orphan"):
        return "lost"
    if hollow:
        return "hollow"
    if is_damaged(transcript) or not is_whole:
        return "damaged"
    return "ok" if is_conversation(transcript) or transcript.is_sidechain else "empty"


def _archived(transcript: _core.Transcript, row: Row | None) -> bool | None:
    """Return whether the row or the file beside the transcript says so; None where neither says anything."""
    said = None if row is None else row.fields.get("isArchived")
    beside = archived(transcript)
    return said or bool(beside) if isinstance(said, bool) else beside


_BELONGS: dict[SessionKind, Callable[[Session], object]] = {
    "sdk": lambda session: session.entrypoint is not None and session.entrypoint.startswith("sdk"),
    "archived": lambda session: session.archived,
    "sidechain": lambda session: session.sidechain,
    "empty": lambda session: session.health == "empty",
    "deleted": lambda session: session.desktop == "deleted",
    "continued": lambda session: session.desktop == "continued",
}
"""Tells of each kind whether a session is of it."""


@dataclass(frozen=True, slots=True)
class _Filter:
    """The conditions a session has to meet."""

    folders: tuple[str, ...]
    """The spellings of the folder it must lie in; none for any folder."""
    words: list[str]
    since: int | None
    hidden: frozenset[SessionKind]
    real: dict[str, str | None] = field(default_factory=dict)
    """Directories with their links resolved: sessions share them."""

    def matches(self, session: Session, transcript: _core.Transcript) -> bool:
        if self.since is not None and session.active_at < self.since:
            return False
        if any(_BELONGS[kind](session) for kind in self.hidden):
            return False
        if self.words and not self._has_words(session):
            return False
        return not self.folders or self._is_of_folder(transcript)

    def _has_words(self, session: Session) -> bool:
        texts = (session.title, session.first_prompt, session.last_prompt, session.cwd, session.git_branch)
        text = "\n".join(text for text in texts if text).casefold()
        return all(word in text for word in self.words)

    def _is_of_folder(self, transcript: _core.Transcript) -> bool:
        names = _directories(transcript)
        if not names:  # only the name of its project folder tells where it is from
            return any(matches_key(one, folder_of(transcript), within=True) for one in self.folders)
        return any(map(self._is_inside, names)) or any(
            map(self._is_inside, filter(None, map(self._real, names)))
        )

    def _real(self, directory: str) -> str | None:
        if directory not in self.real:
            self.real[directory] = _without_links(directory)
        return self.real[directory]

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
    return tuple({normalize(given), normalize(os.path.abspath(given)), normalize(real_path(given))})  # noqa: PTH100


def _directories(transcript: _core.Transcript) -> list[str]:
    """Return the directories a session belongs to: its cwd, the one it was moved to, its worktree and the
    repository of that worktree."""
    worktree = transcript.worktree
    named = [transcript.cwd, transcript.relocated_cwd]
    if worktree is not None:
        named += [worktree.path, worktree.original_cwd]
    return [name for name in named if name]


def _without_links(directory: str) -> str | None:
    """Return a directory with its links resolved; None if there are none, or it is not on this machine."""
    if not is_local_path(directory):
        return None
    try:
        real = real_path(directory)
    except (OSError, ValueError):
        return None
    return real if real != directory else None


def _errors(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Yield the paths that could not be read, each with the reason."""
    for error in inventory.errors:
        yield os.fsdecode(error.filename or ""), describe(error)
    owned = (one for found in inventory.own.values() for one in found if one.error is not None)
    for transcript in (*inventory.unread, *owned):
        yield path_of(transcript), describe(transcript.error)
