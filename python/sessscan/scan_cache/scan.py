"""The incremental index: transcripts that were scanned before are read only as far as they are new.

A file is known by what it is (device, inode, time of birth), its size, its times, and a fingerprint of what
was read of it. One of which nothing changed is not opened. One that grew is scanned from where the last scan
ended, if a few pages of what came before are what they were; any other is scanned whole. The answer is that
of a full scan, whatever becomes of the index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from .. import _core
from ..state import home as usual_home


def scan_many(
    paths: Sequence[str | PathLike[str]],
    *,
    threads: int | None = None,
    strict: bool = False,
    progress: Callable[[int, int], object] | None = None,
    home: Path | None = None,
) -> list[_core.Transcript]:
    """What `sessscan.scan_many` gives, kept between runs in the state folder `home`; by default the usual.

    `progress` is called with the bytes that are read and that are to be: those of unchanged files are not.
    No error comes of the index; where it cannot be kept all files are read.
    """
    from .cache import Cache

    rescan = _core.Rescan(paths, strict=strict)
    with Cache(usual_home() if home is None else home) as cache:
        for shard, entries in cache.read("entries", rescan.shards()):
            rescan.know(shard, entries)
        for shard, states in cache.read("states", rescan.shards_of_states()):
            rescan.know_states(shard, states)
        transcripts = rescan.scan(threads=threads, progress=progress)
        cache.write(rescan.changed(), rescan.merge)
    return transcripts


def scan(path: str | PathLike[str], *, strict: bool = False, home: Path | None = None) -> _core.Transcript:
    """What `sessscan.scan` gives, kept likewise. Raises the `OSError` that says why it cannot be read."""
    [transcript] = scan_many([path], strict=strict, home=home)
    if transcript.error is not None:
        raise transcript.error
    return transcript
