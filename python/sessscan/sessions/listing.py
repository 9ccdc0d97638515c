"""All sessions of this user, newest first, with what has become of each: what a session picker shows.

Newest is by the last activity in the transcript. Since a file's own time is not that (lines without a time
are appended on resume, copies get a new one), every transcript is read, also where only a few are shown.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .. import _core
from ..model import Progress
from ..reconciliation.building.row import actions
from ..reconciliation.desktop_status import Desktop, DesktopStatus, desktop_statuses
from ..reconciliation.details import Details
from ..reconciliation.diagnose import describe, is_damaged
from ..reconciliation.inventory import Inventory, take_inventory
from ..reconciliation.matching import match
from ..reconciliation.orphans import find_orphans
from ..scan_cache import USE_INDEX
from ..stores.locate import StrPath
from ..stores.project_folder import normalize
from ..stores.transcripts import is_conversation, path_of
from .sdk import session_info, typed_first

SCHEMA = "sessscan.list/1"

Health = Literal["ok", "damaged", "lost"]


@dataclass(frozen=True, slots=True)
class Session:
    """One session. Times are epoch milliseconds UTC, sizes bytes."""

    session_id: str
    path: str
    title: str | None
    title_source: str | None
    first_prompt: str | None
    """Of a slash command its name."""
    last_prompt: str | None
    tag: str | None
    cwd: str | None
    git_branch: str | None
    created_at: int | None
    last_activity_at: int | None
    last_modified: int
    turns: int
    size: int
    defects: int
    health: Health
    """The worst of: `lost` (the app does not list it, but should: `desktop` is `lost` or `orphan`), `damaged`
    (bytes of its transcript are; a torn last line does not count), `ok`."""
    desktop: Desktop | None
    """See `DesktopStatus`; None where no store of the desktop app was looked at."""
    row: str | None
    """The app's row that names it, or did."""

    @property
    def name(self) -> str:
        """What to call it: its title, else what was typed last or first."""
        title = self.title if self.title_source != "prompt" else self.first_prompt
        return title or self.last_prompt or self.first_prompt or ""

    @property
    def when(self) -> int:
        """Its last activity; where no line has a time, when the file was last written."""
        return self.last_modified if self.last_activity_at is None else self.last_activity_at


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions are asked for; all that is given must hold."""

    folder: StrPath | None = None
    """Their directory, worktree or repository is this folder or in it. It need not exist any more."""
    text: str = ""
    """Each of these words is in the title, a prompt, the directory or the branch; capitals do not matter."""
    since: int | None = None
    """Epoch ms of the last activity: not before, and not after."""
    until: int | None = None

    def folders(self) -> tuple[str, ...]:
        """The folder as transcripts may spell it: as given (perhaps on another platform), from the root on,
        with links in it resolved."""
        if self.folder is None:
            return ()
        given = os.fspath(self.folder)
        spellings = (given, os.path.abspath(given), os.path.realpath(given))  # noqa: PTH100
        return tuple({normalize(one) for one in spellings})


@dataclass(frozen=True, slots=True)
class Listing:
    """What `sessscan list` prints."""

    sessions: tuple[Session, ...]
    matched: int
    """How many were asked for; `sessions` may be fewer, by the limit."""
    total: int
    stores: tuple[str, ...]
    """The desktop app's stores that were looked at."""
    held: int
    """Rows that the app cannot read, and of which nothing says for certain whose they were."""
    errors: tuple[tuple[str, str], ...]
    """What could not be read, and why."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `list --format json` prints."""
        return {
            "schema": SCHEMA,
            "stores": list(self.stores),
            "total": self.total,
            "matched": self.matched,
            "held": self.held,
            "errors": [{"path": path, "message": message} for path, message in self.errors],
            "sessions": [dataclasses.asdict(session) for session in self.sessions],
        }


def list_all(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    wanted: Wanted | None = None,
    limit: int | None = None,
    index: bool = USE_INDEX,
    progress: Progress | None = None,
) -> Listing:
    """The sessions, newest first. Writes nothing into a store.

    `stores`, `projects` and `index` as in `reconcile`. Left out are subagents' transcripts, and files in
    which nobody said anything and that have no title; of several files of one session the newest counts.
    Raises OSError for a folder that was named and cannot be listed.
    """
    inventory = take_inventory(stores, projects, progress, int(time.time() * 1000), index)
    state = match(inventory, Details(inventory))
    known = desktop_statuses(state, find_orphans(state)) if inventory.contents else None
    sessions = []
    matched = total = 0
    check = _Check(wanted or Wanted())
    for name in inventory.by_id:
        transcript = inventory.newest(name)
        status = None if known is None else known.get(name, DesktopStatus("none"))
        session = None if transcript is None else _session(transcript, status)
        if session is None or transcript is None:
            continue
        total += 1
        if check(session, transcript):
            matched += 1
            sessions.append(session)
    sessions.sort(key=lambda session: (-session.when, session.path))
    return Listing(
        tuple(sessions if limit is None else sessions[:limit]),
        matched,
        total,
        tuple(contents.store.path for contents in inventory.contents),
        sum(action.kind == "hold" for action in actions(state)),
        tuple(_errors(inventory)),
    )


def _session(transcript: _core.Transcript, status: DesktopStatus | None) -> Session | None:
    path = path_of(transcript)
    try:
        modified = os.lstat(path).st_mtime_ns
    except OSError:
        return None  # deleted meanwhile
    if session_info(transcript, modified) is None and not is_conversation(transcript):
        return None
    desktop = None if status is None else status.desktop
    health: Health = "damaged" if is_damaged(transcript) else "ok"
    return Session(
        session_id=transcript.session_id or "",
        path=path,
        title=transcript.title,
        title_source=transcript.title_source,
        first_prompt=typed_first(transcript),
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


class _Check:
    """Whether a session is asked for."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._words = wanted.text.casefold().split()
        self._folders = wanted.folders()

    def __call__(self, session: Session, transcript: _core.Transcript) -> bool:
        since, until = self._wanted.since, self._wanted.until
        if (since is not None and session.when < since) or (until is not None and session.when > until):
            return False
        if self._words and not self._speaks_of(session):
            return False
        return not self._folders or any(map(self._holds, _directories(transcript)))

    def _speaks_of(self, session: Session) -> bool:
        texts = (session.title, session.first_prompt, session.last_prompt, session.cwd, session.git_branch)
        text = "\n".join(text for text in texts if text).casefold()
        return all(word in text for word in self._words)

    def _holds(self, directory: str) -> bool:
        directory = normalize(directory)
        return any(
            directory == folder
            or (directory.startswith(folder) and (folder[-1] in "/\\" or directory[len(folder)] in "/\\"))
            for folder in self._folders
            if folder
        )


def _directories(transcript: _core.Transcript) -> Iterator[str]:
    """Where a session belongs: its directory, where it was moved to, its worktree, the repository of that."""
    worktree = transcript.worktree
    named = [transcript.cwd, transcript.relocated_cwd]
    if worktree is not None:
        named += [worktree.path, worktree.original_cwd]
    return (name for name in named if name)


def _errors(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for error in inventory.errors:
        yield os.fsdecode(error.filename or ""), describe(error)
    for transcript in inventory.unread:
        yield path_of(transcript), describe(transcript.error)
