"""What a file was, and whether it still is.

A row is known by its content; a transcript, which may have gigabytes, by its size, time and inode.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ..model import Fingerprint


def content_hash(path: str) -> str | None:
    """The sha256 of a regular file's content as hexadecimal digits; None where there is no file.

    Raises OSError where it cannot be read, also where something else than a file stands there: a FIFO is not
    waited for and a link not followed.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file", path)
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checker:
    """Says whether files are what their fingerprints say. A file is read once as long as it does not change,
    however many actions rest on it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int, int], str | None]] = {}

    def changed(self, fingerprint: Fingerprint, written: Mapping[str, str] | None = None) -> str | None:
        """What has become of the file, in words that name it; None where it is what it was.

        `written`: path to sha256 of what the same plan has written by now, which is no change to that plan.
        """
        path = fingerprint.path
        try:
            now = Path(path).stat()
        except FileNotFoundError:
            return f"{path} is gone" if fingerprint.exists else None
        except OSError as error:
            return f"{path} cannot be read any more ({error.strerror})"
        if written and path in written and self._hash(path, now) == written[path]:
            return None
        if not fingerprint.exists:
            return f"{path} was not there before"
        if now.st_size != fingerprint.size:
            return f"{path} has changed: {fingerprint.size} bytes before, {now.st_size} now"
        if fingerprint.sha256 is not None:
            return None if self._hash(path, now) == fingerprint.sha256 else f"{path} has other content now"
        if now.st_mtime_ns != fingerprint.mtime_ns:
            return f"{path} was written to in the meantime"
        if fingerprint.inode and now.st_ino and now.st_ino != fingerprint.inode:
            return f"{path} was replaced by another file"
        return None

    def _hash(self, path: str, now: os.stat_result) -> str | None:
        signature = (now.st_size, now.st_mtime_ns, now.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != signature:
            try:
                known = (signature, content_hash(path))
            except OSError:
                known = (signature, None)
            self._known[path] = known
        return known[1]
