"""Find the transcripts that a command is to read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import typer

from ..render.screen import remark
from ..render.text import counted
from ..stores.locate import TRANSCRIPT_NAME, locate
from ..stores.project_files import list_transcripts
from .options import absolute, folders


class Sources:
    """The transcripts under the given paths, and whether something could not be read."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self._failed = False

    @classmethod
    def of(cls, paths: list[Path] | None, projects: list[Path] | None) -> Sources:
        """Return the given files, whatever their names, and the session transcripts in the given folders.

        Without `paths`: the sessions under `projects`, or all of this user. A file that does not exist fails
        later, when it is read. The paths are absolute; links in them are not resolved.
        """
        sources = cls()
        if not paths:
            sources._sessions(folders(projects, "--projects"))
            return sources
        for path in paths:
            if path.is_dir():
                sources._folder(str(absolute(path)))
            else:
                sources.files.append(str(absolute(path)))
        return sources

    def _sessions(self, roots: list[Path] | None) -> None:
        places = locate((), roots)
        listing = list_transcripts(places.projects)
        self.files = listing.transcripts
        for error in listing.errors:
            self.unreadable(error, None)
        if not places.projects:
            remark("sessscan: there are no transcripts in this user's usual folder: name files or folders")

    def _folder(self, folder: str) -> None:
        before, others = len(self.files), 0
        for path in self._walk(folder):
            if TRANSCRIPT_NAME.fullmatch(Path(path).name):
                self.files.append(path)
            else:
                others += 1
        if len(self.files) == before:
            more = f" ({counted(others, 'other .jsonl file')}: name them to scan them)" if others else ""
            remark(f"sessscan: {folder}: no session transcripts here{more}")

    def _walk(self, folder: str) -> Iterator[str]:
        """Yield the .jsonl files under a folder, in order of their names.

        Folders with the name of a session are left out: their files belong to that session.
        """
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable(error, folder)
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not TRANSCRIPT_NAME.fullmatch(f"{entry.name}.jsonl"):
                    yield from self._walk(entry.path)
            elif entry.name.endswith(".jsonl"):
                yield entry.path

    def unreadable(self, error: OSError, path: str | None) -> None:
        """Report what could not be read. `close` will exit with status 4."""
        self._failed = True
        remark(f"sessscan: {error.filename or path}: {error.strerror or error}")

    def close(self) -> None:
        """Exit with status 4 if something could not be read."""
        if self._failed:
            raise typer.Exit(4)
