"""Tell whether the TypeScript SDK's `listSessions` shows a transcript, by its own rules.

They were read in the code of @anthropic-ai/claude-agent-sdk 0.3.332. A test compares the verdicts with its
answers, in both of its modes.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..stores import beside_transcripts
from ..stores.locate import TRANSCRIPT_NAME
from ..stores.opening import open_stream
from .ends import Ends, begins_in_sidechain, has, lines, lines_backwards, openings, read_ends, strings
from .typed_text import SPACE, SPACE_CHARACTERS, without_pasted

_PROGRAMS = frozenset(("sdk-cli", "sdk-ts", "sdk-py"))
_PROGRAM_KINDS = frozenset(("daemon", "daemon-worker"))
_CONTINUED = '"type":"continued-in"'
_CHAIN = b'"parentUuid":'
_LONGEST_SEARCH = 16 * 1024 * 1024
"""Bytes at the beginning of a continuation that it searches for a message."""
_LATEST = 8192
"""Characters at the end in which it first looks for a key that follows another string."""

_COMMAND = re.compile("<command-name>([^\n\r\u2028\u2029]*?)</command-name>")
_SHELL = re.compile(r"<bash-input>[\s\S]*?</bash-input>")
_NO_PROMPT = re.compile(
    rf"(?:[{SPACE}]*<[a-z][a-zA-Z0-9_-]*[{SPACE}>]|\[Request interrupted by user[^\]]*\])"
)


@dataclass(frozen=True, slots=True)
class Hiding:
    """A rule that hides a transcript."""

    rule: str
    detail: str = ""
    """What of the transcript it is about, as the end of a sentence; empty where the rule says it all."""
    at: int | None = None
    """Since when it hides the transcript, epoch ms."""


def hiding_rules(path: str, ends: Ends, *, programmatic: bool) -> list[Hiding]:
    """Return the rules that hide a transcript with these ends, in the order in which the SDK applies them.

    Args:
        path: the transcript; files beside it count too.
        ends: what was read of it.
        programmatic: whether sessions of programs are shown.

    Raises RecursionError where a line nests too deeply.
    """
    program = None if programmatic else begun_by(ends)
    found = [] if program is None else [Hiding("programmatic", program)]
    successor = _successor(ends.tail)
    if successor is not None and _holds_messages(str(Path(path).with_name(f"{successor[0]}.jsonl"))):
        found.append(Hiding("continued", *successor))
    if begins_in_sidechain(ends):
        found.append(Hiding("sidechain"))
    elif not _has_text(path, ends):
        found.append(Hiding("nothing-to-show"))
    return found


def begun_by(ends: Ends) -> str | None:
    """Return what makes it take a session for one that a program began; None for any other session."""
    begun_in = _first(ends.head, "entrypoint")
    if begun_in is None:
        begun_in = _last(ends.tail, "entrypoint")
    if begun_in in _PROGRAMS:
        return f"entrypoint {begun_in}"
    chain = next((line for line in lines(ends.head) if '"parentUuid":' in line), ends.head)
    kind = _first(chain, "sessionKind")
    return f"sessionKind {kind}" if kind in _PROGRAM_KINDS else None


def _first(text: str, key: str) -> str | None:
    """Return the first value of a key; one without a blank after the colon beats all with one."""
    for opening in openings(key):
        for _, value in strings(text, opening):
            return _unescaped(value)
    return None


def _last(text: str, key: str) -> str | None:
    """Return the last value of a key. What follows another string at the very end is found sooner."""
    opening = openings(key)[0]
    comma = text.find(f'",{opening}', max(0, len(text) - _LATEST))
    if comma > 0 and text[comma - 1] != "\\" and not text.endswith(opening, 0, comma + 1):
        found = _last_from(text, key, comma + 2)
        if found is not None:
            return found
    return _last_from(text, key, 0)


def _last_from(text: str, key: str, begin: int) -> str | None:
    found = [each for opening in openings(key) for each in strings(text, opening, begin)]
    return _unescaped(max(found)[1]) if found else None


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    text = _parsed(f'"{value}"')
    return text if isinstance(text, str) else value


def _successor(tail: str) -> tuple[str, int | None] | None:
    """Return the transcript in which a session goes on, and since when, epoch ms; None where it was used
    again since."""
    if _CONTINUED not in tail:
        return None
    for line in lines_backwards(tail):
        marks = _CONTINUED in line
        used = '"type":"user"' in line or '"type":"assistant"' in line
        record = _parsed(line) if marks or used else None
        if not isinstance(record, dict):
            continue
        if (
            marks
            and record.get("type") == "continued-in"
            and isinstance(record.get("continuedInSessionId"), str)
        ):
            name: str = record["continuedInSessionId"]
            known = TRANSCRIPT_NAME.fullmatch(f"{name}.jsonl") is not None
            return (name, beside_transcripts.epoch(record.get("timestamp"))) if known else None
        if used and _is_use(record):
            return None
    return None


def _is_use(record: dict[str, Any]) -> bool:
    """Tell whether a record is a prompt, or an answer that was finished."""
    if record.get("type") != "assistant":
        return _prompt(record, [])
    failed, message = record.get("isApiErrorMessage", False), record.get("message")
    return failed is False and isinstance(message, dict) and isinstance(message.get("stop_reason"), str)


def _holds_messages(path: str) -> bool:
    """Tell whether a transcript holds a message; one with none in its first 16 MiB counts as well."""
    if Path(path).is_symlink():
        return False
    try:
        ends = read_ends(path)
        if ends is None:
            return False
        if '"parentUuid":' in ends.head or '"parentUuid":' in ends.tail:
            return True
        return _searched(path)
    except OSError:
        return False


def _searched(path: str) -> bool:
    with open_stream(path) as file:
        end, done = b"", 0
        while done < _LONGEST_SEARCH:
            block = file.read(1 << 20)
            if not block:
                return False
            if _CHAIN in end + block:
                return True
            end = block[-len(_CHAIN) :]
            done += len(block)
    return True


def _has_text(path: str, ends: Ends) -> bool:
    """Tell whether there is something to list the session under."""
    given = _titled(ends.tail, "custom-title", "customTitle")
    if given or (given is None and _has_title_beside(path)):
        return True
    return (
        any(
            (
                _titled(ends.head, "custom-title", "customTitle"),
                _titled(ends.tail, "ai-title", "aiTitle"),
                _titled(ends.head, "ai-title", "aiTitle"),
                _member(ends.tail, "lastPrompt"),
                _member(ends.tail, "summary"),
            )
        )
        or _has_prompt(ends.head)
        or _has_attachment(ends.head)
    )


def _has_title_beside(path: str) -> bool:
    folder, name = os.path.split(path)
    title = beside_transcripts.custom_title(folder, name.removesuffix(".jsonl"))
    return title is not None and any(
        unicodedata.category(each) not in ("Cc", "Cf", "Zl", "Zp", "Zs") for each in title
    )


def _titled(text: str, kind: str, key: str) -> str | None:
    """Return what the last record of a kind has under a key, also where half a record stands before it."""
    for line in lines_backwards(text):
        if f'"{key}":' not in line or not has(line, "type", f'"{kind}"'):
            continue
        record = _parsed(line)
        if record is None:
            at = line.rfind(f'{{"type":"{kind}"')
            record = _parsed(line[at:]) if at > 0 and line[at - 1] not in ":,[" else None
        if isinstance(record, dict) and record.get("type") == kind and isinstance(record.get(key), str):
            found: str = record[key]
            return found
    return None


def _member(text: str, key: str) -> str | None:
    """Return what the last record has under a key that has a string there."""
    for line in lines_backwards(text):
        record = _parsed(line) if f'"{key}":' in line else None
        if isinstance(record, dict) and isinstance(record.get(key), str):
            found: str = record[key]
            return found
    return None


def _has_prompt(head: str) -> bool:
    """Tell whether there is a prompt, or the name of a slash command."""
    commands: list[str] = []
    for line in _users(head):
        if has(line, "isCompactSummary", "true"):
            continue
        record = _parsed(line)
        if isinstance(record, dict) and _prompt(record, commands):
            return True
    return any(commands)


def _has_attachment(head: str) -> bool:
    """Tell whether there is an image or document in a prompt."""
    return any(has(line, "type", f'"{kind}"') for line in _users(head) for kind in ("image", "document"))


def _users(head: str) -> Iterator[str]:
    """Yield the lines that may be a person's prompts."""
    for line in lines(head):
        if has(line, "type", '"user"') and '"tool_result"' not in line and not has(line, "isMeta", "true"):
            yield line


def _prompt(record: dict[str, Any], commands: list[str]) -> bool:
    """Tell whether a record is a prompt; add the names of the slash commands before it to `commands`."""
    if record.get("type") != "user" or record.get("isMeta") is True or record.get("isCompactSummary") is True:
        return False
    message = record.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    texts = [content] if isinstance(content, str) else []
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        if block.get("type") == "tool_result":
            return False
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            texts.append(block["text"])
    return any(_is_typed(text, commands) for text in texts)


def _is_typed(text: str, commands: list[str]) -> bool:
    typed = without_pasted(text).replace("\n", " ").strip(SPACE_CHARACTERS)
    if not typed:
        return False
    command = _COMMAND.search(typed)
    if command is not None:
        commands.append(command[1])
        return False
    return _SHELL.search(typed) is not None or _NO_PROMPT.match(typed) is None


def _parsed(line: str) -> Any:
    """Return the JSON value of a line; None where it is none."""
    try:
        return json.loads(line, parse_constant=_refuse, parse_int=float)
    except ValueError:
        return None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
