"""Tell whether the Python SDK's `list_sessions` shows a transcript, by its own rules.

They were read in the code of claude-agent-sdk 0.2.189. A test compares the verdicts with its answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .ends import Ends, begins_in_sidechain, has, lines, openings, strings

_NO_PROMPT = re.compile(
    r"(?:<local-command-stdout>|<session-start-hook>|<tick>|<goal>|\[Request interrupted by user[^\]]*\]"
    r"|\s*<ide_opened_file>[\s\S]*</ide_opened_file>\s*$|\s*<ide_selection>[\s\S]*</ide_selection>\s*$)"
)
_COMMAND = re.compile(r"<command-name>(.*?)</command-name>")


def hiding_rules(ends: Ends) -> list[str]:
    """Return the names of the rules that hide a transcript with these ends. Raises RecursionError where a
    line nests too deeply."""
    if begins_in_sidechain(ends):
        return ["sidechain"]
    return [] if _has_text(ends) else ["nothing-to-show"]


def _has_text(ends: Ends) -> bool:
    """Tell whether there is something to list the session under."""
    named = (
        (ends.tail, "customTitle"),
        (ends.head, "customTitle"),
        (ends.tail, "aiTitle"),
        (ends.head, "aiTitle"),
        (ends.tail, "lastPrompt"),
        (ends.tail, "summary"),
    )
    return any(_last(text, key) for text, key in named) or _has_prompt(ends.head)


def _last(text: str, key: str) -> str:
    """Return the last value of a key; one with a blank after the colon beats all without."""
    found = ""
    for opening in openings(key):
        for _, value in strings(text, opening):
            found = value
    return found


def _has_prompt(head: str) -> bool:
    """Tell whether there is a prompt, or the name of a slash command."""
    is_command = False
    for line in lines(head):
        if not has(line, "type", '"user"') or '"tool_result"' in line:
            continue
        if has(line, "isMeta", "true") or has(line, "isCompactSummary", "true"):
            continue
        for text in _texts(line):
            typed = text.replace("\n", " ").strip()
            if typed and (command := _COMMAND.search(typed)) is not None:
                is_command = is_command or bool(command[1])
            elif typed and not _NO_PROMPT.match(typed):
                return True
    return is_command


def _texts(line: str) -> Iterator[str]:
    """Yield the texts of a line that is a prompt's record."""
    try:
        record: Any = json.loads(line)
    except ValueError:
        return
    if not isinstance(record, dict) or record.get("type") != "user":
        return
    message = record.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str):
            yield block["text"]
