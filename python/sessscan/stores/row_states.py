"""List the states in which a row is lost, with what each means and what can be done about it.

A new state is one entry in this list, and one rule of the same name that explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .. import _core

LEFTOVER_TMP = "leftover-tmp"
MISSING = "missing"


@dataclass(frozen=True, slots=True)
class LostState:
    """A state in which the app cannot read a row."""

    name: str
    """The name of the finding as well."""
    problem: str
    """What is wrong with the row, as the second half of a sentence."""
    amount: str = ""
    """How much of it is, to be formatted with the row's `size` and `offset`."""
    untouchable: str | None = None
    """Why no row can be written in its place."""
    has_file: bool = True
    is_encoded: bool = False
    """Whether all that is wrong with it is how its text is encoded."""

    @property
    def from_crash(self) -> bool:
        """Whether a crash makes it.

        Only then is the file's time that of the app's last write of the row: a row that reads as JSON was
        brought into its state by something else, at another time.
        """
        return self.name in _KINDS and _KINDS[self.name].from_crash

    @property
    def content(self) -> Literal["none", "beginning", "whole"]:
        """What of the row can be read, by everyone but the app."""
        return _KINDS[self.name].content if self.name in _KINDS else "none"


_KINDS = {kind.kind: kind for kind in _core.ROW_STATES}
"""What the core knows of the states that the bytes of a file decide."""

_STATES = (
    LostState(
        "zero-filled",
        "every byte of it is zero: a crash or power cut came before its content reached the disk",
        amount="{size:,} bytes were meant to be there",
    ),
    LostState("empty", "it is empty: its content never reached the disk"),
    LostState(
        "truncated",
        "it ends in the middle: the rest of its content never reached the disk",
        amount="{offset:,} of its bytes are still there",
    ),
    LostState("not-json", "its content is damaged"),
    LostState(
        "not-a-row",
        "it lacks what the app needs (sessionId, createdAt, lastActivityAt)",
    ),
    LostState("id-mismatch", "it names another session id than its file name does"),
    LostState(
        "bom",
        "it begins with a byte order mark, which editors on Windows add and the app does not accept",
        is_encoded=True,
    ),
    LostState(
        "utf-16",
        "it is in UTF-16, as PowerShell writes files, and the app reads UTF-8",
        is_encoded=True,
    ),
    LostState("oversize", "it is larger than the 10 MiB that the app reads"),
    LostState(
        "linked",
        "it is a link, which the app does not follow",
        untouchable="it is a link, which the app does not follow and sessscan does not touch",
    ),
    LostState(
        "unreadable",
        "it cannot be read",
        untouchable="it cannot be read, so nothing says what it holds",
    ),
    LostState(MISSING, "it is not there, although a snapshot of it was taken", has_file=False),
    LostState(LEFTOVER_TMP, "it is not there, only the app's unfinished save of it", has_file=False),
)

LOST_STATES = {state.name: state for state in _STATES}
"""The states by name. A row in any other state, `ok`, can be read by the app."""
