"""Find the transcripts that a lost row may have belonged to although nothing names them."""

from __future__ import annotations

from collections.abc import Container

from ... import _core
from ...stores.transcripts import is_conversation, may_be_desktop
from ..inventory import Inventory


def free(inventory: Inventory, taken: Container[str]) -> list[_core.Transcript]:
    """Return the conversations, possibly the app's, that no row names and no tombstone forbids."""
    return [
        transcript
        for name in inventory.by_id
        if inventory.unclaimed(name) and name not in taken
        if (transcript := inventory.pick(name)) is not None
        if may_be_desktop(transcript) and is_conversation(transcript)
    ]
