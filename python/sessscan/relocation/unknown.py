"""Say which directories sessions are from, where none is from the one that was given."""

from __future__ import annotations

import difflib
import ntpath
from collections.abc import Iterable, Sequence

from .. import _core
from ..model import Row
from ..stores.locate import folders_in, transcripts_in
from .folders import Directories
from .rows import directories_of

_SHOWN = 3


def nothing_from(directories: Directories, rows: Iterable[Row], roots: Sequence[str]) -> str:
    """Return in words that no session is from the old folder, and which directory may have been meant."""
    old = directories.move.old
    said = f"no session is from {old}, or from a folder in it"
    known = sorted({*(name for row in rows for name in directories_of(row)), *_of_transcripts(roots)})
    own = ntpath.basename(old).casefold()  # of both kinds of paths
    likely = [name for name in known if ntpath.basename(name.rstrip("/\\")).casefold() == own]
    likely += [name for name in difflib.get_close_matches(old, known, _SHOWN) if name not in likely]
    if not likely:
        return f"{said}. `sessscan list` shows where sessions are from"
    return f"{said}. Did you mean {' or '.join(likely[:_SHOWN])}?"


def _of_transcripts(roots: Sequence[str]) -> Iterable[str]:
    """Yield the first directory of one transcript of each project folder."""
    for root in roots:
        for folder in folders_in(root, [], follow=True):
            first = next(iter(transcripts_in(folder, [])), None)
            if first is None:
                continue
            try:
                event = next(iter(_core.events(first.path, kinds=("cwd",))), None)
            except OSError:
                continue
            if event is not None:
                yield str(event.value)
