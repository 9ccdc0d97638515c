"""When two names mean one directory, and which project folder is a directory's."""

from __future__ import annotations

import re
import unicodedata

_OTHER = re.compile(r"[^A-Za-z0-9]")
_OTHER_OLD = re.compile(r"[^A-Za-z0-9_]")
_DRIVE = re.compile(r"[A-Za-z]:")

KEY_LENGTH = 200
"""UTF-16 units of a project folder's name that come from the path; longer ones are cut and get a hash."""


def normal(path: str) -> str:
    """A directory's name in the one form in which two names of one directory are equal. Windows paths are
    known by their drive, whatever the platform."""
    path = unicodedata.normalize("NFC", path)
    if _DRIVE.match(path) or path.startswith("\\\\"):
        path = path.replace("/", "\\").casefold()
    return path.rstrip("/\\") or path


def in_folder(directory: str, folder: str) -> bool:
    """Whether a project folder's name is the key of `directory`, by the rule of any CLI (FORMATS §1)."""
    text = directory if directory.isascii() else unicodedata.normalize("NFC", directory)
    if not text.isascii():
        # A character beyond the first plane is two UTF-16 units and becomes two dashes.
        text = "".join(c if ord(c) < 0x10000 else "--" for c in text)
    if _DRIVE.match(text):
        text, folder = text.casefold(), folder.casefold()
    for other in (_OTHER, _OTHER_OLD):
        key = other.sub("-", text)
        if key == folder:
            return True
        if len(key) > KEY_LENGTH and folder.startswith(key[:KEY_LENGTH] + "-"):
            return True
    return False
