"""Tell whether the app finds a transcript by the directory that a row names, and which directory would do.

By public accounts the app opens a session's transcript only from the project folder whose name is the key of
the row's cwd (FORMATS section 1), a Cowork session's only from the session's own folder.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from .. import _core
from ..model import RowFormat
from ..stores.locate import real_path
from ..stores.project_folder import is_local_path, is_windows_path, matches_key, normalize, project_key
from ..stores.rows import bare_id
from ..stores.transcripts import path_of, transcript_id
from .inventory import Inventory

MIRROR = "ssh-"
"""The project folder of a copy of another machine's transcript is called so, and then by the transcript."""

_matches = lru_cache(maxsize=4096)(matches_key)
"""`matches_key`, remembered: many rows have the same directory."""


class Places:
    """The project folders of one inventory, under all their names."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def names(self, transcript: _core.Transcript) -> list[str]:
        """Return the names of the project folder that a transcript lies in, those of links to it included."""
        folder = _folder(transcript)
        return [_last(folder), *map(_last, self._inventory.listing.aliases.get(folder, ()))]

    def is_mirror(self, transcript: _core.Transcript) -> bool:
        """Tell whether a transcript is the app's copy of one on another machine."""
        return _last(_folder(transcript)).lower() == MIRROR + transcript_id(transcript)

    def is_owned(self, transcript: _core.Transcript) -> bool:
        """Tell whether a transcript lies in a session's own folder."""
        return path_of(transcript) in self._owned

    def is_found(
        self, fields: Mapping[str, Any], session_id: str, row_format: RowFormat, transcript: _core.Transcript
    ) -> bool:
        """Tell whether the app finds a transcript by a row's fields, or that cannot be told."""
        if self.is_owned(transcript):
            own = self._inventory.own.get(bare_id(session_id), ())
            return not row_format.transcripts_in_projects and any(
                path_of(one) == path_of(transcript) for one in own
            )
        if path_of(transcript) in self._inventory.listing.misplaced:
            return False
        cwd = fields.get("cwd")
        if not isinstance(cwd, str) or not cwd or self.is_mirror(transcript):
            return True
        names = self.names(transcript)
        return any(_matches(cwd, name) for name in names) or any(
            matches_key(each, name) for each in _other_directories(fields, cwd, transcript) for name in names
        )

    def why_not_found(self, fields: Mapping[str, Any], transcript: _core.Transcript) -> str:
        """Return where a transcript lies instead of where the app looks for it, as the end of a sentence."""
        path, cwd = path_of(transcript), fields.get("cwd")
        where = f"in {_folder(transcript)}"
        if self.is_owned(transcript):
            where = f"in a Cowork session's own folder ({path})"
        elif path in self._inventory.listing.misplaced:
            where = f"outside its project folder or one level too deep in it ({path})"
        looks = "directly in the project folder of its directory"
        if isinstance(cwd, str) and cwd:
            roots = self._inventory.projects
            own = (root for root in roots if path.startswith(root.rstrip(os.sep) + os.sep))
            root = next(own, roots[0] if roots else "projects")
            looks = f"in {root}{os.sep}{project_key(cwd)}, the project folder of {cwd}"
        return f"that lies {where}; the app looks for it {looks}, and cannot open the session"

    def directory_of(self, transcript: _core.Transcript) -> str | None:
        """Return the directory whose project folder a transcript lies in, as healthy rows and other
        transcripts name it; None where they name none, or several."""
        if self.is_owned(transcript) or path_of(transcript) in self._inventory.listing.misplaced:
            return None
        known = {
            plain: directory
            for name in self.names(transcript)
            for key in (name, name.casefold())
            for plain, directory in self._directories.get(key, {}).items()
            if matches_key(directory, name)
        }
        return next(iter(known.values())) if len(known) == 1 else None

    @cached_property
    def _owned(self) -> frozenset[str]:
        return frozenset(path_of(one) for found in self._inventory.own.values() for one in found)

    @cached_property
    def _directories(self) -> Mapping[str, Mapping[str, str]]:
        """By key the directories that rows and transcripts name, in the form of `normalize` and as they are
        spelt. The keys of Windows paths are in small letters."""
        named: dict[str, None] = {}
        for contents in self._inventory.every_store():
            for row in contents.rows:
                if row.state == "ok" and row.remote is None and row.store.format.transcripts_in_projects:
                    cwd = row.fields.get("cwd")
                    if isinstance(cwd, str) and cwd:
                        named[cwd] = None
        for transcript in self._inventory.transcripts:
            if not self.is_mirror(transcript):
                named.update(dict.fromkeys(each for each in (transcript.cwd, transcript.last_cwd) if each))
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for directory in named:
            plain = normalize(directory)
            for old in (False, True):
                key = project_key(directory, old=old)
                found[key.casefold() if is_windows_path(directory) else key].setdefault(plain, directory)
        return found


def _other_directories(fields: Mapping[str, Any], cwd: str, transcript: _core.Transcript) -> Iterable[str]:
    """Yield the other directories of a session in whose project folders its transcript may lie."""
    worktree = transcript.worktree
    named = [fields.get("originCwd"), fields.get("worktreePath"), transcript.relocated_cwd]
    if worktree is not None:
        named += [worktree.path, worktree.original_cwd]
    if is_local_path(cwd):
        named.append(real_path(cwd))  # the CLI makes the key from the physical directory
    return (each for each in named if isinstance(each, str) and each)


def _folder(transcript: _core.Transcript) -> str:
    return path_of(transcript).rpartition(os.sep)[0]


def _last(folder: str) -> str:
    return folder.rpartition(os.sep)[2]
