"""Tell why a transcript must not be given to a row by what the two merely have in common."""

from __future__ import annotations

from ... import _core
from ...stores.transcripts import is_desktop, transcript_id
from ..inventory import prior_ids
from .lost_row import LostRow
from .state import State


def why_unfit(
    state: State, transcript: _core.Transcript, lost: LostRow, cwd: object, fits: str
) -> str | None:
    """Return why nothing but an outer resemblance must not give a transcript to a row; None if it may.

    `cwd`: the row's directory, where that is known. `fits`: by what it fits, as in `by its time`.
    """
    what, lineage = f"the transcript that fits {fits}", state.lineage
    if not is_desktop(transcript):
        return f"{what} was not begun and last used in the desktop app, as far as it says"
    if lineage.is_fork(transcript):
        return f"{what} is a fork of another session"
    if lineage.newer_copy(transcript, thorough=True) is not None:
        return f"{what} is an older copy of one that went on elsewhere"
    for older in lineage.older_copies(transcript, thorough=True):
        if _is_anothers(state, transcript_id(older), lost):
            return f"{what} continues one that another row claims"
        if not lineage.goes_on_in(older, transcript):
            return f"{what} is a copy of another, and either may be meant"
    return state.ambiguous(transcript_id(transcript), cwd)


def _is_anothers(state: State, name: str, lost: LostRow) -> bool:
    """Tell whether a transcript is another row's, or was deleted; not if this row alone names it."""
    own = (str(lost.row.fields.get("cliSessionId", "")).lower(), *prior_ids(lost.row))
    if lost.row.state == "ok" and name in own and name not in state.inventory.tombstones:
        return bool(state.inventory.claimants(name, lost.session_id))
    return state.belongs_to_another(name, lost)
