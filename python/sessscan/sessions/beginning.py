"""Read the first lines of a transcript for what the SDKs show of it, and a scan does not keep.

A scan folds the white space of the first prompt, and asks neither which record is the first nor what a
message holds besides text. The official SDKs read as many bytes of each file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from .. import _core
from ..stores.transcripts import open_transcript

SIZE = 65_536
"""Bytes."""

_PROMPT_LENGTH = 200
_PROGRAMS = frozenset(("sdk-cli", "sdk-ts", "sdk-py"))
_PROGRAM_KINDS = ("daemon", "daemon-worker")

# What an editor puts before a prompt: it is none of it (FORMATS, Turns).
_IDE_CONTEXT = re.compile(
    r"\s*(?:<ide_opened_file>.*?</ide_opened_file>|<ide_selection>.*?</ide_selection>)", re.DOTALL
)


def read_beginning(path: str) -> bytes:
    """Return the first bytes of a transcript; none if it cannot be read any more."""
    try:
        with open_transcript(path) as file:
            return file.read(SIZE)
    except OSError:
        return b""


def begins_in_sidechain(data: bytes) -> bool:
    """Tell whether the first line is a subagent's record: the SDKs take the whole file for a subagent's."""
    line = data.partition(b"\n")[0]
    return b'"isSidechain"' in line and _core.scan_bytes(line).is_sidechain


def is_programmatic(transcript: _core.Transcript, data: bytes) -> bool:
    """Tell whether a program began the session: an SDK, `claude -p`, or a process in the background."""
    if transcript.born_in in _PROGRAMS:
        return True
    chain = (line for line in BytesIO(data) if b'"parentUuid"' in line)
    record = _parsed(next(chain, b""))
    return record is not None and record.get("sessionKind") in _PROGRAM_KINDS


def typed_prompt(transcript: _core.Transcript, data: bytes) -> str | None:
    """Return the first prompt with its white space as it was typed, line breaks as blanks, cut to 200
    characters and `…`; None if it is not among the first lines."""
    wanted = transcript.first_prompt
    if wanted is None or " " not in wanted:
        return None
    for content in _contents(data):
        texts = [_without_context(text) for text in _texts(content)]
        if " ".join(" ".join(texts).split())[:_PROMPT_LENGTH].rstrip() == wanted.rstrip():
            typed = next(filter(None, (text.replace("\n", " ").strip() for text in texts)), "")
            cut = typed[:_PROMPT_LENGTH].rstrip() + "…"
            return typed if len(typed) <= _PROMPT_LENGTH else cut
    return None


def first_attachment(data: bytes) -> str | None:
    """Return what to call a session without any text: after the first image or document in a prompt."""
    for content in _contents(data):
        for block in content if isinstance(content, list) else ():
            kind = block.get("type") if isinstance(block, dict) else None
            if kind in ("image", "document"):
                return str(kind).capitalize()
    return None


def _contents(data: bytes) -> Iterator[Any]:
    """Yield the content of each message that may be a person's, in the whole lines."""
    for line in BytesIO(data):
        if b'"user"' not in line:
            continue
        record = _parsed(line)
        if record is None or record.get("type") != "user" or record.get("isMeta") is True:
            continue
        message = record.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        blocks = content if isinstance(content, list) else ()
        if not any(isinstance(block, dict) and block.get("type") == "tool_result" for block in blocks):
            yield content


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str):
            yield block["text"]


def _without_context(text: str) -> str:
    while context := _IDE_CONTEXT.match(text):
        text = text[context.end() :]
    return text


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
