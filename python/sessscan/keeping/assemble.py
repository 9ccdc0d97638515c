"""Put the pieces of a transcript together in a file of sessscan's own, from which the one writer takes it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ..errors import SnapshotError
from ..model import Fingerprint
from ..private_database import reporting_errors
from .database import folder
from .store import TranscriptVersion

_SUFFIX = ".restored"


@contextlib.contextmanager
def assembled(version: TranscriptVersion) -> Iterator[Fingerprint]:
    """Give a file with the bytes of a version, which is removed afterwards.

    Raises `SnapshotError` if they are damaged or there is no room for them.
    """
    path = folder(make=True) / f"{version.session_id}{_SUFFIX}"
    remove_assembled(version.session_id)
    try:
        with reporting_errors(path):
            descriptor = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                for piece in version.pieces():
                    file.write(piece)
            status = path.stat()
        if status.st_size != version.size:
            raise SnapshotError(f"{path} could not be written whole")
        yield Fingerprint(str(path), True, status.st_size, status.st_mtime_ns, status.st_ino)
    finally:
        remove_assembled(version.session_id)


def remove_assembled(session_id: str) -> None:
    """Remove what an interrupted run left. Raises `SnapshotError` if that cannot be."""
    path = folder() / f"{session_id}{_SUFFIX}"
    with reporting_errors(path):
        path.unlink(missing_ok=True)
