"""Compare the names of directories, and of directories with the project folders that the CLI keys by them."""

from __future__ import annotations

import re
import unicodedata

_OTHER = re.compile(r"[^A-Za-z0-9]")
_OTHER_OLD = re.compile(r"[^A-Za-z0-9_]")
_DRIVE = re.compile(r"[A-Za-z]:")

WORKTREE_PART = re.compile(r"[/\\]\.claude[/\\]worktrees[/\\][^/\\]+")
"""The part of a directory's name that makes it one of the app's worktrees of a repository."""

KEY_LENGTH = 200
"""UTF-16 units of the path in a project folder's name; of a longer path the CLI appends a hash."""


def normalize(path: str) -> str:
    """Return a directory's name in a form that is equal for every spelling of it.

    A path with a drive letter, or a UNC path, is treated as Windows does, on every platform: without case.
    """
    path = unicodedata.normalize("NFC", path)
    if _DRIVE.match(path) or path.startswith("\\\\"):
        path = path.replace("/", "\\").casefold()
    return path.rstrip("/\\") or path


def matches_key(directory: str, folder: str, *, within: bool = False) -> bool:
    """Tell whether the project folder named `folder` is that of `directory`, for any version of the CLI; with
    `within` also whether it may be that of a directory inside.

    FORMATS section 1 has the rule: every character but letters and digits becomes a dash. Old versions kept
    the underscore.
    """
    text = directory if directory.isascii() else unicodedata.normalize("NFC", directory)
    if not text.isascii():
        # A character beyond the first plane is two UTF-16 units and becomes two dashes.
        text = "".join(c if ord(c) < 0x10000 else "--" for c in text)
    if _DRIVE.match(text):
        text, folder = text.casefold(), folder.casefold()
    for other in (_OTHER, _OTHER_OLD):
        key = other.sub("-", text)
        if key == folder or (within and folder.startswith(key + "-")):
            return True
        if len(key) > KEY_LENGTH and folder.startswith(key[:KEY_LENGTH] + "-"):
            return True
    return False


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
