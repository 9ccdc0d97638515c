"""Derive a row's fields from its transcript: each field's value, and where it comes from.

Nothing here grants, resumes or deletes anything: permissions are the app's defaults, and what the transcript
does not say is left out.
"""

from __future__ import annotations

from typing import Any

from ... import _core
from ...stores.project_folder import WORKTREE_PART, matches_key
from ...stores.row_fields import DEFAULTS
from ...stores.transcripts import folder_of

Fields = dict[str, tuple[Any, str]]
"""Each field with its value and its provenance."""


def fields_of(transcript: _core.Transcript, details: _core.Details | None, session_id: str) -> Fields:
    """Return all fields of a row that can be known from its transcript, in the app's order.

    `details`: what the scan says of the transcript's lines; None where it could not be asked.
    """
    fields: Fields = {
        "sessionId": (session_id, "the row's name"),
        "cliSessionId": (transcript.session_id, "the transcript's name"),
    }
    directory = _directory(transcript, details)
    if directory is not None:
        fields["cwd"] = directory
        fields["originCwd"] = _origin(transcript, directory)
    worktree = transcript.worktree
    if worktree is not None:
        for key, value in (
            ("worktreePath", worktree.path),
            ("worktreeName", worktree.name),
            ("branch", worktree.branch),
            ("sourceBranch", worktree.original_branch),
        ):
            if value is not None:
                fields[key] = (value, "its own worktree-state")
    if transcript.created_at is not None:
        fields["createdAt"] = (transcript.created_at, "the transcript's first timestamp")
    if transcript.last_activity_at is not None:
        fields["lastActivityAt"] = (transcript.last_activity_at, "the transcript's last timestamp")
        fields["lastFocusedAt"] = (transcript.last_activity_at, "the transcript's last timestamp")
    if transcript.title is not None:
        fields["title"] = (transcript.title, _title_origin(transcript, details))
        custom = transcript.title_source == "custom"
        fields["titleSource"] = ("user" if custom else "auto", "the kind of title")
    fields["isArchived"] = (False, "default")
    if transcript.model is not None:
        fields["model"] = (transcript.model, "the last answer's model")
    for key, value in DEFAULTS.items():
        # A fresh value each time: what goes into a plan is the reader's to change.
        fields[key] = (type(value)() if isinstance(value, list | dict) else value, "default")
        if key == "permissionMode":
            fields["completedTurns"] = (transcript.turns, "human prompts in the transcript")
    return fields


def _directory(transcript: _core.Transcript, details: _core.Details | None) -> tuple[str, str] | None:
    """Return the session's own directory: the first whose key is the folder's name, else the first."""
    folder = folder_of(transcript)
    first: dict[str, int] = {}
    for line, value in () if details is None else details.cwds:
        first.setdefault(value, line)
    for value, line in first.items():
        if matches_key(value, folder):
            return value, f"cwd, line {line}"
    moved = transcript.relocated_cwd
    if moved is not None and matches_key(moved, folder):
        return moved, "relocated record"
    if transcript.cwd is None:
        return None
    line_of = first.get(transcript.cwd)
    return transcript.cwd, "cwd" if line_of is None else f"cwd, line {line_of}"


def _origin(transcript: _core.Transcript, directory: tuple[str, str]) -> tuple[str, str]:
    """Return the repository's root, as far as it can be known."""
    worktree = transcript.worktree
    cwd, provenance = directory
    if worktree is not None and worktree.original_cwd is not None:
        return worktree.original_cwd, "its own worktree-state"
    part = WORKTREE_PART.search(cwd)
    if part is not None and part.start() > 0:
        return cwd[: part.start()], "the part of cwd before /.claude/worktrees"
    return cwd, provenance


def _title_origin(transcript: _core.Transcript, details: _core.Details | None) -> str:
    source = transcript.title_source
    if source in ("custom", "ai"):
        line = None if details is None else details.title_line(source, transcript.title or "")
        return f"{source}-title" if line is None else f"{source}-title, line {line}"
    return "summary" if source == "summary" else "the first prompt"
