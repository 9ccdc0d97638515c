"""Read transcripts, and take a closer look at those whose bytes or conversation are damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .. import _core
from ..errors import describe
from ..model import Finding, Progress
from ..reconciliation.transcript_damage import (
    broken_chain,
    damaged_transcript,
    refused_content,
    unpaired_call,
)
from ..rules import finding
from ..scan_cache.conversations import ConversationCheck, check_many


@dataclass(frozen=True)
class Look:
    """What was seen of a transcript that is damaged, or could not be read."""

    path: str
    findings: tuple[Finding, ...]
    conversation: _core.Conversation | None = None
    """What a reader gives of it; None where it could not be read."""


def unreadable(path: str, error: OSError) -> Finding:
    """Return the finding about a file or folder that cannot be read."""
    return finding("unreadable", path, f"It cannot be read: {describe(error)}.")


def look_at(
    paths: Sequence[str],
    *,
    every: bool,
    index: bool,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Look]:
    """Yield what is seen of each transcript that is damaged or cannot be read, in the order given.

    `every`: of all of them, damaged or not. `index`: see `check_many`.
    """
    checks = check_many(paths, index=index, threads=threads, progress=progress)
    for path in paths:
        check = checks.get(path)
        if every or check is None or check.defects or check.unread or not check.is_whole:
            yield _look(path, check)


def _look(path: str, check: ConversationCheck | None) -> Look:
    try:
        transcript = _core.scan(path)
        conversation = _core.conversation(path)
    except OSError as error:
        return Look(path, (unreadable(path, error),))
    findings = list(damaged_transcript(transcript, check))
    if check is not None:
        for found in (broken_chain, unpaired_call, refused_content):
            findings += found(transcript, check)
    return Look(path, tuple(findings), conversation)
