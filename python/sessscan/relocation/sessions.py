"""Find the sessions of a folder that was moved: their transcripts, and what lies beside these.

A project folder's name is the key of a directory, which several directories may share (`/a-b` and `/a/b`). So
each session is asked itself where it is from: the first of its directories whose key the folder's name is
(FORMATS section 1).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .. import _core
from ..model import Progress
from ..scan_cache.scan import scan_many
from ..stores.locate import TRANSCRIPT_NAME, entries, folders_in, is_new
from ..stores.project_folder import KEY_LENGTH, matches_key, normalize, project_key
from .folders import Directories, physical

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass
class Session:
    """What one project folder holds of one session."""

    id: str
    """In small letters."""
    root: str
    folder: str
    path: str | None = None
    """Its transcript; None where only what lay beside it is left."""
    status: os.stat_result | None = None
    """The transcript's."""
    transcript: _core.Transcript | None = None
    beside: list[str] = field(default_factory=list)
    """The other files and folders whose names begin with its id."""
    directory: str | None = None
    """Where it is from, by its own lines, its row, or the other sessions of the folder; None: not known."""
    said_by: str = ""
    """What says so."""
    is_stray: bool = False
    """Whether the folder is not that of `directory`."""
    why_not: str | None = None
    """Why nothing of it can be moved, in words for the user."""

    @property
    def name(self) -> str:
        """The name of the project folder."""
        return self.folder.rpartition(os.sep)[2]


def find_sessions(
    roots: Iterable[str],
    directories: Directories,
    rows: Mapping[str, Sequence[str]],
    errors: list[OSError],
    *,
    index: bool,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Session]:
    """Return what lies in each project folder that may be the old folder's, the new one's, or of one in them.

    Args:
        roots: the folders of the project folders.
        directories: where the old folder was, and is.
        rows: by session the directories that the app's rows name.
        errors: gets the folders that cannot be listed.
        index: read only the transcripts that have changed since they were last scanned.
        threads: how many transcripts are scanned at a time; None: as many as there are processors.
        progress: called with the bytes scanned so far, and of all transcripts.
    """
    seen: set[tuple[int, int] | str] = set()
    found: list[Session] = []
    for root in dict.fromkeys(roots):
        for folder in folders_in(root, errors, follow=True):
            name = folder.rpartition(os.sep)[2]
            wanted = (*directories.old, directories.move.new)
            if any(matches_key(one, name, within=True) for one in wanted) and is_new(folder, seen):
                found += _list(root, folder, errors)
    paths = [session.path for session in found if session.path is not None and session.why_not is None]
    scan = scan_many if index else _core.scan_many
    scanned = dict(zip(paths, scan(paths, threads=threads, progress=progress), strict=True))
    for session in found:
        session.transcript = scanned.get(session.path or "")
        _locate(session, rows.get(session.id, ()))
    _by_neighbours(found, directories)
    return found


def _list(root: str, folder: str, errors: list[OSError]) -> Iterator[Session]:
    sessions: dict[str, Session] = {}
    for entry in sorted(entries(folder, errors), key=lambda one: one.name):
        begins = _UUID.match(entry.name)
        rest = entry.name[begins.end() :] if begins is not None else ""
        if begins is None or rest[:1] not in ("", "."):
            continue
        session = sessions.setdefault(begins[0].lower(), Session(begins[0].lower(), root, folder))
        try:
            status = os.lstat(entry.path)
        except OSError as error:
            session.why_not = f"{entry.path} cannot be looked at: {error.strerror}"
            continue
        if TRANSCRIPT_NAME.fullmatch(entry.name):
            if session.path is not None:
                session.why_not = f"there are two of it, {session.path} and {entry.path}"
            session.path, session.status = entry.path, status
            if not stat.S_ISREG(status.st_mode):
                session.why_not = f"{entry.path} is {_kind(status)}: move what it stands for yourself"
        else:
            session.beside.append(entry.path)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                session.why_not = f"{entry.path} is {_kind(status)}: move what it stands for yourself"
    yield from sessions.values()


def _kind(status: os.stat_result) -> str:
    return "a link" if stat.S_ISLNK(status.st_mode) else "neither a file nor a folder"


def _locate(session: Session, rows: Sequence[str]) -> None:
    """Find out where a session is from, by what its lines and its rows say."""
    transcript = session.transcript
    named: list[tuple[str | None, str]] = []
    if transcript is not None and transcript.error is not None:
        session.why_not = f"{session.path} cannot be read: {transcript.error.strerror or transcript.error}"
    elif transcript is not None:
        worktree = transcript.worktree
        named = [
            (transcript.relocated_cwd, "its relocated line"),
            (transcript.cwd, "its lines"),
            (transcript.last_cwd, "its lines"),
        ]
        if worktree is not None:
            named += [(worktree.path, "its worktree"), (worktree.original_cwd, "its worktree")]
    named += [(directory, "the app's row") for directory in rows]
    for directory, by in _more(session, named):
        if directory and matches_key(directory, session.name):
            session.directory, session.said_by = directory, by
            return
    for directory, by in named:
        if directory:
            session.directory, session.said_by, session.is_stray = directory, by, True
            return


def _more(session: Session, named: list[tuple[str | None, str]]) -> Iterator[tuple[str | None, str]]:
    """Yield what was named, and then every directory that the session was in."""
    yield from named
    if session.path is not None and session.why_not is None:
        try:
            for event in _core.events(session.path, kinds=("cwd",)):
                yield str(event.value), "its lines"
        except OSError:
            return  # it vanishes meanwhile, and the plan will not fit


def _by_neighbours(sessions: Sequence[Session], directories: Directories) -> None:
    """Give those that say nothing of their directory that of their folder, if it has only one."""
    known: dict[str, dict[str, str]] = {}
    for session in sessions:
        if session.directory is not None and not session.is_stray:
            known.setdefault(session.folder, {})[normalize(session.directory)] = session.directory
    for session in sessions:
        if session.directory is None:
            of_folder = known.get(session.folder, {})
            if len(of_folder) == 1:
                session.directory = next(iter(of_folder.values()))
                session.said_by = "the other sessions of its project folder"
            elif not of_folder:
                fitting = [one for one in directories.old if matches_key(one, session.name)]
                if fitting:
                    session.directory, session.said_by = fitting[0], "the name of its project folder"
            elif any(directories.moved(one) for one in of_folder.values()):
                names = " and ".join(sorted(of_folder.values()))
                session.why_not = (
                    f"{session.name} is the project folder of {names}, and nothing says of which"
                )


def target_folder(session: Session, directory: str, sessions: Iterable[Session]) -> tuple[str | None, str]:
    """Return the project folder that a session belongs in once its directory is `directory`.

    Returns:
        The folder's path, which need not be there; None if it cannot be told, and why.
    """
    key = project_key(physical(directory))
    if len(key) <= KEY_LENGTH:
        return os.path.join(session.root, key), ""  # noqa: PTH118 - of many sessions
    wanted = normalize(physical(directory))
    fitting = {
        one.folder
        for one in sessions
        if one.root == session.root
        and one.directory is not None
        and not one.is_stray
        and normalize(one.directory) == wanted
    }
    if len(fitting) == 1:
        return fitting.pop(), ""
    return None, (
        f"the path {directory} is so long that its project folder's name ends in a hash, which only Claude "
        "Code itself makes: start a session in that folder, and plan the move again"
    )
