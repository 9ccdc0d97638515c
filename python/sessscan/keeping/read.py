"""Read what is new of a transcript into the file that keeps it."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from .. import _core
from ..errors import ConflictError
from ..stores.opening import changed_ns
from .ahead import CutAhead
from .store import KeptFile, Key, Part
from .thin import superfluous

SMALL = 64 << 10
"""Bytes. Only the last piece of a content may be smaller; what is appended is then joined to it."""
_SAMPLES = 4
"""How many pieces, besides the first and the last, are compared before it is believed that a transcript only
grew. A watch, which looks every second, compares the last and one other."""
_SETTLED_NS = 900 * 1_000_000_000
"""A file that was last written so long ago is on the disk, and a power cut leaves it as it is."""
_TICK_NS = 20_000_000
"""File times advance in steps of up to 10 ms (2 s on FAT): a file read in the same step in which it was
written may change again without a new time."""
_FAT_NS = 2_000_000_000
_UNSURE = "?"
"""In the place of the boot: the file may have changed since and kept its times."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the system says of a file: its bytes, its times in epoch ns, and its inode."""

    size: int
    modified_ns: int
    changed_ns: int
    """When anything about it was last changed, its times included: no program can set it back."""
    inode: int

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Return the stamp of the file at `path`, links followed. Raises OSError."""
        status = os.stat(path)  # noqa: PTH116 - there are thousands
        return cls(status.st_size, status.st_mtime_ns, changed_ns(path, status), status.st_ino)


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells that a file has not changed: its stamp, and for a new file the boot.

    `_core.changed` compares thousands of files with their signatures, and knows how they are written.
    """

    boot: str
    """The name of the run of the system since it was started."""

    def of(self, stamp: Stamp, now_ns: int) -> str:
        """Return the signature of a file. It fits no file if this one may change again and keep its times."""
        age = now_ns - max(stamp.modified_ns, stamp.changed_ns)
        step = 2 * _FAT_NS if stamp.modified_ns % _FAT_NS == 0 else _TICK_NS
        return _text(stamp, _UNSURE if age < step else "" if age > _SETTLED_NS else self.boot)

    def fits(self, known: str | None, stamp: Stamp) -> bool:
        """Tell whether a file is what it was."""
        text = _text(stamp, "")
        return known == text or known == text + self.boot

    def may_have_grown(self, known: str | None, stamp: Stamp) -> bool:
        """Tell whether a file is most likely what it was, with more appended: it is longer than it was, and
        no power cut can have changed it."""
        if known is None:
            return False
        size, _, _, inode, boot = known.split(":", 4)
        same_boot = boot in ("", _UNSURE, self.boot)
        return same_boot and int(inode) == stamp.inode and int(size) < stamp.size


def _text(stamp: Stamp, boot: str) -> str:
    return f"{stamp.size}:{stamp.modified_ns}:{stamp.changed_ns}:{stamp.inode}:{boot}"


def read_transcript(
    kept: KeptFile,
    key: Key,
    path: str,
    stamp: Stamp,
    *,
    signature: Signature,
    grew: bool,
    passing: bool,
    ahead: CutAhead,
    wrote: Callable[[int, int], object],
) -> bool:
    """Keep what is new of a transcript; return whether there is a version of it that there was not.

    Args:
        kept: the file that keeps it, in a transaction.
        key: what identifies it there.
        path: where it is.
        stamp: what it was before.
        signature: of the system's present boot.
        grew: whether it may be believed without reading all of it that it only grew.
        passing: whether the version may be thinned out later, see `thin`.
        ahead: what cuts it into pieces.
        wrote: called now and then with how many bytes were read, and how many are new in the file.

    Raises:
        OSError: it cannot be read; `ConflictError` if it was rewritten meanwhile. What was kept of it stays.
        SnapshotError: the file cannot be written.
    """
    taken_at = time.time_ns()
    transcript = kept.transcript(key)
    content = kept.newest_content(transcript)
    parts = [] if content is None else kept.parts(content)
    if content is None or not _begins_with(path, stamp.size, parts if not grew else _sample(parts, passing)):
        content, parts = kept.new_content(transcript), []
    begin = parts[-1].end if parts else 0
    if begin < stamp.size:
        small = parts[-1] if parts and parts[-1].size < SMALL else None
        if small is not None:
            begin = small.begin
        while begin < stamp.size:
            pieces = ahead.cut(path, begin, stamp.size)
            if not pieces:
                raise ConflictError("it was cut while it was read")
            if small is not None:
                _, size, sha256, data = pieces[0]
                if not _core.unpack(data, size, sha256).startswith(kept.piece(small)):
                    raise ConflictError("it was rewritten while it was read")
                kept.drop_part(content, small)
                small = None
            new = sum(kept.add_part(content, *piece) for piece in pieces)
            end = pieces[-1][0] + pieces[-1][1]
            wrote(end - begin, new)
            begin = end
    if not _only_grew(stamp, Stamp.of(path)):
        raise ConflictError("it was rewritten while it was read")
    taken_ms = taken_at // 1_000_000
    is_new = kept.add_version(content, stamp.size, taken_ms, stamp.modified_ns, passing=passing)
    if is_new and passing:
        kept.drop_versions(superfluous(kept.moments(content), taken_ms))
    kept.sign(transcript, signature.of(stamp, taken_at))
    return is_new


def _sample(parts: list[Part], passing: bool) -> list[Part]:
    """Return the parts that are compared of a transcript that most likely only grew: the last, and others."""
    if passing and len(parts) > 2:
        return [random.choice(parts[:-1]), parts[-1]]
    if len(parts) > _SAMPLES + 2:
        return [parts[0], *random.sample(parts[1:-1], _SAMPLES), parts[-1]]
    return parts


def _begins_with(path: str, size: int, parts: list[Part]) -> bool:
    """Tell whether a file has these parts in their places."""
    if parts and parts[-1].end > size:
        return False
    return all(_core.digest(path, part.begin, part.end) == part.sha256 for part in reversed(parts))


def _only_grew(before: Stamp, now: Stamp) -> bool:
    return before == now or (before.inode == now.inode and before.size < now.size)
