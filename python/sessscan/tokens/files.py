"""Find the files that hold responses, and tell the project and the session of each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..stores.locate import StrPath, is_folder, is_new, leads_to_folder, list_folder, locate

_SESSION = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HELPER = "agent-"
"""How the name of a subagent's file begins."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file with responses, and what its place says of it."""

    path: str
    project: str
    """The name of the project folder."""
    session: str | None
    """The session's id; None for a subagent's file beside its session, whose records name it."""
    of_subagent: bool


@dataclass
class TokenFiles:
    """The files under some paths, in the order of folders and names."""

    files: list[TokenFile] = field(default_factory=list)
    errors: list[OSError] = field(default_factory=list)


def find_files(paths: Iterable[StrPath] | None, projects: StrPath | Iterable[StrPath] | None) -> TokenFiles:
    """Return all .jsonl files under `paths`, or under the projects' roots where `paths` is None.

    Subagents' files and whatever else lies in a session's folder are among them. Links are followed, to each
    real folder once; a file that is met twice does no harm, since each response is counted once. A path that
    is no folder is taken as a file, whatever its name. Raises OSError for a root that is not there.
    """
    found = TokenFiles()
    seen: set[tuple[int, int] | str] = set()
    given = locate((), projects).projects if paths is None else [os.path.abspath(path) for path in paths]  # noqa: PTH100  # `resolve` would follow links
    for path in given:
        walked = _walk(path, seen, found.errors) if Path(path).is_dir() else [path]
        found.files.extend(map(place, walked))
    return found


def place(path: str) -> TokenFile:
    """Tell from a file's path whose it is (FORMATS sections 1 and 4).

    `<project>/<uuid>.jsonl` is a session. What lies in `<project>/<uuid>/`, and `<project>/agent-*.jsonl`, is
    of a session's subagents.
    """
    folder, name = os.path.split(path)
    project, session = _beside(folder)
    if session is not None:
        return TokenFile(path, project, session, True)
    of_subagent = name.startswith(_HELPER)
    return TokenFile(path, project, None if of_subagent else os.path.splitext(name)[0].lower(), of_subagent)  # noqa: PTH122  # there are thousands


@lru_cache(maxsize=1)
def _beside(folder: str) -> tuple[str, str | None]:
    """Return the project that a folder is of, and the session whose folder it is or lies in, if any."""
    parts = Path(folder).parts
    for at in range(len(parts) - 1, 0, -1):
        if _SESSION.fullmatch(parts[at]):
            return parts[at - 1], parts[at].lower()
    return parts[-1] if parts else "", None


def _walk(folder: str, seen: set[tuple[int, int] | str], errors: list[OSError]) -> Iterator[str]:
    waiting = [folder]
    while waiting:
        folder = waiting.pop()
        if not is_new(folder, seen):
            continue
        try:
            entries = list_folder(folder)
        except OSError as error:
            errors.append(error)
            continue
        folders = []
        for entry in sorted(entries, key=lambda entry: entry.name):
            if is_folder(entry) or leads_to_folder(entry, []):
                folders.append(entry.path)
            elif entry.name.endswith(".jsonl"):
                yield entry.path
        waiting.extend(reversed(folders))
