"""The transcripts a lost row may have belonged to although nothing names them: what inference may draw on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

from .. import _core
from .survey import Survey

DESKTOP = "claude-desktop"

_OTHER = re.compile(r"[^A-Za-z0-9]")
_OTHER_OLD = re.compile(r"[^A-Za-z0-9_]")
_DRIVE = re.compile(r"[A-Za-z]:")

KEY_LENGTH = 200
"""UTF-16 units of a project folder's name that come from the path; longer ones are cut and get a hash."""


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
        for name, found in survey.by_id.items()
        if survey.unclaimed(name) and name not in taken
        for transcript in found
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
    return {normal(name) for name in named if name}


def normal(path: str) -> str:
    """A directory's name in the one form in which two names of one directory are equal. Windows paths are
    known by their drive, whatever the platform."""
    path = unicodedata.normalize("NFC", path)
    if _DRIVE.match(path) or path.startswith("\\\\"):
        path = path.replace("/", "\\").casefold()
    return path.rstrip("/\\") or path


def in_folder(directory: str, folder: str) -> bool:
    """Whether a project folder's name is the key of `directory`, by the rule of any CLI (FORMATS §1)."""
    text = directory if directory.isascii() else unicodedata.normalize("NFC", directory)
    if not text.isascii():
        # A character beyond the first plane is two UTF-16 units and becomes two dashes.
        text = "".join(c if ord(c) < 0x10000 else "--" for c in text)
    if _DRIVE.match(text):
        text, folder = text.casefold(), folder.casefold()
    for other in (_OTHER, _OTHER_OLD):
        key = other.sub("-", text)
        if key == folder:
            return True
        if len(key) > KEY_LENGTH and folder.startswith(key[:KEY_LENGTH] + "-"):
            return True
    return False
