"""Scan whole transcripts."""

from collections.abc import Callable, Sequence
from os import PathLike

from typing_extensions import Buffer

from ._transcript import Transcript

def scan(path: str | PathLike[str], *, strict: bool = False) -> Transcript:
    """Scan a transcript, in memory that does not grow with the file.

    Args:
        path: The transcript.
        strict: Check every byte of every value against RFC 8259. By default a line's object is complete when
            its strings are closed, its brackets match and the grammar of its own members holds.

    Returns:
        What the transcript says of its session.

    Raises:
        OSError: The file cannot be read.
    """

def scan_many(
    paths: Sequence[str | PathLike[str]],
    *,
    threads: int | None = None,
    strict: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> list[Transcript]:
    """Scan many transcripts on several threads.

    Args:
        paths: The transcripts.
        threads: How many threads, the calling one included; None: as many as there are processors.
        strict: As for `scan`.
        progress: Called now and then, on the calling thread, with the number of bytes scanned and their
            total. What it raises ends the scan.

    Returns:
        What each transcript says, in the order given. One that cannot be read has its `error` set.
    """

def scan_bytes(data: Buffer, *, session_id: str | None = None, strict: bool = False) -> Transcript:
    """Scan the content of a transcript.

    Args:
        data: The content. All but `bytes` is copied first.
        session_id: The session's id. Without it the timestamps of all records count.
        strict: As for `scan`.

    Returns:
        What the transcript says, without a `path`.
    """

def uuids(path: str | PathLike[str]) -> list[str]:
    """Return the top-level uuids of a transcript's records, in order.

    Args:
        path: The transcript.

    Returns:
        The uuids that are non-empty strings.

    Raises:
        OSError: The file cannot be read.
    """
