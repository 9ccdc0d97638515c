"""Two installs of the app on Windows at once: which is used is told by which folder is older."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sessscan import _core
from sessscan.stores.installs import live_folder, remark_on_installs
from sessscan.stores.locate import MSIX_PACKAGE

Make = Callable[..., str]

pytestmark = pytest.mark.not_wine("wine takes a folder's last change for its birth")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make folders one after the other, each younger than the one before."""
    if _core.born_at(tmp_path) is None:
        pytest.skip("this file system keeps no time of birth")

    def folder(*parts: str) -> str:
        path = tmp_path.joinpath(*parts)
        path.mkdir(parents=True)
        time.sleep(0.02)
        return str(path)

    return folder


PACKAGED = ("Packages", MSIX_PACKAGE, "LocalCache", "Roaming", "Claude")
NEWER = ("Claude-Data", "claude_abc")
CLASSIC = ("Roaming", "Claude")


def test_a_classic_folder_older_than_the_package_stays_in_use(make: Make) -> None:
    classic, packaged = make(*CLASSIC), make(*PACKAGED)
    assert live_folder(classic, [packaged]) == classic
    text = remark_on_installs([packaged, classic])
    assert text is not None
    assert f"most likely reads {classic}, and not {packaged}" in text


def test_otherwise_the_packages_own_folder_is_the_newer_form_first(make: Make) -> None:
    packaged, classic, newer = make(*PACKAGED), make(*CLASSIC), make(*NEWER)
    assert live_folder(classic, [packaged]) == packaged
    assert live_folder(classic, [packaged, newer]) == newer


def test_where_the_folders_do_not_tell_that_is_said(make: Make, tmp_path: Path) -> None:
    packaged, gone = make(*PACKAGED), str(tmp_path / "Claude")
    assert live_folder(gone, [packaged]) is None
    assert "cannot be told" in (remark_on_installs([packaged, gone]) or "")


def test_one_install_needs_no_remark(make: Make) -> None:
    packaged, newer, third = make(*PACKAGED), make(*NEWER), make("Roaming", "Claude-3p")
    assert remark_on_installs([packaged, newer]) is None
    assert remark_on_installs([third]) is None
    assert remark_on_installs([]) is None
