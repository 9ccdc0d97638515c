"""Classify registry files: can the app read this row, and if not, what is wrong and where?"""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, final

_KindName = Literal[
    "ok",
    "linked",
    "empty",
    "zero-filled",
    "oversize",
    "bom",
    "utf-16",
    "truncated",
    "not-json",
    "not-a-row",
    "id-mismatch",
]

@final
class RowKind:
    """A kind of state that a registry file can be in, with what follows from it."""

    @property
    def kind(self) -> _KindName:
        """The name of the finding; `ok` for a row that the app can read."""
    @property
    def from_crash(self) -> bool:
        """Whether a crash leaves rows like this: only then the mtime is that of the app's last write."""
    @property
    def content(self) -> Literal["none", "beginning", "whole"]:
        """What can be read of such a row: nothing, the members before the damage, or all of it."""

ROW_STATES: tuple[RowKind, ...]
"""All kinds of states."""

@final
class RowState:
    """The state of a registry file."""

    @property
    def path(self) -> str | None:
        """The file, as it was given; None for bytes."""
    @property
    def kind(self) -> _KindName:
        """What is wrong, by the name of the finding; `ok` for a row that the app can read."""
    @property
    def size(self) -> int:
        """The file's size in bytes."""
    @property
    def offset(self) -> int:
        """Where the damage begins, in bytes. `truncated`: where the readable part ends."""
    @property
    def length(self) -> int:
        """The damage's length in bytes. `truncated`: the number of NUL bytes after the readable part."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def classify(path: str | PathLike[str]) -> RowState:
    """Classify a registry file, in constant memory.

    Args:
        path: The file. A link is not followed, and nothing but a regular file is opened.

    Returns:
        The file's state.

    Raises:
        OSError: The file is missing or cannot be read.
    """

def classify_many(paths: Sequence[str | PathLike[str]]) -> list[RowState | OSError]:
    """Classify many files on all processors.

    Args:
        paths: The files.

    Returns:
        The states in the order given; for a file that cannot be read, the error.
    """

def classify_bytes(data: bytes | bytearray, *, stem: str | None = None) -> RowState:
    """Classify the content of a file.

    Args:
        data: The content.
        stem: The file's name without `.json`, which its `sessionId` must be; None: any will do.

    Returns:
        The state, without a `path`.
    """

def row_prefix(data: bytes | bytearray) -> dict[str, Any]:
    """Return the complete members of a row, or of what is left of a truncated one, in file order.

    Args:
        data: The content, in UTF-8 or in UTF-16.

    Returns:
        The members. One whose value is cut off is not among them, nor is one that Python's `json` cannot take
        (a number of more than 4,300 digits, brackets nested a thousand deep).
    """

def row_text(data: bytes | bytearray) -> bytes:
    """Return a row's content in UTF-8 and without a byte order mark, as the app would have written it.

    Args:
        data: The content, in UTF-8 or in UTF-16.
    """
