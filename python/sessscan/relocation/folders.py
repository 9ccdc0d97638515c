"""Say where directories are once a folder has moved, on paths of this machine and of others.

A path with a drive letter, or a UNC path, is Windows', on every platform; any other is POSIX's.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import UsageError, describe
from ..model import FolderMove
from ..stores.locate import StrPath, real_path
from ..stores.project_folder import is_local_path, is_windows_path, normalize

_SEPARATORS = re.compile(r"[/\\]")


def checked(old: StrPath, new: StrPath, *, prefix: bool) -> FolderMove:
    """Return the move of a folder as it was asked for, with plain absolute paths.

    Raises `UsageError`, with what to do, for paths that are no such move.
    """
    before, after = _before(os.fspath(old)), _after(os.fspath(new))
    if normalize(before) == normalize(after):
        raise UsageError(f"{before} and {after} are the same folder: there is nothing to move")
    if _within(_parts(after), _parts(before)):
        raise UsageError(
            f"{after} lies inside {before}: it cannot be told which of the sessions there are from the new "
            "folder already"
        )
    return FolderMove(before, after, prefix)


def _before(old: str) -> str:
    if not old or "\0" in old:
        raise UsageError(f"{old!r} is no path: give the folder where the project was")
    if is_windows_path(old):
        return ntpath.normpath(old)
    if old.startswith("/"):
        # POSIX leaves the meaning of two slashes at the beginning open; Linux and macOS know no difference.
        return "/" + posixpath.normpath(old).lstrip("/")
    return os.path.abspath(old)  # noqa: PTH100 - links are looked at later


def _after(new: str) -> str:
    if not new or "\0" in new:
        raise UsageError(f"{new!r} is no path: give the folder where the project is now")
    if is_windows_path(new) and os.name != "nt":
        raise UsageError(f"{new} is a path of Windows: give the folder of this machine where it is now")
    path = os.path.abspath(new)  # noqa: PTH100
    try:
        os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        raise UsageError(
            f"{path}: there is no such folder. Move the project there first, or give the folder where it is"
        ) from None
    except OSError as error:
        raise UsageError(describe(error)) from None
    if not Path(path).is_dir():
        raise UsageError(f"{path} is not a folder")
    return unicodedata.normalize("NFC", real_path(path))


@dataclass(frozen=True)
class Directories:
    """What directories are called once a folder has moved."""

    move: FolderMove

    @cached_property
    def old(self) -> tuple[str, ...]:
        """The names that the old folder may have had: as it was given, and with links resolved.

        If it is a link to the new one by now, that does not count.
        """
        old = self.move.old
        real = real_path(old) if is_local_path(old) else old
        other = normalize(real)
        if other == normalize(old) or _within(_parts(real), _parts(self.move.new)):
            return (old,)
        return (old, real)

    def moved(self, directory: str) -> str | None:
        """Return where a directory is now; None if it is not the old folder or in it."""
        own = _parts(directory)
        if ".." in own or "." in own:
            return None
        for old in self._parts_of_old:
            if _within(own, old):
                return self._joined(_split(directory)[len(old) :])
        return None

    def is_new(self, directory: str) -> bool:
        """Tell whether a directory is the new folder or in it."""
        return _within(_parts(directory), _parts(self.move.new))

    @cached_property
    def _parts_of_old(self) -> tuple[tuple[str, ...], ...]:
        return tuple(map(_parts, self.old))

    def _joined(self, rest: list[str]) -> str:
        separator = "\\" if is_windows_path(self.move.new) else "/"
        return separator.join((self.move.new.rstrip(separator), *rest)) or separator


def physical(directory: str) -> str:
    """Return a directory of this machine as the CLI makes a key of it: in NFC, with its links resolved.

    It need not be there.
    """
    return unicodedata.normalize("NFC", real_path(directory))


def _split(path: str) -> list[str]:
    """Return the parts of a path, the drive among them, as they are spelt."""
    if is_windows_path(path):
        return _SEPARATORS.split(path.rstrip("/\\"))
    return path.rstrip("/").split("/")


def _parts(path: str) -> tuple[str, ...]:
    """Return the parts of a path in a form that is equal for every spelling of them."""
    folded = is_windows_path(path)
    parts = (unicodedata.normalize("NFC", part) for part in _split(path))
    return tuple(part.casefold() if folded else part for part in parts)


def _within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return inner[: len(outer)] == outer
