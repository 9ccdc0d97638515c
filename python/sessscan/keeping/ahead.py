"""Cut what is kept next into pieces on other threads, while this one writes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from .. import _core

_AMOUNT = 8 << 20
"""Bytes of a transcript that are cut at a time."""
_FIRST_AMOUNT = 1 << 20
"""Those of one that comes next, whose pieces wait in memory until it is its turn."""
_MOST_THREADS = 4

Pieces = list[tuple[int, int, bytes, bytes]]


class CutAhead:
    """Cuts transcripts into pieces, some of them before they are asked for.

    At most so many bytes wait: 2 MiB of each of twice as many transcripts as there are threads, and one part
    of the transcript that is being kept.
    """

    def __init__(self, coming: Iterable[tuple[str, int]]) -> None:
        """`coming`: paths and sizes of transcripts that will be read from the beginning, in that order."""
        self._coming = list(coming)
        self._places = {one: place for place, one in enumerate(self._coming)}
        self._place = 0
        """The place of the next one that is to be begun."""
        self._threads = min(os.cpu_count() or 1, _MOST_THREADS)
        self._pool: ThreadPoolExecutor | None = None
        self._first: dict[tuple[str, int], Future[Pieces]] = {}
        """The beginnings of those that come next, by path and size."""
        self._more: tuple[tuple[str, int, int], Future[Pieces]] | None = None
        """What follows of the one that is being kept."""

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def cut(self, path: str, begin: int, end: int) -> Pieces:
        """Return the next pieces of a file: offset, size, digest and compressed bytes of each.

        Raises OSError. There are none if the file is shorter by now.
        """
        begun = self._begun(path, begin, end)
        self._begin_first()
        pieces = _core.cut(path, begin, end, _AMOUNT) if begun is None else begun.result()
        if pieces:
            offset, size, _, _ = pieces[-1]
            if offset + size < end and self._threads > 1:
                more = self._submit(path, offset + size, end, _AMOUNT)
                self._more = ((path, offset + size, end), more)
        return pieces

    def _begun(self, path: str, begin: int, end: int) -> Future[Pieces] | None:
        """Return the work on this part, if it was begun."""
        more, self._more = self._more, None
        if more is not None and more[0] == (path, begin, end):
            return more[1]
        place = None if begin else self._places.get((path, end))
        if place is None:
            return None
        # Those before it were not asked for: they turned out to be kept already, or cannot be read.
        for known in [one for one in self._first if self._places[one] < place]:
            del self._first[known]
        self._place = max(self._place, place + 1)
        return self._first.pop((path, end), None)

    def _begin_first(self) -> None:
        while self._threads > 1 and len(self._first) < 2 * self._threads and self._place < len(self._coming):
            path, size = self._coming[self._place]
            self._first[path, size] = self._submit(path, 0, size, _FIRST_AMOUNT)
            self._place += 1

    def _submit(self, path: str, begin: int, end: int, amount: int) -> Future[Pieces]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads)
        return self._pool.submit(_core.cut, path, begin, end, amount)
