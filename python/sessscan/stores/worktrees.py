"""Read the app's list of git worktrees, `git-worktrees.json`, and the leases in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .rows import read_file

FILE_NAME = "git-worktrees.json"


@dataclass(frozen=True, slots=True)
class Lease:
    """A worktree that the app has lent to a session."""

    session_id: str
    path: str
    branch: str | None
    since: int
    """When the directory was made or last returned to the pool, epoch ms; 0 where that is not known."""


@dataclass
class Worktrees:
    """The leases of one userData folder."""

    home: str
    """The userData folder."""
    path: str
    leases: list[Lease] = field(default_factory=list)
    error: OSError | None = None


def read_worktrees(user_data: str) -> Worktrees:
    """Return the leases in a userData folder's list; none where it is missing or not JSON of the right shape.

    Raises nothing: a list that cannot be read has its `error` set.
    """
    found = Worktrees(user_data, str(Path(user_data, FILE_NAME)))
    try:
        data, _ = read_file(found.path)
        document = json.loads(data.decode("utf-8-sig", "replace"))
    except FileNotFoundError:
        return found
    except OSError as error:
        found.error = error
        return found
    except (ValueError, RecursionError):
        return found
    found.leases.extend(lease for value in _entries(document) if (lease := _lease(value)) is not None)
    return found


def _entries(document: Any) -> Iterable[Any]:
    worktrees = document.get("worktrees") if isinstance(document, dict) else None
    if isinstance(worktrees, dict):
        return worktrees.values()
    return worktrees if isinstance(worktrees, list) else ()


def _lease(entry: Any) -> Lease | None:
    """Return the lease that an entry of the list describes; None for a worktree that is not in use."""
    if not isinstance(entry, dict):
        return None
    owner, path, branch = entry.get("leasedBy"), entry.get("path"), entry.get("branch")
    if not (isinstance(owner, str) and owner and isinstance(path, str) and path):
        return None
    since = max(_epoch_ms(entry.get("createdAt")), _epoch_ms(entry.get("pooledAt")))
    return Lease(owner, path, branch if isinstance(branch, str) else None, since)


def _epoch_ms(value: object) -> int:
    """Convert a time, given as a number or as text, to epoch ms; 0 for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if 0 < value < 1e15 else 0
    if isinstance(value, str):
        try:
            return int(datetime.fromisoformat(value).timestamp() * 1000)
        except (ValueError, OverflowError):
            return 0
    return 0
