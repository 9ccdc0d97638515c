"""Write the files that the user names with -o: whole or not at all, and over no other file by accident."""

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
    """Raise `OutputFileError` if `output` cannot be written. To be called before anything is read.

    `force`: whether an existing regular file may be replaced; None if the command has no such option.
    """
    if not output.absolute().parent.is_dir():
        raise OutputFileError(f"-o {output}: there is no such folder")
    if not os.path.lexists(output):
        return
    if output.is_symlink() or not output.is_file():
        raise OutputFileError(f"-o {output}: this is not a regular file: name another")
    if not force:
        other = "remove it, or name another" if force is None else "--force replaces it, or name another"
        raise OutputFileError(f"-o {output}: there is a file already: {other}")


@contextmanager
def create(output: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file, mode 0600, that is renamed to `output` at the end of the context.

    It replaces a file only with `force`. Raises OSError; `FileExistsError` if `output` was made meanwhile.
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
            _rename_to_new(temporary, output)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


def _rename_to_new(temporary: Path, output: Path) -> None:
    try:
        os.link(temporary, output)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links. A file that is made between the check and the rename is overwritten.
        if os.path.lexists(output):
            raise FileExistsError(17, "there is a file already", str(output)) from None
        os.rename(temporary, output)  # noqa: PTH104
