"""Gather what the places' rules are applied to: one session with its files, and what surrounds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .. import _core
from ..model import Action, Finding
from ..reconciliation.inventory import Inventory
from ..reconciliation.matching.state import State
from ..reconciliation.places import Places
from ..stores.locate import real_path
from ..stores.project_folder import is_local_path, matches_key
from ..stores.rows import bare_id
from ..stores.transcripts import path_of
from .ends import Ends, read_ends
from .known import Known


@dataclass(frozen=True)
class File:
    """One file of a session's transcript."""

    path: str
    transcript: _core.Transcript
    in_project_folder: bool
    """Whether it lies directly in a folder of the projects folder, where the CLI and the SDKs look."""
    folder_is_link: bool
    modified_ns: int
    ends: Ends | None
    """None where it is empty or cannot be read."""
    problem: str | None
    """Why it cannot be read, in the system's words."""

    @property
    def is_link(self) -> bool:
        """Whether it is a link to a transcript."""
        return os.path.islink(self.path)  # noqa: PTH114 - a str is at hand

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return os.path.dirname(self.path)  # noqa: PTH120


@dataclass(frozen=True)
class Subject:
    """A session, and what the rules of all places ask."""

    known: Known
    state: State
    findings: tuple[Finding, ...]
    planned: tuple[Action, ...]

    @property
    def inventory(self) -> Inventory:
        """What was read of all stores."""
        return self.state.inventory

    @property
    def name(self) -> str | None:
        """The uuid of its transcript."""
        return self.known.name

    @cached_property
    def places(self) -> Places:
        """The project folders under all their names."""
        return Places(self.inventory)

    @cached_property
    def files(self) -> tuple[File, ...]:
        """The files of its transcript, the one that was written last first."""
        found = [self._file(transcript) for transcript in self.known.transcripts]
        return tuple(
            sorted(found, key=lambda file: (not file.in_project_folder, -file.modified_ns, file.path))
        )

    def _file(self, transcript: _core.Transcript) -> File:
        path, ends, problem = path_of(transcript), None, None
        try:
            ends = read_ends(path)
        except OSError as error:
            problem = error.strerror or str(error)
        try:
            modified = os.stat(path).st_mtime_ns  # noqa: PTH116
        except OSError:
            modified = 0
        folder = os.path.dirname(path)  # noqa: PTH120
        listing = self.inventory.listing
        return File(
            path,
            transcript,
            folder in listing.folders and path not in listing.misplaced,
            os.path.islink(folder) and folder not in self.inventory.projects,  # noqa: PTH114
            modified,
            ends,
            problem,
        )

    @property
    def cwd(self) -> str | None:
        """The directory that it was begun in."""
        named = [file.transcript.cwd for file in self.files]
        named += [one.fields.get("cwd") for one in self.known.rows]
        named += [one.row.fields.get("cwd") for one in self.known.lost]
        return next((one for one in named if isinstance(one, str) and one), None)

    def directory_of(self, file: File) -> str | None:
        """Return the directory of the session in whose project folder a file lies; None where it is of none
        that the session names."""
        names = self.places.names(file.transcript)
        for directory in _directories(file.transcript):
            spellings = [directory]
            if is_local_path(directory):
                spellings.append(real_path(directory))
            if any(matches_key(each, name) for each in spellings for name in names):
                return directory
        return None

    def about(self, *rules: str) -> Iterator[Finding]:
        """Yield what was found of its readable rows, by these rules."""
        paths = {row.path for row in self.known.rows}
        return (one for one in self.findings if one.path in paths and one.rule in rules)

    @property
    def is_desktop(self) -> bool:
        """Whether it is one of the app's by what its transcript says."""
        return any(file.transcript.born_in == "claude-desktop" for file in self.files)

    @property
    def row_ids(self) -> frozenset[str]:
        """The bare ids of its rows."""
        return frozenset(bare_id(one.session_id) for one in self.known.registered)


def _directories(transcript: _core.Transcript) -> Iterator[str]:
    worktree = transcript.worktree
    named = [transcript.relocated_cwd, transcript.cwd, transcript.last_cwd]
    if worktree is not None:
        named += [worktree.path, worktree.original_cwd]
    return (each for each in named if each)
