"""Whether a project folder's legacy `sessions-index.json` still says what is in the folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .. import _core
from .pool import is_conversation
from .survey import path_of, transcript_id

TOLERANCE = 1_000
"""Ms by which a transcript may be newer than its entry: times were rounded on their way into the index."""


def complaint(path: str, transcripts: list[_core.Transcript]) -> str | None:
    """What is wrong with an index, given the transcripts of its folder; None if it is right."""
    try:
        document = json.loads(Path(path).read_bytes().decode("utf-8", "replace"))
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        return "is damaged: it is not JSON"
    entries = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return "is damaged: it has no list of sessions"
    listed = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("sessionId"), str):
            listed[entry["sessionId"].lower()] = entry.get("fileMtime")
    present = {transcript_id(transcript): transcript for transcript in transcripts}
    gone = len(listed.keys() - present.keys())
    if gone:
        return f"is out of date: it lists {gone} of {len(listed)} sessions that are not there"
    missing = sum(name not in listed for name, transcript in present.items() if is_conversation(transcript))
    if missing:
        return f"is out of date: it does not list {missing} of {len(present)} sessions"
    for name, noted in listed.items():
        if isinstance(noted, int | float) and _mtime(path_of(present[name])) > noted + TOLERANCE:
            return "is out of date: sessions went on since it was written"
    return None


def _mtime(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns // 1_000_000  # noqa: PTH116 - thousands
    except OSError:
        return 0
