"""Bring a snapshot's bytes up to date with what has happened since it was taken.

Where nothing has, they are the snapshot's exactly. Else the values of a few members are changed where they
stand, and every other byte is the app's.
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard

from ... import _core
from ...snapshots.store import RowVersion
from ...stores.json_members import replace_members
from ...stores.rows import readable_members
from ..matching.lost_row import LostRow, Matched
from .from_transcript import Fields, fields_of

FOLLOWING = ("lastActivityAt", "completedTurns", "title", "titleSource")
"""What changes as a conversation goes on. All else only the app can know."""


def refreshed(
    lost: LostRow, match: Matched, version: RowVersion, data: bytes, details: _core.Details | None
) -> tuple[dict[str, Any], dict[str, str], bytes]:
    """Return the row as it should be now, each field's provenance, and its bytes."""
    fields = readable_members(data)
    values: Fields = {}
    if match.transcript is not None and _has_gone_on(match.transcript, version):
        values = _since(match.transcript, details, lost.session_id, fields)
    values |= _remains(lost, match, fields)
    stated = fields.get("cliSessionId")
    if match.cli_session_id is not None and not (
        isinstance(stated, str) and stated.lower() == match.cli_session_id
    ):
        values["cliSessionId"] = (match.cli_session_id, "the transcript's name")
    values = {key: value for key, value in values.items() if not _same(fields.get(key), value[0])}
    try:
        content = replace_members(data, {key: _json(value) for key, (value, _) in values.items()})
    except (ValueError, RecursionError):  # nested more deeply than can be followed
        values, content = {}, data
    row = readable_members(content)
    provenance = dict.fromkeys(row, "its snapshot") | {key: origin for key, (_, origin) in values.items()}
    return row, provenance, content


def _has_gone_on(transcript: _core.Transcript, version: RowVersion) -> bool:
    """Tell whether anything was added to the conversation since the row was kept.

    By the transcript's own times, or by that of its file: a store that was copied may have lost the one, and
    records need not bear a time.
    """
    last = transcript.last_activity_at
    if last is not None and last > version.modified_ns // 1_000_000:
        return True
    return transcript.modified_at is not None and transcript.modified_at > version.taken_at


def _since(
    transcript: _core.Transcript, details: _core.Details | None, session_id: str, fields: dict[str, Any]
) -> Fields:
    """Return what the transcript says of the time since."""
    derived = fields_of(transcript, details, session_id)
    known = fields.get("lastActivityAt")
    since: Fields = {}
    for key in ("lastActivityAt", "completedTurns"):
        value = fields.get(key)
        if key in derived and _is_number(value) and derived[key][0] > value:
            since[key] = derived[key]
    if "title" in derived and _is_renamed(transcript, details, fields, known):
        since |= {key: derived[key] for key in ("title", "titleSource")}
    return since


def _is_renamed(
    transcript: _core.Transcript, details: _core.Details | None, fields: dict[str, Any], known: Any
) -> bool:
    """Tell whether the transcript's title has changed since; one that the user gave yields to no other
    kind."""
    if not fields.get("title"):
        return True
    source = transcript.title_source
    if source not in ("custom", "ai") or (source == "ai" and fields.get("titleSource") == "user"):
        return False
    if details is None or not _is_number(known):
        return False
    return details.title_at(source, known) != transcript.title


def _remains(lost: LostRow, match: Matched, fields: dict[str, Any]) -> Fields:
    """Return what is left of a truncated row, where the app has written it since the snapshot."""
    if lost.row.state != "truncated":
        return {}
    left: dict[str, Any] = {}
    for remains in match.base:
        if remains.kind == "prefix" and remains.path == lost.path and not remains.partial:
            left = remains.fields
    saved, known = left.get("lastActivityAt"), fields.get("lastActivityAt")
    if not (_is_number(saved) and _is_number(known) and saved > known):
        return {}
    return {key: (left[key], "what is left of the row") for key in FOLLOWING if key in left}


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _json(value: Any) -> str:
    """Encode a value as the app does; a lone surrogate stays an escape."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text if text.isascii() or _is_unicode(text) else json.dumps(value, separators=(",", ":"))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
