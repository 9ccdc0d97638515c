"""Match rows as the user says: which row is meant, which transcript, and whether that can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ... import _core
from ...errors import MatchError
from ...model import Evidence
from ...stores.rows import bare_id
from ...stores.transcripts import is_conversation, path_of, transcript_id
from ..inventory import Inventory, counted_turns
from .lost_row import LostRow
from .remains import can_be_written
from .state import Proposal, State

Matches = Mapping[str, str] | Iterable[str]


def by_user(state: State, matches: Matches | None) -> list[Proposal]:
    """Propose the matches that the user asks for: ROW=TRANSCRIPT, or the two as a mapping's items.

    A row is given by its path, file name or session id, a transcript by its path or uuid. Raises
    `MatchError` where one cannot be found, is given twice or must not be matched.
    """
    found: list[tuple[LostRow, _core.Transcript]] = []
    for row, name in _wishes(state.inventory, matches):
        lost, transcript = _lost_row(state, row), _transcript(state, name)
        for other, theirs in found:
            if other is lost:
                raise MatchError(f"{row} is matched twice")
            if transcript_id(theirs) == transcript_id(transcript):
                raise MatchError(f"{name} is matched to two rows, {other.session_id} and {lost.session_id}")
        claimants = state.inventory.claimants(transcript_id(transcript), lost.session_id)
        if claimants:
            raise MatchError(f"{name} already belongs to {claimants[0].path}, a row that the app can read")
        if transcript_id(transcript) in state.inventory.tombstones:
            raise MatchError(f"{name} belongs to a session that was deleted")
        if not is_conversation(transcript):
            raise MatchError(f"{name} is no session of its own: it holds no conversation, or a subagent's")
        found.append((lost, transcript))
    return [
        Proposal(lost, state.match(lost, transcript, Evidence("match", "you said so")))
        for lost, transcript in found
    ]


def _wishes(inventory: Inventory, matches: Matches | None) -> list[tuple[str, str]]:
    if matches is None:
        return []
    if isinstance(matches, Mapping):
        return list(matches.items())
    return [_split(inventory, wish) for wish in ([matches] if isinstance(matches, str) else matches)]


def _split(inventory: Inventory, wish: str) -> tuple[str, str]:
    """Return the two halves of ROW=TRANSCRIPT; a path may itself hold a `=`."""
    places = [place for place, character in enumerate(wish) if character == "="]
    if not places:
        raise MatchError(f"{wish!r} is not of the form ROW=TRANSCRIPT")
    for place in places:
        if _rows(inventory, wish[:place]):
            return wish[:place], wish[place + 1 :]
    return wish[: places[0]], wish[places[0] + 1 :]


def _rows(inventory: Inventory, name: str) -> list[str]:
    """Return the paths of the rows, healthy or not, that a name means."""
    paths = [row.path for row in inventory.rows()]
    absolute = str(Path(name).absolute())
    if absolute in paths:
        return [absolute]
    stem = bare_id(name.removesuffix(".json"))
    return [path for path in paths if bare_id(Path(path).name.removesuffix(".json")) == stem]


def _lost_row(state: State, name: str) -> LostRow:
    paths = _rows(state.inventory, name)
    if not paths:
        raise MatchError(f"there is no row {name} in the stores looked at")
    if len(paths) > 1:
        raise MatchError(f"{name} is the name of several rows; give the path: {', '.join(paths)}")
    for lost in state.lost:
        if lost.path == paths[0]:
            if not can_be_written(lost):
                raise MatchError(f"{name} cannot be put back: it is {lost.row.error or lost.row.state}")
            return lost
    unlinked = state.unlinked.get(paths[0])
    if unlinked is not None:
        return unlinked.lost
    row = next(row for row in state.inventory.rows() if row.path == paths[0])
    if row.state == "ok":
        if counted_turns(row):
            raise MatchError(f"{name} is a row that the app can read; there is nothing to put back")
        raise MatchError(f"{name} is a row that the app can read, of a session without turns")
    raise MatchError(f"{name} belongs to a session that was deleted")


def _transcript(state: State, name: str) -> _core.Transcript:
    by_id = state.pick(name.removesuffix(".jsonl").lower())
    if by_id is not None:
        return by_id
    absolute = str(Path(name).absolute())
    for transcript in state.inventory.transcripts:
        if path_of(transcript) == absolute:
            return transcript
    for unread in state.inventory.unread:
        if path_of(unread) == absolute or unread.session_id == name:
            raise MatchError(f"{name} cannot be read: {unread.error}")
    if Path(absolute).is_file():
        raise MatchError(f"{name} is no session's transcript in the projects looked at")
    raise MatchError(f"there is no transcript {name} in the projects looked at")
