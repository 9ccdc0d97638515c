"""A snapshot's bytes, brought up to date from what has happened since it was taken.

Where nothing has, they are the snapshot's exactly. Else the values of a few members are changed where they
stand, and every other byte is the app's.
"""

from __future__ import annotations

import json
import os
from typing import Any, TypeGuard

from ... import _core
from ...snapshots.store import RowVersion
from ...stores.json_members import replace_members
from ...stores.rows import readable_members
from ..inventory import path_of
from ..matching.lost_row import Case
from .from_transcript import Fields, derive

FOLLOWING = ("lastActivityAt", "completedTurns", "title", "titleSource")
"""What moves on with a conversation. All else only the app can know."""


def brought_up_to_date(
    case: Case, version: RowVersion, data: bytes
) -> tuple[dict[str, Any], dict[str, str], bytes]:
    """The row, each field's provenance, and its bytes."""
    fields = readable_members(data)
    values: Fields = {}
    if case.transcript is not None and _has_moved_on(case.transcript, version):
        values = _since(case.transcript, case.session_id, fields)
    values |= _remains(case, fields)
    stated = fields.get("cliSessionId")
    if case.cli_session_id is not None and not (
        isinstance(stated, str) and stated.lower() == case.cli_session_id
    ):
        values["cliSessionId"] = (case.cli_session_id, "the transcript's name")
    values = {key: value for key, value in values.items() if not _same(fields.get(key), value[0])}
    try:
        content = replace_members(data, {key: _json(value) for key, (value, _) in values.items()})
    except (ValueError, RecursionError):  # nested more deeply than can be followed
        values, content = {}, data
    row = readable_members(content)
    provenance = dict.fromkeys(row, "its snapshot") | {key: told for key, (_, told) in values.items()}
    return row, provenance, content


def _has_moved_on(transcript: _core.Transcript, version: RowVersion) -> bool:
    """Whether anything was added to the conversation since the row was kept.

    By the transcript's own times, or by that of its file: a store that was copied may have lost the one, and
    records need not bear a time.
    """
    last = transcript.last_activity_at
    if last is not None and last > version.modified_ns // 1_000_000:
        return True
    try:
        return os.stat(path_of(transcript)).st_mtime_ns // 1_000_000 > version.taken_at  # noqa: PTH116
    except OSError:
        return False


def _since(transcript: _core.Transcript, session_id: str, fields: dict[str, Any]) -> Fields:
    """What the transcript says of the time since."""
    derived = derive(transcript, session_id)
    known = fields.get("lastActivityAt")
    since: Fields = {}
    for key in ("lastActivityAt", "completedTurns"):
        value = fields.get(key)
        if key in derived and _is_number(value) and derived[key][0] > value:
            since[key] = derived[key]
    if "title" in derived and _is_renamed(transcript, fields, known):
        since |= {key: derived[key] for key in ("title", "titleSource")}
    return since


def _is_renamed(transcript: _core.Transcript, fields: dict[str, Any], known: Any) -> bool:
    """Whether the transcript's title has changed since; one that the user gave yields to no other kind."""
    if not fields.get("title"):
        return True
    source = transcript.title_source
    if source not in ("custom", "ai") or (source == "ai" and fields.get("titleSource") == "user"):
        return False
    return _is_number(known) and _title_at(transcript, source, known) != transcript.title


def _title_at(transcript: _core.Transcript, source: str, known: float) -> str | None:
    """The title, of one kind, that stood in the transcript at a time.

    Titles bear no time themselves. What follows the last record of that time may have been written later.
    """
    then = current = None
    try:
        for event in _core.events(path_of(transcript), kinds=("title", "timestamp")):
            if event.kind == "title":
                if event.source == source:
                    current = event.value
            elif event.value > known:
                break
            else:
                then = current
    except OSError:
        return transcript.title
    return then


def _remains(case: Case, fields: dict[str, Any]) -> Fields:
    """What is left of a truncated row, where the app has written it since the snapshot."""
    if case.row.state != "truncated":
        return {}
    left: dict[str, Any] = {}
    for witness in case.base:
        if witness.kind == "prefix" and witness.path == case.row.path and not witness.partial:
            left = witness.fields
    saved, known = left.get("lastActivityAt"), fields.get("lastActivityAt")
    if not (_is_number(saved) and _is_number(known) and saved > known):
        return {}
    return {key: (left[key], "what is left of the row") for key in FOLLOWING if key in left}


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _json(value: Any) -> str:
    """As the app writes it; a lone surrogate stays an escape."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text if text.isascii() or _is_unicode(text) else json.dumps(value, separators=(",", ":"))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
