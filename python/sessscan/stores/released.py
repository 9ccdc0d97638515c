"""Tell which sessions the user deleted in the app, by the marks beside their transcripts.

`<uuid>.desktop-released.json` survives a registry that was wiped, so it counts as a tombstone (FORMATS
section 4).
"""

from __future__ import annotations

from .beside_transcripts import released
from .project_files import Listing


def released_sessions(listing: Listing) -> dict[str, int | None]:
    """Return by uuid, in small letters, when the user deleted each session, epoch ms; None where the mark
    does not say."""
    found: dict[str, int | None] = {}
    for folder, name in listing.released:
        mark = released(folder, name)
        if mark is not None and mark.deleted:
            found[name.lower()] = mark.at
    return found
