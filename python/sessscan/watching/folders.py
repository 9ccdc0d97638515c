"""Find the folders that a watch has to follow, and notice when one of them is replaced.

A folder may be missing, vanish and come back under the same name, even with the same inode number. No file
system watch reports all of that (a renamed parent, a mount), so each turn compares a few `stat` calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..model import Store
from ..stores.locate import REGISTRIES, folders_in, locate, user_data_folders

Identity = tuple[int, int] | None
"""Device and inode number of a folder; None where there is none."""


@dataclass
class WatchedFolders:
    """The stores and folders that exist at one moment."""

    stores: list[Store] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """Every folder whose entries matter: the stores', and those in which new stores would appear."""
    errors: list[OSError] = field(default_factory=list)
    """Why folders could not be listed."""
    _identities: dict[str, Identity] = field(default_factory=dict)

    def changed(self) -> bool:
        """Return whether one of the folders was created, removed or replaced since."""
        return any(identity(path) != before for path, before in self._identities.items())

    def expire(self) -> None:
        """Make `changed` return True from now on, since one of the folders could not be watched."""
        self._identities[""] = (0, 0)


def identity(path: str) -> Identity:
    """Return what identifies the folder that has this path now."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a str is at hand, several times a second
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_folders(roots: Sequence[str] | None) -> WatchedFolders:
    """Find the stores under `roots`, by default this platform's, and the folders around them.

    A root that does not exist now is no error.
    """
    found = WatchedFolders()
    seen: set[Identity] = set()
    for root in [None] if roots is None else roots:
        try:
            places = locate(None if root is None else [root], ())
        except OSError:
            continue
        found.errors.extend(places.errors)
        for store in places.stores:
            which = identity(store.path)
            if which is not None and which not in seen:
                seen.add(which)
                found.stores.append(store)
    folders: dict[str, None] = {}
    for parent in _parents(roots, found.stores):
        folders[parent] = None
        if Path(parent).name in REGISTRIES:
            folders.update(dict.fromkeys(folders_in(parent, [])))
    folders.update((store.path, None) for store in found.stores)
    for path in folders:
        found._identities[path] = which = identity(path)
        if which is not None:
            found.paths.append(path)
    return found


def _parents(roots: Sequence[str] | None, stores: Sequence[Store]) -> Iterator[str]:
    """Yield the folders that hold stores, or in which they would be created."""
    if roots is None:
        for pattern in user_data_folders(sys.platform, os.environ, str(Path.home())):
            if pattern.endswith("*"):
                parent = str(Path(pattern).parent)
                yield parent
                matching = [path for path in folders_in(parent, []) if path.startswith(pattern[:-1])]
            else:
                matching = [pattern]
            for user_data in matching:
                yield from (os.path.join(user_data, name) for name in REGISTRIES)  # noqa: PTH118
        return
    for root in roots:
        registries = [os.path.join(root, name) for name in REGISTRIES]  # noqa: PTH118
        # A userData folder is not watched itself: its entries change all the time, for other reasons.
        if not any(map(os.path.isdir, registries)):
            yield root
        yield from registries
        for store in stores:
            yield from (str(above) for above in Path(store.path).parents if Path(root) in above.parents)
