"""Tell what this system can do, where tests depend on it."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

WINDOWS = sys.platform == "win32"


def _under_wine() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


WINE = _under_wine()


@cache
def can_link() -> bool:
    """Tell whether symbolic links can be made: on Windows that takes a privilege, and wine 8 makes none."""
    if not WINDOWS:
        return True
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "link")
        try:
            os.symlink(folder, link)  # noqa: PTH211 - Path.symlink_to is replaced where this cannot be done
        except OSError:
            return False
        return link.is_symlink()


def why_unreadable(path: Path | str) -> str:
    """Return this system's words for why a file cannot be opened."""
    try:
        if Path(path).stat():
            Path(path).open("rb").close()
    except OSError as error:
        return error.strerror or ""
    raise AssertionError(f"{path} can be opened")
