"""Find the transcripts that a user names, by path or by session, or all there are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import UsageError
from ..stores.locate import StrPath
from ..stores.project_files import list_transcripts

_SHORTEST = 4
"""Characters of the shortest beginning of an id that is taken for it."""


def transcripts(named: Iterable[StrPath], roots: Iterable[str]) -> tuple[list[str], list[OSError]]:
    """Return the paths of the transcripts that were named, or of all under `roots`, and what went wrong.

    A name is a file, a folder of transcripts, or the id of a session, of which the first characters do.

    Raises `UsageError` for a name that fits nothing, or several sessions.
    """
    names = [os.fspath(name) for name in named]
    listing = list_transcripts(roots)
    if not names:
        return listing.transcripts, listing.errors
    found: dict[str, None] = {}
    errors = list(listing.errors)
    for name in names:
        path = Path(os.path.abspath(name))  # noqa: PTH100  # `resolve` would follow links
        if path.is_dir():
            inside = list_transcripts([str(path)])
            found.update(dict.fromkeys(inside.transcripts))
            errors += inside.errors
        elif os.path.lexists(path):
            found[str(path)] = None
        else:
            found[_by_id(name, listing.transcripts)] = None
    return list(found), errors


def _by_id(name: str, paths: Iterable[str]) -> str:
    wanted = name.lower().removesuffix(".jsonl").removeprefix("local_")
    if len(wanted) < _SHORTEST:
        raise UsageError(
            f"{name}: there is no such file, and as the beginning of a session's id it is too short"
        )
    fitting = [path for path in paths if Path(path).stem.lower().startswith(wanted)]
    if not fitting:
        raise UsageError(f"{name}: there is no such file, and no transcript of such a session")
    whole = [path for path in fitting if Path(path).stem.lower() == wanted] or fitting
    if len({Path(path).stem.lower() for path in whole}) > 1:
        raise UsageError(f"{name}: {len(whole)} sessions have ids that begin so: give more of it")
    if len(whole) > 1:
        raise UsageError(
            f"{name}: there are {len(whole)} transcripts of this session: give a path, as {whole[0]}"
        )
    return whole[0]
