"""Find the orphans: sessions that were begun in the desktop app and that no row names."""

from __future__ import annotations

from .. import _core
from ..stores.transcripts import DESKTOP, is_conversation, transcript_id
from .matching.state import State


def find_orphans(state: State) -> list[_core.Transcript]:
    """Return the transcripts of conversations that were begun in the app and that no row names.

    Left out are conversations that continue in another transcript, and forks and copies that were made
    outside the app.
    """
    inventory, lineage = state.inventory, state.lineage
    orphans = []
    for name, found in inventory.by_id.items():
        if not inventory.unclaimed(name) or name in state.taken:
            continue
        transcript = inventory.pick(name) or found[0]
        if (
            transcript.born_in != DESKTOP
            or not is_conversation(transcript)
            or lineage.newer_copy(transcript) is not None
        ):
            continue
        older = lineage.older_copies(transcript)
        if any(not inventory.unclaimed(o) or o in state.taken for o in map(transcript_id, older)):
            continue
        if transcript.entrypoint != DESKTOP and (older or lineage.is_fork(transcript)):
            continue
        orphans.append(transcript)
    return orphans
