"""Where the app of Windows keeps its sessions: four places, of which several may be there at once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import sessscan
from sessscan.stores.locate import locate
from support.program import run
from support.store_factory import DAY, NOW, World
from support.transcript_factory import talk

pytestmark = pytest.mark.windows("an MSIX package's folders")

PACKAGE = "Claude_pzs8sxrjxfjjc"
PLACES = {
    "MSIX": ("LOCALAPPDATA", "Packages", PACKAGE, "LocalCache", "Roaming", "Claude"),
    "MSIX since 2.42304": ("LOCALAPPDATA", "Claude-Data", f"claude_{PACKAGE}"),
    "classic": ("APPDATA", "Claude"),
    "third party": ("APPDATA", "Claude-3p"),
}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a user's folders, and return the profile."""
    home = tmp_path / "Ada Lovelace"
    for name, folder in (("LOCALAPPDATA", "AppData/Local"), ("APPDATA", "AppData/Roaming")):
        (home / folder).mkdir(parents=True)
        monkeypatch.setenv(name, str(home / folder))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR")
    return home


def install(world: World, place: str) -> tuple[Path, str]:
    """Put a store with one lost row where an install of the app has it; return it and the row's name."""
    variable, *parts = PLACES[place]
    made = talk(world.dice, r"C:\code\shop", NOW - (2 + len(world.lost)) * DAY)
    world.put(made)
    lost = world.lose(made, "restore", time=made.ended + 2_000, store=world.stores[0])
    target = Path(os.environ[variable], *parts)
    shutil.copytree(world.user_data, target)
    row = target / lost.path.relative_to(world.user_data)
    os.utime(row, ns=(lost.path.stat().st_mtime_ns,) * 2)
    lost.path.unlink()
    return target, row.name


def give_transcripts(world: World, user: Path) -> None:
    shutil.move(world.projects, user / ".claude" / "projects")


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_found(world: World, user: Path, place: str) -> None:
    target, row = install(world, place)
    give_transcripts(world, user)
    assert {store.user_data for store in locate().stores} == {str(target)}
    plan = sessscan.reconcile(now=NOW)
    assert [Path(a.path).name for a in plan.actions if a.kind == "restore"] == [row]


def test_several_installs_at_once_are_all_looked_at(world: World, user: Path, env: dict[str, str]) -> None:
    """Each row is put back where it was: which of them the app reads, it alone knows."""
    installed = [install(world, place) for place in PLACES]
    give_transcripts(world, user)
    assert {store.user_data for store in locate().stores} == {str(target) for target, _ in installed}
    plan = sessscan.reconcile(now=NOW)
    planned = {Path(action.path) for action in plan.actions if action.kind == "restore"}
    assert {path.name for path in planned} == {row for _, row in installed}
    for target, row in installed:
        assert any(path.is_relative_to(target) and path.name == row for path in planned)
    own = {name: os.environ[name] for name in ("LOCALAPPDATA", "APPDATA", "USERPROFILE")}
    shown = run(
        {key: value for key, value in env.items() if key != "CLAUDE_CONFIG_DIR"} | own,
        "reconcile",
        "--format",
        "json",
    )
    looked_at = [store["path"] for store in json.loads(shown.stdout)["stores"]]
    for target, _ in installed:
        assert any(Path(path).is_relative_to(target) for path in looked_at)


def test_the_package_folder_is_found_in_any_case(world: World, user: Path) -> None:
    target, row = install(world, "MSIX since 2.42304")
    target.rename(target.with_name(target.name.upper()))
    give_transcripts(world, user)
    plan = sessscan.reconcile(now=NOW)
    assert [Path(a.path).name for a in plan.actions if a.kind == "restore"] == [row]


def test_a_session_claimed_in_one_install_is_not_given_to_another(world: World, user: Path) -> None:
    made = talk(world.dice, r"C:\code\shop", NOW - 2 * DAY)
    world.put(made)
    world.healthy_row(made, store=world.stores[0])
    classic = Path(os.environ["APPDATA"], "Claude")
    shutil.copytree(world.user_data, classic)
    for row in world.healthy:
        row.unlink()
    _, lost = install(world, "MSIX")
    give_transcripts(world, user)
    plan = sessscan.reconcile(now=NOW)
    [action] = [action for action in plan.actions if Path(action.path).name == lost]
    assert action.cli_session_id != made.session_id
