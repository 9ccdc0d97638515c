"""Read the small files that the app, the CLI and the SDKs leave beside a transcript.

Each function takes the project folder and the transcript's uuid, as its file's name spells it. A file that is
not there, that cannot be read, that is a link, no regular file or larger than `MAX_SIZE`, or that does not
say what it should, gives None. Nothing is raised.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .locate import entries, is_file
from .rows import read_file

MAX_SIZE = 1024 * 1024
"""Bytes. No real one of these files has more than a few hundred."""

_SET_ASIDE = re.compile(
    r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?:\.orphaned-[^/\\]+\.jsonl|\.jsonl\.superseded-[^/\\]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Archived:
    """What `<uuid>/archived.json` says. Times are epoch ms."""

    archived: bool
    """False where the session was archived and is no longer."""
    at: int
    """When that was decided. A prompt that was typed later takes the session out of the archive."""


@dataclass(frozen=True, slots=True)
class Released:
    """What `<uuid>.desktop-released.json` says: the app gave the session up."""

    at: int | None
    """When, epoch ms; None where the file does not say."""
    reason: str | None
    """Why: `delete` where the user deleted the session in the app."""

    @property
    def deleted(self) -> bool:
        """Whether the user deleted the session."""
        return self.reason == "delete"


def custom_title(folder: str, name: str) -> str | None:
    """Return the title in `<uuid>/custom-title.json`, as it is there; None for a blank one."""
    content = _object(os.path.join(folder, name, "custom-title.json"))  # noqa: PTH118 - of many sessions
    title = content.get("customTitle") if content else None
    return title if isinstance(title, str) and title.strip() else None


def archived(folder: str, name: str) -> Archived | None:
    """Return whether a session is archived by `<uuid>/archived.json`, and since when."""
    content = _object(os.path.join(folder, name, "archived.json"))  # noqa: PTH118
    if content is None:
        return None
    decision, at = content.get("archived"), epoch(content.get("at"))
    return Archived(decision, at) if isinstance(decision, bool) and at is not None else None


def released(folder: str, name: str) -> Released | None:
    """Return when and why the app gave a session up, by `<uuid>.desktop-released.json`."""
    content = _object(os.path.join(folder, f"{name}.desktop-released.json"))  # noqa: PTH118
    if content is None:
        return None
    reason = content.get("reason")
    return Released(epoch(content.get("releasedAt")), reason if isinstance(reason, str) else None)


def set_aside(folder: str, name: str) -> list[str]:
    """Return the paths of the transcripts of this uuid that were set aside, sorted."""
    return all_set_aside(folder).get(name.lower(), [])


def all_set_aside(folder: str) -> dict[str, list[str]]:
    """Return the paths of all transcripts of a folder that were set aside, by uuid in small letters.

    They are named `<uuid>.orphaned-<time>-<suffix>.jsonl` by the app, `<uuid>.jsonl.superseded-<time>` by the
    CLI.
    """
    found: dict[str, list[str]] = {}
    for entry in entries(folder, []):
        match = _SET_ASIDE.fullmatch(entry.name)
        if match is not None and is_file(entry):
            found.setdefault(match["id"].lower(), []).append(entry.path)
    return {name: sorted(paths) for name, paths in found.items()}


def _object(path: str) -> dict[str, Any] | None:
    """Return the JSON object in a small regular file, None for anything else."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_SIZE:
            return None
        data, status = read_file(path, MAX_SIZE)
        if status.st_size > MAX_SIZE:
            return None
        content = json.loads(data.decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def epoch(value: object) -> int | None:
    """Return a time in epoch ms, from a number or an RFC 3339 text with a zone."""
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float):
            return int(value)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return None if moment.tzinfo is None else int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    return None
