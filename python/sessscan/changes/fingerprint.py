"""Compare files with their fingerprints.

A row is compared by its content; a transcript, which may have gigabytes, by its size, mtime and inode.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ..model import Fingerprint
from ..stores.opening import open_stream


def content_hash(path: str) -> str | None:
    """Return the sha256 of a regular file's content in hexadecimal digits, or None if there is no file.

    Raises OSError where it cannot be read, or is not a regular file: links are not followed, and the call
    does not wait for a FIFO.
    """
    try:
        file = open_stream(path)
    except FileNotFoundError:
        return None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "not a regular file", path)
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checker:
    """A comparison of many files with their fingerprints.

    A file is read once as long as its size, mtime and inode stay the same, however many actions rest on it.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, tuple[tuple[int, int, int], str | None]] = {}
        """By path: the size, mtime and inode that a file had when its content was hashed, and the hash."""

    def difference(self, fingerprint: Fingerprint, written: Mapping[str, str] | None = None) -> str | None:
        """Say how a file differs from its fingerprint, in words that name it. Return None if it does not.

        `written` maps paths to the sha256 of what the same plan has written to them by now: a file that holds
        that does not differ.
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
        if stat.S_ISDIR(now.st_mode) and fingerprint.sha256 is None and not fingerprint.mtime_ns:
            return None if fingerprint.inode == now.st_ino else f"{path} is another folder now"
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
        known = self._hashes.get(path)
        if known is None or known[0] != signature:
            try:
                known = (signature, content_hash(path))
            except OSError:
                known = (signature, None)
            self._hashes[path] = known
        return known[1]
