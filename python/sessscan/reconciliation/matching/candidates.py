"""The transcripts a lost row may have belonged to although nothing names them: what inference may draw on."""

from __future__ import annotations

from collections.abc import Container

from ... import _core
from ...stores.project_folder import normalize
from ..inventory import Survey

DESKTOP = "claude-desktop"


def is_conversation(transcript: _core.Transcript) -> bool:
    """Whether there is a conversation in it that a row can be about: no sidechain, no stub of state lines."""
    return not transcript.is_sidechain and transcript.first_uuid is not None


def may_be_desktop(transcript: _core.Transcript) -> bool:
    """Whether it cannot be excluded that the session was the app's. Older CLIs wrote no entrypoint."""
    return transcript.born_in in (DESKTOP, None) or transcript.entrypoint == DESKTOP


def is_desktop(transcript: _core.Transcript) -> bool:
    """Whether the session was born in the app and last used there: none that was continued in a terminal."""
    return bool(transcript.born_in == DESKTOP and transcript.entrypoint == DESKTOP)


def free(survey: Survey, taken: Container[str]) -> list[_core.Transcript]:
    """The conversations, possibly the app's, that no row names and no tombstone forbids."""
    return [
        transcript
        for name in survey.by_id
        if survey.unclaimed(name) and name not in taken
        if (transcript := survey.pick(name)) is not None
        if may_be_desktop(transcript) and is_conversation(transcript)
    ]


def directories(transcript: _core.Transcript) -> set[str]:
    """The directories a session was in by its own account, in the form of `normal`."""
    worktree = transcript.worktree
    named = (
        transcript.cwd,
        transcript.last_cwd,
        transcript.relocated_cwd,
        worktree.path if worktree is not None else None,
    )
    return {normalize(name) for name in named if name}
