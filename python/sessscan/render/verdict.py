"""Say in one sentence how many sessions are missed, and what can be done about them."""

from __future__ import annotations

from ..model import Missed
from .text import counted

NO_STORE = "There is no session store of the desktop app here"


def verdict(missed: Missed, *, stores: int, rows: int) -> str:
    """Return the sentence for what was found in `stores` stores with `rows` rows.

    It says that no session is lost only if no session is missed, every transcript was found where the app
    looks, no old index names a session that is gone, and everything could be read.
    """
    text = _of_missed(missed, stores) if missed.back or missed.total else ""
    if not text:
        text = _of_doubts(missed, stores, rows)
    elif missed.dangling:
        text += f"; {_not_found(missed.dangling, 'more ')}"
    return f"{text}."


def _of_missed(missed: Missed, stores: int) -> str:
    theirs = "its transcript" if missed.relinkable == 1 else "their transcripts"
    parts = [
        f"{count:,} {words}"
        for count, words in (
            (missed.restorable, "can be put back"),
            (missed.relinkable, f"can be linked to {theirs} again"),
            (missed.to_choose + missed.unlinked_to_choose, "held until you decide"),
            (missed.undecided, "held without candidates"),
            (missed.beyond_repair, "beyond repair"),
            (missed.refused, "refused"),
            (missed.failed, "failed"),
            (missed.orphans, "without a row (--adopt makes one)"),
            (missed.hollow, "without a conversation"),
            (missed.unlinked, "without a transcript"),
        )
        if count
    ]
    if missed.back:
        return ", ".join([counted(missed.back, "session is", "sessions are") + " back", *parts])
    # The app lists those that are hollow or unlinked: they are missing, but not from its list.
    listed = missed.hollow or missed.unlinked or missed.unlinked_to_choose or missed.relinkable
    where = "missing" if listed else "missing from the app"
    text = f"{counted(missed.total, 'session is', 'sessions are')} {where}: {', '.join(parts)}"
    return text if stores else f"{NO_STORE}, and {text}"


def _of_doubts(missed: Missed, stores: int, rows: int) -> str:
    """Say that nothing is missed, unless there is a reason to doubt it."""
    doubts = []
    if missed.dangling:
        doubts.append(_not_found(missed.dangling))
    if missed.moved:
        listed = counted(missed.moved, "listed session")
        doubts.append(f"the transcript of {listed} lies where the app does not look for it")
    if missed.forgotten:
        named = counted(missed.forgotten, "session", "sessions")
        doubts.append(f"an old index names {named} of which no transcript was found")
    if missed.unread:
        doubts.append(f"{counted(missed.unread, 'file or folder', 'files or folders')} could not be read")
    if doubts:
        found = "No lost row was found" if stores else NO_STORE
        return f"{found}, but {' and '.join(doubts)}"
    if not stores:
        return NO_STORE
    if not rows:
        return (
            "There are no sessions in this store" if stores == 1 else "There are no sessions in these stores"
        )
    return "No session is lost: the app can read every row it needs"


def _not_found(count: int, more: str = "") -> str:
    their, was = ("its transcript", "was") if count == 1 else ("their transcripts", "were")
    sessions = f"{count:,} {more}listed {'session' if count == 1 else 'sessions'}"
    empty = "is" if count == 1 else "are"
    return f"{sessions} cannot be opened: {their} {was} not found or {empty} empty"
