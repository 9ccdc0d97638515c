"""Read what a git repository says of itself, from its own files and without running git.

To run git in a folder that somebody else may have made can run what its configuration names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .locate import folders_in
from .rows import read_file

_LARGEST = 16 << 20
"""Bytes that are read of a file; a list of packed references has kilobytes."""

_URL = re.compile(r"\s*url\s*=\s*\"?([^\"\s]+)\"?\s*", re.IGNORECASE)
_OWNED = re.compile(r"[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")

_BRANCH = re.compile(r"(?!.*(?:\.\.|//))[\w.@+-][\w.@+/-]*")
"""A name that is safe as a path in `refs/heads`; git allows a few more characters, which are rare."""


def worktrees_of(folder: str) -> list[str]:
    """Return where a repository's worktrees are, as git noted when they were made or last moved.

    After the repository was moved with worktrees in it, these are the old places (`git worktree repair`
    changes that).
    """
    found = []
    for each in folders_in(str(Path(folder, ".git", "worktrees")), []):
        text = _text(Path(each, "gitdir")).strip()
        if text:
            found.append(re.sub(r"[/\\]\.git$", "", text))
    return found


def has_branch(folder: str, branch: str) -> bool:
    """Tell whether a repository has a local branch of this name."""
    if not _BRANCH.fullmatch(branch):
        return False
    git = Path(folder, ".git")
    if os.path.lexists(git / "refs" / "heads" / branch):
        return True
    return f" refs/heads/{branch}\n" in _text(git / "packed-refs")


def remotes(folder: str) -> frozenset[str]:
    """Return the remotes of a repository that are named by an owner, as `owner/name` in small letters."""
    found = (_URL.fullmatch(line) for line in _text(Path(folder, ".git", "config")).splitlines())
    named = (_OWNED.search(match[1]) for match in found if match is not None)
    return frozenset(match[1].casefold() for match in named if match is not None)


def _text(path: Path) -> str:
    """Return what is in a small file; nothing where it cannot be read."""
    try:
        data, _ = read_file(str(path), _LARGEST)
    except OSError:
        return ""
    return data.decode("utf-8", "replace")
