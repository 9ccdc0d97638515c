"""Tell whether the old `sessions-index.json` names a session."""

from __future__ import annotations

import os

from ..reconciliation.sessions_index import listed_in
from ..visibility_result import Surface, SurfaceVerdict
from .rules import reason
from .subject import Subject

_SURFACE: Surface = "sessions-index"


def old_index(subject: Subject) -> SurfaceVerdict:
    """Return whether an index names the session: that of its project folder, or any where it has none."""
    folders = {file.folder for file in subject.files if file.in_project_folder}
    indexes = {path: listed_in(path) for path in subject.inventory.listing.indexes}
    named = [path for path, listed in indexes.items() if listed is not None and subject.name in listed]
    if named:
        reasons = tuple(reason(_SURFACE, "named", f"{path} names it.") for path in named)
        return SurfaceVerdict(_SURFACE, "shown", reasons)
    own = [path for path in indexes if os.path.dirname(path) in folders]  # noqa: PTH120
    unread = [path for path in own if indexes[path] is None]
    if unread:
        reasons = tuple(reason(_SURFACE, "unreadable-index", f"{path} cannot be read.") for path in unread)
        return SurfaceVerdict(_SURFACE, "unknown", reasons)
    if own:
        reasons = tuple(reason(_SURFACE, "not-named", f"{path} does not name it.") for path in own)
        return SurfaceVerdict(_SURFACE, "hidden", reasons)
    where = " or ".join(sorted(folders)) or "the project folders"
    return SurfaceVerdict(_SURFACE, "hidden", (reason(_SURFACE, "no-index", f"There is none in {where}."),))
