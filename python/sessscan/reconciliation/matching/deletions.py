"""Find the deletions whose transcript is not known: any unclaimed transcript may be one of theirs."""

from __future__ import annotations

from ...stores.rows import bare_id, read_file
from ...stores.transcripts import transcript_id
from ..inventory import Inventory
from .limits import FIRST_RELEASE, FUTURE, PAIRED_DELETION


def unexplained_deletions(inventory: Inventory) -> list[int]:
    """Return when sessions were deleted of which neither row nor transcript is known, epoch ms, sorted.

    A mark that names a row which is still there, or a known transcript, is explained; so are two that were
    made at the same time, one for the row and one for its transcript.
    """
    known = {transcript_id(transcript) for transcript in (*inventory.transcripts, *inventory.unread)}
    found: list[int] = []
    for contents in inventory.every_store():
        present = {bare_id(row.session_id) for row in contents.rows}
        present |= {bare_id(leftover.session_id) for leftover in contents.temporaries}
        marks = [(name, path) for name, path in contents.deletions if name not in present]
        if not any(name not in known for name, _ in marks):
            continue
        timed = sorted((_deleted_at(path, inventory.now), name) for name, path in marks)
        times = [at for at, _ in timed]
        found += [
            at for place, (at, name) in enumerate(timed) if name not in known and not _is_paired(times, place)
        ]
    found += [
        inventory.now if at is None else at for name, at in inventory.released.items() if name not in known
    ]
    return sorted(found)


def _deleted_at(path: str, now: int) -> int:
    """Return the time in a tombstone, epoch ms; where it holds none, when it was written, or else now."""
    try:
        data, status = read_file(path, limit=64)
    except OSError:
        return now
    text = data.strip()
    stated = int(text) if text.isdigit() else 0
    if FIRST_RELEASE <= stated <= now + FUTURE:
        return stated
    return status.st_mtime_ns // 1_000_000


def _is_paired(times: list[int], place: int) -> bool:
    return any(
        0 <= other < len(times) and abs(times[other] - times[place]) <= PAIRED_DELETION
        for other in (place - 1, place + 1)
    )
