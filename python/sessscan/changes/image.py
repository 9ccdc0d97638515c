"""Tell what a file held when it was journalled: a row by its hash, a transcript by its metadata alone.

A transcript may have gigabytes. Its size, mtime and inode stand for its content, since the writer checks that
they did not change while it copied the file.
"""

from __future__ import annotations

import os
import stat
from typing import Annotated

import msgspec

from .fingerprint import content_hash

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]

Stamp = tuple[int, int, int]
"""A file's size in bytes, its mtime in nanoseconds, and its inode."""


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file held, as the journal has it."""

    sha256: _Sha256 | None
    """None: the content was not read, and the other members stand for it."""
    size: _Size
    """In bytes."""
    mtime_ns: Int64 | None
    """None: not known."""
    inode: Int64 = 0
    """0: not known."""

    @classmethod
    def of_stamp(cls, stamp: Stamp) -> Image:
        """Return the image of a file whose content was not read."""
        size, mtime_ns, inode = stamp
        return cls(None, size, mtime_ns, inode if inode < 2**63 else 0)

    @property
    def stamp(self) -> Stamp:
        """What the file must be to be this one."""
        return self.size, self.mtime_ns or 0, self.inode

    def is_at(self, path: str) -> bool:
        """Tell whether a file is this one. Raises OSError where that cannot be told."""
        if self.sha256 is not None:
            return content_hash(path) == self.sha256
        now = stamp_of(path)
        return now is not None and now[:2] == self.stamp[:2] and self.inode in (0, now[2])

    def has_grown_at(self, path: str) -> bool:
        """Tell whether a file is this one, and something was appended to it. Raises OSError."""
        now = stamp_of(path)
        return now is not None and now[2] == self.inode != 0 and now[0] > self.size


def stamp_of(path: str) -> Stamp | None:
    """Return the stamp of a regular file, None if there is none. Raises OSError, also for a link."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file", path)
    return status.st_size, status.st_mtime_ns, status.st_ino
