"""Find the orphans: sessions that were begun in the desktop app and that no row names."""

from __future__ import annotations

from .. import _core
from .inventory import transcript_id
from .matching.candidates import DESKTOP, is_conversation
from .matching.state import Docket


def find_orphans(docket: Docket) -> list[_core.Transcript]:
    """Return the transcripts of conversations that were begun in the app and that no row names.

    Left out are conversations that continue in another transcript, and forks and copies that were made
    outside the app.
    """
    survey, lineage = docket.survey, docket.lineage
    orphans = []
    for name, found in survey.by_id.items():
        if not survey.unclaimed(name) or name in docket.taken:
            continue
        transcript = survey.pick(name) or found[0]
        if (
            transcript.born_in != DESKTOP
            or not is_conversation(transcript)
            or lineage.newer_copy(transcript) is not None
        ):
            continue
        older = lineage.older_copies(transcript)
        if any(not survey.unclaimed(o) or o in docket.taken for o in map(transcript_id, older)):
            continue
        if transcript.entrypoint != DESKTOP and (older or lineage.is_fork(transcript)):
            continue
        orphans.append(transcript)
    return orphans
