"""Compare the names of directories, and of directories with the project folders that the CLI keys by them."""

from __future__ import annotations

import os
import re
import unicodedata

_OTHER = re.compile(r"[^A-Za-z0-9]")
_OTHER_OLD = re.compile(r"[^A-Za-z0-9_]")
_DRIVE = re.compile(r"[A-Za-z]:")
_LOCAL_PATH = re.compile(r"[A-Za-z]:[/\\]" if os.name == "nt" else r"/(?!/)")

WORKTREE_PART = re.compile(r"[/\\]\.claude[/\\]worktrees[/\\][^/\\]+")
"""The part of a directory's name that makes it one of the app's worktrees of a repository."""

KEY_LENGTH = 200
"""UTF-16 units of the path in a project folder's name; of a longer path the CLI appends a hash."""


def normalize(path: str) -> str:
    """Return a directory's name in a form that is equal for every spelling of it.

    A path with a drive letter, or a UNC path, is treated as Windows does, on every platform: without case.
    """
    path = unicodedata.normalize("NFC", path)
    if is_windows_path(path):
        path = path.replace("/", "\\").casefold()
    return path.rstrip("/\\") or path


def is_local_path(path: str) -> bool:
    """Tell whether an absolute path from a file is one of this machine, so that it may be looked at.

    To look at a path of Windows' network (`\\\\server\\share`) tells that server who is looking.
    """
    return _LOCAL_PATH.match(path) is not None


def is_windows_path(path: str) -> bool:
    """Tell whether a path begins with a drive letter, or is a UNC path."""
    return _DRIVE.match(path) is not None or path.startswith("\\\\")


def project_key(directory: str, *, old: bool = False) -> str:
    """Return the name of a directory's project folder; with `old` as CLIs before about 2026-07-12 named it.

    Of a path over `KEY_LENGTH` the hash at the end is left out, since it differs between writers.
    """
    key = (_OTHER_OLD if old else _OTHER).sub("-", _in_utf16_units(directory))
    return key if len(key) <= KEY_LENGTH else f"{key[:KEY_LENGTH]}-…"


def matches_key(directory: str, folder: str, *, within: bool = False) -> bool:
    """Tell whether the project folder named `folder` is that of `directory`, for any version of the CLI; with
    `within` also whether it may be that of a directory inside.

    FORMATS section 1 has the rule: every character but letters and digits becomes a dash. Old versions kept
    the underscore.
    """
    text = _in_utf16_units(directory)
    if _DRIVE.match(text):
        text, folder = text.casefold(), folder.casefold()
    for other in (_OTHER, _OTHER_OLD):
        key = other.sub("-", text)
        if key == folder or (within and folder.startswith(key + "-")):
            return True
        if len(key) > KEY_LENGTH and folder.startswith(key[:KEY_LENGTH] + "-"):
            return True
    return False


def _in_utf16_units(directory: str) -> str:
    """Return a directory in NFC, with two dashes for a character that is two UTF-16 units."""
    if directory.isascii():
        return directory
    text = unicodedata.normalize("NFC", directory)
    return text if text.isascii() else "".join(c if ord(c) < 0x10000 else "--" for c in text)


def may_be_from(directories: frozenset[str], folder: str, places: frozenset[str]) -> bool:
    """Tell whether a session may be from one of some places, or from a directory inside one.

    `directories`: those it was in, in the form of `normalize`; where none is known, `folder`, the name of its
    project folder, tells. A session's directory may also lie around a place, but not around a worktree, which
    a session enters and leaves as a whole. No places: they are not known.
    """
    if not places:
        return True
    if not directories:
        return any(matches_key(place, folder, within=True) for place in places)
    return any(
        one == place or _within(one, place) or (_within(place, one) and not WORKTREE_PART.search(place))
        for one in directories
        for place in places
    )


def _within(inner: str, outer: str) -> bool:
    return inner.startswith((outer + "/", outer + "\\"))
