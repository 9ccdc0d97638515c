"""Tell from a transcript's metadata what it can be: whose session, from where, a conversation or not."""

from __future__ import annotations

import os
from typing import BinaryIO

from .. import _core
from .opening import open_stream
from .project_folder import normalize

DESKTOP = "claude-desktop"


def transcript_id(transcript: _core.Transcript) -> str:
    """Return the uuid of a transcript that was scanned from a file, in small letters."""
    return (transcript.session_id or "").lower()


def path_of(transcript: _core.Transcript) -> str:
    """Return the path of a transcript that was scanned from a file."""
    return transcript.path or ""


def folder_of(transcript: _core.Transcript) -> str:
    """Return the name of the project folder that a transcript is in."""
    return path_of(transcript).rsplit(os.sep, 2)[-2]


def is_conversation(transcript: _core.Transcript) -> bool:
    """Tell whether a transcript holds a conversation that a row can be about: no sidechain, no stub of state
    lines."""
    return not transcript.is_sidechain and transcript.first_uuid is not None


def may_be_desktop(transcript: _core.Transcript) -> bool:
    """Tell whether the session may have been the app's. Older CLIs wrote no entrypoint."""
    return transcript.born_in in (DESKTOP, None) or transcript.entrypoint == DESKTOP


def is_desktop(transcript: _core.Transcript) -> bool:
    """Tell whether a session was begun in the app and last used there, not continued in a terminal."""
    return bool(transcript.born_in == DESKTOP and transcript.entrypoint == DESKTOP)


def may_hold_conversation(transcript: _core.Transcript) -> bool:
    """Tell whether a transcript holds a conversation, or is in such a state that it cannot be told."""
    if transcript.error is not None or not transcript.records:
        return True
    return is_conversation(transcript) or (bool(transcript.defects) and not transcript.is_sidechain)


def could_be_a_rows(transcript: _core.Transcript) -> bool:
    """Tell whether a transcript may be the app's, or is in such a state that it cannot be told."""
    if not may_hold_conversation(transcript):
        return False
    if transcript.error is not None or not transcript.records or not is_conversation(transcript):
        return True
    return may_be_desktop(transcript)


def directories(transcript: _core.Transcript) -> frozenset[str]:
    """Return the directories that a session was in by its own account, in the form of `normalize`."""
    worktree = transcript.worktree
    named = (
        transcript.cwd,
        transcript.last_cwd,
        transcript.relocated_cwd,
        worktree.path if worktree is not None else None,
    )
    return frozenset(normalize(name) for name in named if name)


def open_transcript(path: str) -> BinaryIO:
    """Open a transcript to read some of its lines, also one behind a link. Raises OSError."""
    return open_stream(path, follow=True)
