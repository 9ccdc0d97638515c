"""Find where a project's folder may be that is gone, to propose `sessscan move`.

Only a clear candidate is proposed: one, and by the best sign that any has. Git's own notes of worktrees that
were in the old folder come first; then a remote that is the repository of the sessions' pull requests; then a
branch that the sessions were on; then the folder's name elsewhere, or what was in it. Nothing
is decided by it: the user types the command, which shows what it would do.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

from ..render.text import command
from ..stores.locate import folders_in
from ..stores.project_folder import WORKTREE_PART, is_local_path, normalize
from ..stores.repositories import has_branch, remotes, worktrees_of
from ..stores.transcripts import open_transcript, path_of
from .inventory import Inventory

_COMMON = frozenset(("main", "master", "develop", "dev", "trunk", "HEAD"))
"""Branches that say nothing of which repository it is."""

_MOST = 500
"""Subfolders of a folder that are looked at."""

_MOST_BRANCHES = 50
_MOST_READ = 20
"""Transcripts of a folder whose ends are read."""
_END = 1 << 16
"""Bytes at the end of a transcript that are read."""


class Whereabouts:
    """Looks for folders that are gone, each once."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._found: dict[str, tuple[str, str] | None] = {}
        self._subfolders: dict[str, list[str]] = {}
        self._linked: dict[str, frozenset[str]] = {}

    def proposal(self, directory: str | None) -> str:
        """Return a sentence that proposes to move the sessions of a directory that is gone.

        It is empty if there is no clear candidate, or if the directory is there.
        """
        if not directory or not is_local_path(directory):
            return ""
        lost = _topmost_missing(directory)
        if lost is None:
            return ""
        if lost not in self._found:
            self._found[lost] = self._look_for(lost, directory[len(lost) :].strip("/\\"))
        found = self._found[lost]
        return "" if found is None else propose(lost, *found)

    def _look_for(self, lost: str, rest: str) -> tuple[str, str] | None:
        """Return the one folder that a lost one may be now, and why; None if there is none, or several.

        `rest`: a directory in it.
        """
        candidates = [one for one in self._candidates(lost) if not rest or Path(one, rest).is_dir()]
        inside = normalize(lost) + os.sep
        branches = sorted(self._branches[normalize(lost)])[:_MOST_BRANCHES]
        name = Path(lost).name.casefold()
        signs: tuple[tuple[str, Iterator[str]], ...] = (
            (
                "git has worktrees of it in the old folder",
                (
                    one
                    for one in candidates
                    if any(normalize(each).startswith(inside) for each in worktrees_of(one))
                ),
            ),
            (
                "a remote of it is where the sessions' pull requests are",
                (one for one in candidates if self._repositories(lost) & remotes(one)),
            ),
            (
                "it has a branch that the sessions were on",
                (one for one in candidates if any(has_branch(one, branch) for branch in branches)),
            ),
            ("it has the same name", (one for one in candidates if Path(one).name.casefold() == name)),
            ("it has what was in the old one", iter(candidates if rest else ())),
        )
        for why, fitting in signs:
            found = list(fitting)
            if found:
                return (found[0], why) if len(found) == 1 else None
        return None

    def _candidates(self, lost: str) -> Sequence[str]:
        """Return the folders that are looked at: beside the lost one, of its name one level off, and those of
        its name that sessions are from."""
        parent = Path(lost).parent
        beside = self._in(str(parent))
        name = Path(lost).name
        around = [*beside, *(self._in(str(parent.parent)) if len(parent.parts) > 2 else ())]
        named = [os.path.join(one, name) for one in (str(parent.parent), *around)]  # noqa: PTH118
        named += self._by_name.get(name.casefold(), ())
        found = [*beside, *(one for one in named if Path(one).is_dir())]
        unique: dict[tuple[int, int] | str, str] = {}
        for one in found:
            try:
                status = os.stat(one)  # noqa: PTH116
            except OSError:
                continue
            unique.setdefault((status.st_dev, status.st_ino) if status.st_ino else one, one)
        return list(unique.values())

    def _repositories(self, lost: str) -> frozenset[str]:
        """Return the repositories of sessions' pull requests in a folder, as `owner/name` in small letters.

        Only the ends of a few transcripts are read: state lines are written there anew when a session ends.
        """
        if lost not in self._linked:
            inside = normalize(lost) + os.sep
            found: set[str] = set()
            paths = (
                path_of(one)
                for one in self._inventory.transcripts
                if one.cwd and (normalize(one.cwd) + os.sep).startswith(inside)
            )
            for path in islice(paths, _MOST_READ):
                found.update(_pull_requests(path))
            self._linked[lost] = frozenset(found)
        return self._linked[lost]

    def _in(self, folder: str) -> list[str]:
        if folder not in self._subfolders:
            self._subfolders[folder] = folders_in(folder, [])[:_MOST]
        return self._subfolders[folder]

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """The directories of sessions, by their last part in small letters."""
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for directory in self._directories():
            if is_local_path(directory):
                found[Path(directory).name.casefold()][directory] = None
        return {name: list(directories) for name, directories in found.items()}

    def _directories(self) -> Iterable[str]:
        for contents in self._inventory.every_store():
            for row in contents.rows:
                cwd = row.fields.get("cwd")
                if row.state == "ok" and isinstance(cwd, str) and cwd:
                    yield cwd
        for transcript in self._inventory.transcripts:
            yield from (one for one in (transcript.cwd, transcript.last_cwd) if one)

    @cached_property
    def _branches(self) -> defaultdict[str, set[str]]:
        """The branches that sessions were on, by each folder above their directory."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for transcript in self._inventory.transcripts:
            branch, cwd = transcript.git_branch, transcript.cwd
            if branch and branch not in _COMMON and cwd and is_local_path(cwd):
                for place in (Path(cwd), *Path(cwd).parents):
                    found[normalize(str(place))].add(branch)
        return found


def _pull_requests(path: str) -> Iterator[str]:
    """Yield the repositories that `pr-link` lines at the end of a transcript name (FORMATS section 1)."""
    try:
        with open_transcript(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _END))
            lines = file.read(_END).split(b"\n")
    except OSError:
        return
    for line in lines:
        if b'"pr-link"' not in line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        named = record.get("prRepository") if isinstance(record, dict) else None
        if isinstance(named, str) and record.get("type") == "pr-link":
            yield named.casefold()


def propose(old: str, new: str, why: str = "") -> str:
    """Return a sentence that proposes to move the sessions of one folder to another."""
    reason = f" ({why})" if why else ""
    typed = command(["sessscan", "move", old, new])
    return f"Its folder may be {new} now{reason}: `{typed}` shows what it would do."


def _topmost_missing(directory: str) -> str | None:
    """Return the outermost folder of a path that is not there; None if all are, or if that cannot be told.

    Of one of the app's worktrees the repository counts: a worktree is removed when it is no longer needed.
    """
    worktree = WORKTREE_PART.search(directory)
    path = Path(directory[: worktree.start()] if worktree is not None else directory)
    lost: Path | None = None
    try:
        for place in (path, *path.parents):
            if place.exists():
                break
            lost = place
    except (OSError, ValueError):
        return None
    return None if lost is None or len(lost.parent.parts) < 2 else str(lost)
