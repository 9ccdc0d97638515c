"""Scan transcripts with an index: of those that were scanned before, only what is new is read.

A file is recognized by its device, inode and time of birth, its size, its times, and a fingerprint of the
bytes that were read. An unchanged file is not opened. A file that has grown is scanned from where the last
scan ended, if a few pages before that are the same; any other is scanned whole. So is one that was
scanned shortly after its last change, and not since the system was last started: a power cut may have left
its metadata as they were and its data zero. The results are those of a full scan, whatever happens to the
index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from .. import _core
from ..state import home as default_home


def scan_many(
    paths: Sequence[str | PathLike[str]],
    *,
    threads: int | None = None,
    strict: bool = False,
    progress: Callable[[int, int], object] | None = None,
    home: Path | None = None,
) -> list[_core.Transcript]:
    """Return what `sessscan.scan_many` returns, with the help of the index.

    The index is in the state folder `home`; None: the usual one. `progress` is called with the number of
    bytes read and the number to be read, which does not count unchanged files. A problem with the index is
    not an error: all files are then read.
    """
    from . import boot
    from .cache import Cache

    rescan = _core.Rescan(paths, strict=strict, boot=boot.name())
    with Cache(default_home() if home is None else home) as cache:
        for shard, entries in cache.read("entries", rescan.shards()):
            rescan.know(shard, entries)
        for shard, states in cache.read("states", rescan.shards_of_states()):
            rescan.know_states(shard, states)
        transcripts = rescan.scan(threads=threads, progress=progress)
        cache.write(rescan.changed(), rescan.merge)
    return transcripts


def scan(path: str | PathLike[str], *, strict: bool = False, home: Path | None = None) -> _core.Transcript:
    """Return what `sessscan.scan` returns, with the help of the index. Raise `OSError` as it does."""
    [transcript] = scan_many([path], strict=strict, home=home)
    if transcript.error is not None:
        raise transcript.error
    return transcript
