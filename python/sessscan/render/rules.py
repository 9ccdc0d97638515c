"""What each finding means, in a line."""

from __future__ import annotations

_MEANINGS = {
    "zero-filled": "every byte is zero",
    "empty": "the file is empty",
    "truncated": "the file breaks off",
    "not-json": "the content is damaged",
    "not-a-row": "what the app needs is missing",
    "id-mismatch": "it names another session than its file name does",
    "bom": "it begins with a byte order mark, which the app does not take",
    "oversize": "it is larger than the app reads",
    "linked": "it is a link, which the app does not follow",
    "unreadable": "not to be opened or read",
    "leftover-tmp": "an unfinished save of the app",
    "dangling": "sessions whose transcript is gone",
    "duplicate": "conversations that are listed twice",
    "orphan": "sessions of the app without a row; --adopt makes rows for them",
    "moved": "transcripts that lie in another place than their rows say",
    "title-drift": "titles that differ from the transcript's",
    "damaged-transcript": "transcripts with damaged places",
    "lost-lease": "worktrees lent to sessions that are not there",
    "stale-index": "old indexes, out of date, that nothing depends on",
}


def meaning(rule: str) -> str:
    """What a finding of this kind means."""
    return _MEANINGS.get(rule, "see --format json")
