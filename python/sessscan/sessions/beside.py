"""Say what the files beside a transcript add to it: a title, and whether its session is archived.

Both are ranked against the transcript's own lines as the official TypeScript SDK does it.
"""

from __future__ import annotations

import json
import os
import unicodedata
from itertools import groupby
from typing import Any

from .. import _core
from ..stores import beside_transcripts
from ..stores.transcripts import open_transcript, path_of

END_SIZE = 65_536
"""Bytes. The SDKs read so much of either end of a transcript. A title in its last ones counts more than that
of a file beside it, which counts more than one in a line before."""

_TITLE_LENGTH = 200
_LONGEST_LINE = 16 * 1024 * 1024


def given_title(transcript: _core.Transcript) -> str | None:
    """Return the title that the user gave, in a line of the transcript or in `custom-title.json`."""
    path = path_of(transcript)
    title = beside_transcripts.custom_title(*_place(path))
    title = None if title is None else _shown(title)
    if not title:
        return transcript.custom_title
    if transcript.custom_title is not None:
        return _title_at_the_end(path, transcript.size) or title
    return title


def archived(transcript: _core.Transcript) -> bool | None:
    """Return whether `archived.json` says that a session is archived; None where it says nothing.

    A prompt that was typed later has taken it out of the archive.
    """
    path = path_of(transcript)
    mark = beside_transcripts.archived(*_place(path))
    if mark is None or not mark.archived:
        return None if mark is None else False
    active = transcript.last_activity_at
    return not (active is not None and active > mark.at and _was_prompted_after(path, mark.at))


def _place(path: str) -> tuple[str, str]:
    """Return the project folder of a transcript, and its uuid as its file's name spells it."""
    folder, name = os.path.split(path)
    return folder, name.removesuffix(".jsonl")


def _shown(title: str) -> str:
    """Return a title with a blank for each run of control and format characters, at most 200 characters."""
    pieces: list[str] = []
    for hidden, run in groupby(title.strip(), key=_is_hidden):
        pieces.append(" " if hidden else "".join(run))
    return "".join(pieces)[:_TITLE_LENGTH].strip()


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")


def _title_at_the_end(path: str, size: int) -> str | None:
    """Return the last title that a whole line in the last bytes of a transcript gives."""
    try:
        with open_transcript(path) as file:
            file.seek(max(0, size - END_SIZE))
            end = file.read(END_SIZE)
    except OSError:
        return None
    if size > END_SIZE:
        end = end[end.find(b"\n") + 1 :]
    return _core.scan_bytes(end).custom_title


def _was_prompted_after(path: str, time: int) -> bool:
    """Tell whether a person typed a prompt after a time, epoch ms."""
    try:
        with open_transcript(path) as file:
            while line := file.readline(_LONGEST_LINE):
                if (b'"user"' in line or b'"queued_command"' in line) and b'"tool_result"' not in line:
                    prompt = _prompt(line)
                    if prompt.turns and (prompt.last_activity_at or 0) > time:
                        return True
    except OSError:
        pass
    return False


def _prompt(line: bytes) -> _core.Transcript:
    """Return what a line says of prompts: one that was queued while the model worked is one as well."""
    if b'"queued_command"' in line:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        queued = _queued(record)
        if queued is not None:
            line = json.dumps(queued).encode()
    return _core.scan_bytes(line)


def _queued(record: Any) -> dict[str, Any] | None:
    """Return a queued prompt as the record of a prompt; None for any other record."""
    attachment = record.get("attachment") if isinstance(record, dict) else None
    if not isinstance(attachment, dict) or attachment.get("type") != "queued_command":
        return None
    origin = attachment.get("origin")
    if isinstance(origin, dict) and origin.get("kind") != "human":
        return None
    if attachment.get("isMeta") or record.get("isSidechain"):
        return None
    return {
        "type": "user",
        "message": {"content": attachment.get("prompt")},
        "timestamp": record.get("timestamp"),
    }
