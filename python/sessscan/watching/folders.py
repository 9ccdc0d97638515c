"""Which folders a watch has to follow, and whether they still are what they were.

Folders may be missing, vanish and come back, under the same name and even with the same inode's number. No
watch of the system tells of all that (a renamed parent, a mount), so a few stats at each turn do.
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
"""Device and inode of a folder; None where there is none."""


@dataclass
class Places:
    """What there is to be followed, at one moment."""

    stores: list[Store] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    """Each folder whose entries matter: the stores', and those in which new stores would appear."""
    errors: list[OSError] = field(default_factory=list)
    """Folders that could not be listed."""
    _seen: dict[str, Identity] = field(default_factory=dict)

    def changed(self) -> bool:
        """Whether one of the folders has gone, come, or is another one now."""
        return any(identity(path) != before for path, before in self._seen.items())

    def gone(self) -> None:
        """One of them was gone when it was to be followed: next time is another look."""
        self._seen[""] = (0, 0)


def identity(path: str) -> Identity:
    """Which folder stands under a name."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a str is at hand, several times a second
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_places(named: Sequence[str] | None) -> Places:
    """The stores that were named, or those of this machine, and the folders around them."""
    places = Places()
    seen: set[Identity] = set()
    for root in [None] if named is None else named:
        try:
            found = locate(None if root is None else [root], ())
        except OSError:
            continue  # it is not there now
        places.errors.extend(found.errors)
        for store in found.stores:
            which = identity(store.path)
            if which is not None and which not in seen:
                seen.add(which)
                places.stores.append(store)
    folders: dict[str, None] = {}
    for point in _points(named, places):
        folders[point] = None
        if Path(point).name in REGISTRIES:
            folders.update(dict.fromkeys(folders_in(point, [])))
    folders.update((store.path, None) for store in places.stores)
    for path in folders:
        places._seen[path] = which = identity(path)
        if which is not None:
            places.folders.append(path)
    return places


def _points(named: Sequence[str] | None, places: Places) -> Iterator[str]:
    """The folders under which stores are, or would be."""
    if named is None:
        for place in user_data_folders(sys.platform, os.environ, str(Path.home())):
            if place.endswith("*"):
                parent = str(Path(place).parent)
                yield parent
                inner = [path for path in folders_in(parent, []) if path.startswith(place[:-1])]
            else:
                inner = [place]
            for user_data in inner:
                yield from (os.path.join(user_data, name) for name in REGISTRIES)  # noqa: PTH118
        return
    for root in named:
        registries = [os.path.join(root, name) for name in REGISTRIES]  # noqa: PTH118
        # The entries of a userData folder change all the time, for reasons that are none of ours.
        if not any(map(os.path.isdir, registries)):
            yield root
        yield from registries
        for store in places.stores:
            yield from (str(above) for above in Path(store.path).parents if Path(root) in above.parents)
