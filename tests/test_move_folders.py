"""Test where directories are once a folder has moved: on paths of POSIX and of Windows, spelt in any way."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import strategies as st
from sessscan.model import FolderMove
from sessscan.relocation.folders import Directories
from support.rounds import examples

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\:"), min_size=1, max_size=8
).filter(lambda name: name not in (".", "..") and name == unicodedata.normalize("NFC", name))
PARTS = st.lists(NAMES, min_size=1, max_size=4)


def moved(old: str, new: str, directory: str) -> str | None:
    return Directories(FolderMove(old, new)).moved(directory)


@pytest.mark.parametrize(
    ("old", "new", "directory", "wanted"),
    [
        ("/a/b", "/c", "/a/b", "/c"),
        ("/a/b", "/c", "/a/b/", "/c"),
        ("/a/b", "/c", "/a/b/d e", "/c/d e"),
        ("/a/b", "/c", "/a/bc", None),
        ("/a/b", "/c", "/a", None),
        ("/a/b", "/c", "/a/b/../x", None),
        ("/a/b", "/c", "/a/./b", None),
        ("/a/b", "/c", "a/b", None),
        ("/a/B", "/c", "/a/b", None),
        ("/a/b", "/c", "/a/b/x\\y", "/c/x\\y"),
        ("/é", "/c", unicodedata.normalize("NFD", "/é/é"), "/c/" + unicodedata.normalize("NFD", "é")),
        ("C:\\A", "/c", "c:/a/B\\x", "/c/B/x"),
        ("C:\\A", "/c", "C:\\AB", None),
        ("C:\\A", "/c", "/A", None),
        ("\\\\srv\\share", "/c", "\\\\SRV\\share\\x", "/c/x"),
        ("C:\\", "/c", "C:\\x", "/c/x"),
        ("/a", "C:\\n", "/a/x/y", "C:\\n\\x\\y"),
        ("/a", "/", "/a/x", "/x"),
        ("/a", "/", "/a", "/"),
    ],
)
def test_what_a_directory_is_called(old: str, new: str, directory: str, wanted: str | None) -> None:
    assert moved(old, new, directory) == wanted


@examples(100, st.tuples(PARTS, PARTS, st.lists(NAMES, max_size=3)), thorough=2_000)
def test_what_moved_can_move_back(paths: tuple[list[str], list[str], list[str]]) -> None:
    old, new, rest = ("/x" + "".join(f"/{part}" for part in parts) for parts in paths)
    directory = old + rest.removeprefix("/x")
    there = moved(old, new, directory)
    assert there == new + rest.removeprefix("/x")
    assert moved(new, old, there) == directory


@examples(100, st.tuples(PARTS, PARTS, PARTS), thorough=2_000)
def test_only_what_is_inside_moves(paths: tuple[list[str], list[str], list[str]]) -> None:
    """The rule once more, on the parts of the paths."""
    old, new, other = paths
    wanted = new + other[len(old) :] if other[: len(old)] == old else None
    found = moved("/" + "/".join(old), "/" + "/".join(new), "/" + "/".join(other))
    assert found == (None if wanted is None else "/" + "/".join(wanted))
