"""Tell whether a session goes on in another transcript, as the official TypeScript SDK decides it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from .. import _core
from ..stores.locate import TRANSCRIPT_NAME
from ..stores.transcripts import open_transcript, path_of

_LONGEST_SEARCH = 16 * 1024 * 1024
"""Bytes at the end of the session, or at the beginning of its continuation, that are searched."""
_BLOCK = 1024 * 1024
_CHAIN = b'"parentUuid":'


def goes_on_elsewhere(transcript: _core.Transcript) -> bool:
    """Tell whether the session was continued in a transcript beside it that holds messages, and was not used
    again since."""
    if transcript.continued_in is None:
        return False
    path = path_of(transcript)
    for line in _lines_backwards(path):
        if b'"continued-in"' in line:
            name = _successor(line)
            if name is not None:
                return TRANSCRIPT_NAME.fullmatch(f"{name}.jsonl") is not None and _holds_messages(
                    str(Path(path).with_name(f"{name}.jsonl"))
                )
        elif _is_use(line):
            return False
    return False


def _lines_backwards(path: str) -> Iterator[bytes]:
    """Yield the last lines of a transcript, the last one first."""
    try:
        with open_transcript(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _LONGEST_SEARCH))
            data = file.read(_LONGEST_SEARCH)
    except OSError:
        return
    if size > _LONGEST_SEARCH:
        data = data[data.find(b"\n") + 1 :]
    end = len(data)
    while end > 0:
        begin = data.rfind(b"\n", 0, end) + 1
        yield data[begin:end]
        end = begin - 1


def _successor(line: bytes) -> str | None:
    return _core.scan_bytes(line).continued_in


def _is_use(line: bytes) -> bool:
    """Tell whether a line is a prompt, or an answer that was finished."""
    if b'"user"' in line:
        return _core.scan_bytes(line).turns > 0
    if b'"assistant"' not in line or b'"stop_reason"' not in line:
        return False
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(record, dict) or record.get("type") != "assistant":
        return False
    message = record.get("message")
    answered = isinstance(message, dict) and isinstance(message.get("stop_reason"), str)
    return answered and record.get("isApiErrorMessage") is not True


def _holds_messages(path: str) -> bool:
    """Tell whether a transcript holds a message; one with none in its first 16 MiB counts as well."""
    try:
        with open_transcript(path) as file:
            end = b""
            searched = 0
            while searched < _LONGEST_SEARCH:
                block = file.read(_BLOCK)
                if not block:
                    return False
                if _CHAIN in end + block:
                    return True
                end = block[-len(_CHAIN) :]
                searched += len(block)
    except OSError:
        return False
    return True
