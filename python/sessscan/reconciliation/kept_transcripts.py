"""Find transcripts that have lost something since they were kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import _core
from ..errors import SnapshotError
from ..keeping.compare import Loss, losses
from ..model import Finding, Severity
from ..rules import finding
from ..stores.locate import real_path
from ..stores.retention import Retention, retention
from ..stores.transcripts import is_conversation
from .inventory import Inventory, cli_session_id, is_hollow
from .matching.lost_row import moment
from .naming import called, of_transcript

_DAY = 86_400_000

RULES = ("transcript-gone", "shrunk", "rewritten", "hollow")


def kept_transcripts(inventory: Inventory, lost: Iterable[Loss]) -> Iterator[Finding]:
    """Yield a finding for each transcript that has lost something.

    `lost`: what `known_losses` returned.
    """
    deleted = {name.lower() for name in inventory.tombstones}
    for loss in lost:
        if loss.whole.session_id in deleted:
            continue
        if loss.kind == "gone":
            yield from _gone(inventory, loss)
        else:
            yield from _changed(inventory, loss)


def known_losses(inventory: Inventory) -> list[Loss]:
    """Return what the transcripts have lost since they were kept. Nothing if what is kept cannot be read:
    `sessscan snapshots --verify` tells that."""
    try:
        return list(losses(inventory.projects))
    except SnapshotError:
        return []


def last_whole(loss: Loss) -> str:
    """Return a sentence that says when a transcript was kept that is gone or others by now, and how it comes
    back."""
    whole = loss.whole
    at = "" if loss.kind == "gone" else f" --at {whole.taken_at}"
    return (
        f"It was kept at {moment(whole.taken_at)}, {whole.size:,} bytes: `sessscan restore "
        f"{whole.session_id}{at}` puts that back."
    )


def _gone(inventory: Inventory, loss: Loss) -> Iterator[Finding]:
    whole = loss.whole
    if inventory.files(whole.session_id):
        return  # it lies elsewhere now
    message = f"Its transcript is gone; it was kept at {moment(whole.taken_at)}, {whole.size:,} bytes."
    kept = _retention(inventory, loss.path)
    swept = kept is not None and _was_due(kept, whole.modified_ns // 1_000_000, inventory.now)
    if swept:
        message += " It was old enough for the CLI to remove it."
    message += f" `sessscan restore {whole.session_id}` puts it back."
    severity: Severity = "note" if swept else "warning"
    yield finding("transcript-gone", loss.path, message, severity=severity, transcript=loss.path)


def _changed(inventory: Inventory, loss: Loss) -> Iterator[Finding]:
    whole = loss.whole
    own = inventory.files(whole.session_id)
    about = of_transcript(own[0]) if own else (None, None, None)
    before = _as_kept(loss) if own and not any(is_conversation(one) for one in own) else None
    if before is not None and is_conversation(before):
        about = of_transcript(before)
        rows = inventory.claims.get(whole.session_id, ())
        if not any(cli_session_id(row) == whole.session_id and is_hollow(row, own[0]) for row in rows):
            message = f"{called(about)} holds no message of a conversation any more. {last_whole(loss)}"
            yield finding("hollow", loss.path, message, transcript=loss.path, about=about)
        return  # else the row's own finding tells it
    what = (
        f"has {loss.size:,} bytes, and had {whole.size:,}"
        if loss.kind == "shrunk"
        else "holds other bytes than it did"
    )
    message = (
        f"{called(about)} {what} when it was kept at {moment(whole.taken_at)}. `sessscan restore "
        f"{whole.session_id} --at {whole.taken_at}` puts it back."
    )
    yield finding(loss.kind, loss.path, message, transcript=loss.path, about=about)


def _as_kept(loss: Loss) -> _core.Transcript | None:
    """Return what a transcript said when it was kept; None where that cannot be read. Reads all of it."""
    scanner = _core.Scanner(loss.whole.session_id)
    try:
        for piece in loss.whole.pieces():
            scanner.feed(piece)
    except SnapshotError:
        return None
    return scanner.finish()


def _retention(inventory: Inventory, path: str) -> Retention | None:
    """Return how long the transcripts are kept under the root that a path lies in."""
    for root in inventory.projects:
        if Path(path).is_relative_to(real_path(root)):
            return retention(root, inventory.transcripts)
    return None


def _was_due(kept: Retention, modified: int, now: int) -> bool:
    """Tell whether the CLI may have removed a transcript of which nothing but its age is known."""
    return kept.days is not None and modified + kept.days * _DAY <= now
