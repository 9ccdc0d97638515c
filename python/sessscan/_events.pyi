"""Read what happened in a session."""

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any, Literal, final

@final
class Event:
    """One thing that happened in a session."""

    @property
    def line(self) -> int:
        """The line it is on, from 1."""
    @property
    def offset(self) -> int:
        """Where its record begins in the file, in bytes."""
    @property
    def kind(self) -> Literal["title", "cwd", "timestamp"]: ...
    @property
    def value(self) -> Any:
        """The title, the directory, or the time in epoch milliseconds."""
    @property
    def source(self) -> Literal["custom", "ai"] | None:
        """Who gave a title; None for other kinds."""
    def __eq__(self, other: object, /) -> bool: ...

@final
class EventIterator(Iterator[Event]):
    """An iterator over a transcript's events, which are read as it goes on."""

    def __iter__(self) -> EventIterator: ...
    def __next__(self) -> Event: ...

def events(
    path: str | PathLike[str],
    kinds: Sequence[Literal["title", "cwd", "timestamp"]] = ("title", "cwd", "timestamp"),
) -> EventIterator:
    """Return the events of a transcript, in file order and in constant memory.

    Args:
        path: The transcript.
        kinds: Which to return: each title given, each change of directory, each timestamp.

    Returns:
        An iterator, whose steps may raise `OSError` as well.

    Raises:
        OSError: The file cannot be read.
        ValueError: There is no such kind.
    """
