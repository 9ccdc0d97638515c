"""A snapshot of whole stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..model import Store
from ..stores.locate import StrPath, locate
from ..stores.rows import list_rows
from .store import Snapshots, Taken


def take_all(
    snapshots: Snapshots,
    stores: StrPath | Iterable[StrPath] | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[Taken, tuple[Store, ...], list[OSError]]:
    """Keeps the healthy rows of the stores that are named, or of this machine's; what came of it, the stores,
    and the folders that could not be listed.

    Remembers as well which sessions the user has deleted. Raises `FileNotFoundError` or `NotADirectoryError`
    for a named folder that is none, and `SnapshotError`.
    """
    places = locate(stores)
    errors = list(places.errors)
    paths: list[str] = []
    for store in places.stores:
        rows, deleted = list_rows(store, errors)
        snapshots.deleted(store.path, deleted)
        paths += rows
    return snapshots.take(paths, progress=progress), places.stores, errors
