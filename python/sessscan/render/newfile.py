"""Files that the user names with -o: each appears when it is whole, and takes nobody's name unasked."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputFileError


def check(output: Path, *, force: bool | None = None) -> None:
    """Raises `OutputFileError` where nothing could be written, before anything is read.

    `force`: whether a plain file that is there may be replaced; None where no option would allow it.
    """
    if not output.absolute().parent.is_dir():
        raise OutputFileError(f"-o {output}: there is no such folder")
    if not os.path.lexists(output):
        return
    if output.is_symlink() or not output.is_file():
        raise OutputFileError(f"-o {output}: what is there is no plain file: name another")
    if not force:
        other = "remove it, or name another" if force is None else "--force replaces it, or name another"
        raise OutputFileError(f"-o {output}: there is a file already: {other}")


@contextmanager
def create(output: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """A file, mode 0600, that gets its name when it is whole; in the place of another only with `force`.

    Raises OSError, also `FileExistsError` for a file that came meanwhile.
    """
    temporary = output.absolute().parent / f".sessscan-{secrets.token_hex(8)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if force:
            os.replace(temporary, output)  # noqa: PTH105
        else:
            _name(temporary, output)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


def _name(temporary: Path, output: Path) -> None:
    try:
        os.link(temporary, output)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links. Whoever makes that name in this very moment is overwritten.
        if os.path.lexists(output):
            raise FileExistsError(17, "there is a file already", str(output)) from None
        os.rename(temporary, output)  # noqa: PTH104
