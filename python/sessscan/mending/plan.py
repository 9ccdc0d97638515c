"""Plan what is to be done about one transcript: from what was seen of it to an action."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .. import _core
from ..errors import TooLargeError
from ..model import Action, Evidence, Fingerprint, HeldParent, Reached
from ..stores.locate import TRANSCRIPT_NAME
from .choices import Choices
from .content import BytesContent, Content, FileContent, from_utf16
from .described import held_parents, left_out
from .look import Look
from .transcript import Mended, mend

MOST_EDITS = 100_000
"""Edits of one transcript that a plan holds at most."""


def action_for(look: Look, chosen: Choices, *, unbrick: bool) -> Action | None:
    """Return what would be done about a transcript: a repair, or a hold; None if it needs neither.

    Raises `MatchError` for a choice that cannot be.
    """
    conversation = look.conversation
    if conversation is None:
        return None
    path = look.path
    if (reason := _why_not(path)) is not None:
        return _hold(path, reason, ())
    try:
        before = _fingerprint(path)
        utf16 = any(defect.kind == "utf-16" for defect in conversation.defects)
        with _content(path, utf16) as content:
            found = _core.survivors(content.data if isinstance(content, BytesContent) else path)
            mended = mend(
                content,
                found,
                [message.uuid for message in conversation.messages],
                chosen.among(record.uuid for record in found.records if record.uuid),
                unbrick=unbrick,
            )
            return _action(path, before, mended, utf16)
    except TooLargeError as error:
        return _hold(path, f"{error}: sessscan does not repair such a file", ())
    except OSError as error:
        return _hold(path, f"it cannot be read any more: {error.strerror or error}", ())


def _why_not(path: str) -> str | None:
    """Return why a file is not repaired whatever is in it."""
    if Path(path).is_symlink():
        return "it is a link: repair the file that it leads to"
    if not TRANSCRIPT_NAME.fullmatch(Path(path).name):
        return "it is not named as a session's transcript is, so no reader looks at it"
    return None


def _fingerprint(path: str) -> Fingerprint:
    status = os.lstat(path)
    return Fingerprint(path, True, status.st_size, status.st_mtime_ns, status.st_ino)


@contextmanager
def _content(path: str, utf16: bool) -> Iterator[Content]:
    if utf16:
        yield from_utf16(path)
        return
    content = FileContent(path)
    try:
        yield content
    finally:
        content.close()


def _action(path: str, before: Fingerprint, mended: Mended, utf16: bool) -> Action | None:
    held = tuple(held_parents(mended.graph, mended.mending))
    if not mended.edits and not utf16:
        return (
            _hold(path, held[0].why if held else mended.refused or "", held)
            if held or mended.refused
            else None
        )
    if len(mended.edits) > MOST_EDITS:
        return _hold(path, f"it has more than {MOST_EDITS:,} damaged places", ())
    return Action(
        kind="repair",
        path=path,
        session_id=None,
        cli_session_id=Path(path).stem.lower(),
        transcript=path,
        evidence=tuple(Evidence("match", f"{record}={parent}") for record, parent in mended.chosen.items()),
        error=None,
        rests_on=(before,),
        edits=tuple(mended.edits),
        utf16=utf16,
        reached=Reached(mended.before, mended.after),
        left_out=tuple(left_out(mended.graph, mended.mending)),
        held=held,
    )


def _hold(path: str, why: str, held: Sequence[HeldParent]) -> Action:
    return Action(
        kind="hold",
        path=path,
        session_id=None,
        cli_session_id=Path(path).stem.lower(),
        transcript=path,
        status="held",
        error=why,
        held=tuple(held),
    )
