"""The user's word on a hold: which row is meant, which transcript, and whether that can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ... import _core
from ...stores.row_states import LOST_STATES
from ...stores.rows import bare_id
from ..inventory import path_of, transcript_id
from .candidates import is_conversation
from .lost_row import Case
from .state import Docket

Matches = Mapping[str, str] | Iterable[str]


def resolve(docket: Docket, matches: Matches | None) -> list[tuple[Case, _core.Transcript]]:
    """The rows and transcripts that `matches` means: ROW=TRANSCRIPT, or the two as a mapping's items.

    A row is given by its path, file name or session id, a transcript by its path or uuid. Raises
    `ValueError`, with a text for the user, where one cannot be found, is given twice or must not be matched.
    """
    if matches is None:
        return []
    if isinstance(matches, Mapping):
        wishes = [(row, transcript) for row, transcript in matches.items()]
    else:
        wishes = [_split(docket, wish) for wish in ([matches] if isinstance(matches, str) else matches)]
    found: list[tuple[Case, _core.Transcript]] = []
    for row, name in wishes:
        case, transcript = _case(docket, row), _transcript(docket, name)
        for other, theirs in found:
            if other is case:
                raise ValueError(f"{row} is matched twice")
            if transcript_id(theirs) == transcript_id(transcript):
                raise ValueError(f"{name} is matched to two rows, {other.session_id} and {case.session_id}")
        claimants = docket.survey.claimants(transcript_id(transcript), case.session_id)
        if claimants:
            raise ValueError(f"{name} already belongs to {claimants[0].path}, a row that the app can read")
        if transcript_id(transcript) in docket.survey.tombstones:
            raise ValueError(f"{name} belongs to a session that was deleted")
        if not is_conversation(transcript):
            raise ValueError(f"{name} is no session of its own: it holds no conversation, or a subagent's")
        found.append((case, transcript))
    return found


def _split(docket: Docket, wish: str) -> tuple[str, str]:
    """The two halves of ROW=TRANSCRIPT; a path may itself hold a `=`."""
    places = [place for place, character in enumerate(wish) if character == "="]
    if not places:
        raise ValueError(f"{wish!r} is not of the form ROW=TRANSCRIPT")
    for place in places:
        if _rows(docket, wish[:place]):
            return wish[:place], wish[place + 1 :]
    return wish[: places[0]], wish[places[0] + 1 :]


def _rows(docket: Docket, name: str) -> list[str]:
    """The paths of the rows, healthy or not, that a name means."""
    paths = [row.path for row in docket.survey.rows()]
    absolute = str(Path(name).absolute())
    if absolute in paths:
        return [absolute]
    stem = bare_id(name.removesuffix(".json"))
    return [path for path in paths if bare_id(Path(path).name.removesuffix(".json")) == stem]


def _case(docket: Docket, name: str) -> Case:
    paths = _rows(docket, name)
    if not paths:
        raise ValueError(f"there is no row {name} in the stores looked at")
    if len(paths) > 1:
        raise ValueError(f"{name} is the name of several rows; give the path: {', '.join(paths)}")
    for case in docket.cases:
        if case.row.path == paths[0]:
            if LOST_STATES[case.row.state].untouchable is not None or case.row.error is not None:
                raise ValueError(f"{name} cannot be put back: it is {case.row.error or case.row.state}")
            return case
    row = next(row for row in docket.survey.rows() if row.path == paths[0])
    if row.state == "ok":
        raise ValueError(f"{name} is a row that the app can read; there is nothing to put back")
    raise ValueError(f"{name} belongs to a session that was deleted")


def _transcript(docket: Docket, name: str) -> _core.Transcript:
    by_id = docket.pick(name.removesuffix(".jsonl").lower())
    if by_id is not None:
        return by_id
    absolute = str(Path(name).absolute())
    for transcript in docket.survey.transcripts:
        if path_of(transcript) == absolute:
            return transcript
    for unread in docket.survey.unread:
        if path_of(unread) == absolute or unread.session_id == name:
            raise ValueError(f"{name} cannot be read: {unread.error}")
    if Path(absolute).is_file():
        raise ValueError(f"{name} is no session's transcript in the projects looked at")
    raise ValueError(f"there is no transcript {name} in the projects looked at")
