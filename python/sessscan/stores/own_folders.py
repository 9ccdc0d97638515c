"""List the transcripts that lie in a session's own folder, as Cowork keeps them.

`local_<id>/.claude/projects/<key>/<uuid>.jsonl`, beside the row `local_<id>.json` (FORMATS section 4).
Nothing else in such a folder is looked at: `audit.jsonl` is sealed with a key, and uploads are the user's.
"""

from __future__ import annotations

import os

from .locate import folders_in, is_new, transcripts_in


def own_transcripts(folder: str, seen: set[tuple[int, int] | str], errors: list[OSError]) -> list[str]:
    """Return the paths of the transcripts in a session's own folder, sorted.

    `seen`: the real folders that were listed before, which are left out and added to. `errors`: gets what
    could not be listed.
    """
    projects = os.path.join(folder, ".claude", "projects")  # noqa: PTH118 - there are thousands
    found: list[str] = []
    for project in folders_in(projects, errors, follow=True):
        if is_new(project, seen):
            found += (entry.path for entry in transcripts_in(project, errors))
    return sorted(found)
