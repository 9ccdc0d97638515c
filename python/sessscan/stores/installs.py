"""Tell which of several installs of the app on Windows is the one that is used."""

from __future__ import annotations

import ntpath
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import _core
from .locate import MSIX_PACKAGE


def remark_on_installs(user_data: Iterable[str]) -> str | None:
    """Return which userData folder the app most likely reads, in words; None unless several are there.

    `user_data`: the folders in which there are stores, as `user_data_folders` has them for Windows.
    """
    folders = list(dict.fromkeys(user_data))
    packaged = [folder for folder in folders if _is_packaged(folder)]
    classic = [folder for folder in folders if folder not in packaged and _name(folder) == "claude"]
    if not packaged or not classic:
        return None
    live = live_folder(classic[0], packaged)
    several = "the app was installed in two ways, and "
    if live is None:
        places = ", ".join((classic[0], *packaged))
        return f"{several}which of {places} it reads cannot be told: a session in another does not show"
    others = ", ".join(folder for folder in (classic[0], *packaged) if folder != live)
    return f"{several}most likely reads {live}, and not {others}: a session put back there does not show"


def live_folder(classic: str, packaged: Sequence[str]) -> str | None:
    """Return the userData folder that the app reads, where it was installed in both ways; None where the
    folders do not tell.

    A classic folder that is older than the package stays in use; otherwise the package's own is, since app
    2.42304 the one under `Claude-Data` (FORMATS section 2).
    """
    if Path(classic).is_symlink():
        return None
    births = [_born(folder) for folder in packaged]
    born, first = _born(classic), min((at for at in births if at is not None), default=None)
    if born is None or first is None or born == first:
        return None
    if born < first:
        return classic
    return min(packaged, key=lambda folder: _parent(folder) != "claude-data")


def _is_packaged(folder: str) -> bool:
    return _parent(folder) == "claude-data" or f"packages/{MSIX_PACKAGE}/".lower() in _normal(folder)


def _normal(folder: str) -> str:
    return folder.replace(ntpath.sep, "/").lower()


def _name(folder: str) -> str:
    return _normal(folder).rsplit("/", 1)[-1]


def _parent(folder: str) -> str:
    return _normal(os.path.dirname(folder)).rsplit("/", 1)[-1]  # noqa: PTH120 - a str is at hand


def _born(folder: str) -> int | None:
    try:
        return _core.born_at(folder)
    except OSError:
        return None
