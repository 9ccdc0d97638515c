"""Tell which files a table of transcripts is read from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..stores.locate import StrPath, locate
from ..stores.project_files import list_transcripts

Paths = StrPath | Iterable[StrPath] | None


def files_of(of: Any) -> list[StrPath]:
    """Return the named files, and the sessions in named folders.

    A folder that cannot be listed is returned itself, and fails when it is read.
    """
    if of is None:
        return _listed(locate((), None).projects)
    if isinstance(of, str | os.PathLike):
        of = [of]
    files: list[StrPath] = []
    for path in of:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"neither a path nor, like all others, a transcript: {path!r:.80}")
        files += _listed([os.fspath(path)]) if os.path.isdir(path) else [path]  # noqa: PTH112  # as above
    return files


def _listed(roots: Iterable[str]) -> list[StrPath]:
    listing = list_transcripts(roots)
    return [*listing.transcripts, *(error.filename for error in listing.errors if error.filename)]
