"""Provide `get_session_messages` of `claude_agent_sdk`: a conversation, as the TypeScript SDK gives it.

Arguments and fields are the Python SDK's; which messages there are, and in which order, is what
`sessscan.conversation` says. Where the Python SDK gives others is in `python/docs/sdk.md`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import _core
from ..stores.locate import StrPath
from .sdk import passing_for, paths_of

_ATTEMPTS = 3


@dataclass(frozen=True)
class SessionMessage:
    """One message. The fields are those of the SDK's `SessionMessage`, in the same order.

    It passes for one where that class is asked for, as `SessionInfo` does for an `SDKSessionInfo`.
    """

    type: Literal["user", "assistant"]
    uuid: str
    session_id: str
    message: Any
    """What the API was given or gave: `role`, `content` and more."""
    parent_tool_use_id: str | None = None
    parent_agent_id: str | None = None

    if not TYPE_CHECKING:  # no type checker lets a property stand for it

        @property
        def __class__(self):
            """The class, as `isinstance` is told."""
            return passing_for(SessionMessage, "SessionMessage")

    def __reduce__(self) -> tuple[Callable[..., SessionMessage], tuple[object, ...]]:
        """Return how to make a copy, whatever has been imported where that is done."""
        return SessionMessage, tuple(getattr(self, field.name) for field in fields(SessionMessage))


def get_session_messages(
    session_id: str,
    directory: StrPath | None = None,
    limit: int | None = None,
    offset: int = 0,
    *,
    projects: StrPath | Iterable[StrPath] | None = None,
) -> list[SessionMessage]:
    """Return the messages of a session's conversation, in their order.

    Only the messages that are returned are parsed. Of several files of the session the newest counts. The
    list is empty if there is no such session.

    Args:
        session_id: the session, whose transcript is `<session_id>.jsonl`.
        directory: look only in the projects of this directory and its git worktrees; None for all.
        limit: return at most this many; 0 and None mean all.
        offset: skip this many messages first.
        projects: the transcripts' roots; by default `$CLAUDE_CONFIG_DIR/projects`, or else
            `~/.claude/projects`.

    Raises:
        OSError: the transcript cannot be read.
    """
    for path in paths_of(session_id, directory, projects):
        return _messages(path, limit, max(offset, 0))
    return []


def _messages(path: str, limit: int | None, offset: int) -> list[SessionMessage]:
    """Read some of a transcript's messages."""
    end = offset + limit if limit is not None and limit > 0 else None
    for _ in range(_ATTEMPTS):
        page = _core.conversation(path).messages[offset:end]
        found = _read(path, page)
        if found is not None:
            return found
    raise OSError(f"{path} was rewritten each time while it was read. Read it once nothing writes to it.")


def _read(path: str, page: Sequence[_core.Message]) -> list[SessionMessage] | None:
    """Read messages from their places in a file; None if something else is there by now."""
    found = []
    with Path(path).open("rb") as file:
        for place in page:
            file.seek(place.offset)
            try:
                record = json.loads(file.read(place.length).decode("utf-8", "replace"))
            except ValueError:
                return None
            message = _message(record, place) if isinstance(record, dict) else None
            if message is None:
                return None
            found.append(message)
    return found


def _message(record: dict[str, Any], place: _core.Message) -> SessionMessage | None:
    session_id = record.get("sessionId", "")
    if place.is_queued:
        queued = record.get("attachment")
        if not isinstance(queued, dict):
            return None
        message: Any = {"role": "user", "content": queued.get("prompt")}
        return SessionMessage("user", place.uuid, session_id, message)
    if record.get("uuid") != place.uuid or record.get("type") != place.type:
        return None
    kind: Literal["user", "assistant"] = "user" if place.type == "user" else "assistant"
    return SessionMessage(kind, place.uuid, session_id, record.get("message"))
