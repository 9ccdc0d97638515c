"""Paths as Windows has them: long ones, drives, the network, names that differ in case only, junctions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sessscan
from sessscan.changes.undo import undo
from sessscan.stores import project_folder
from sessscan.stores.locate import real_path
from support.program import picture, run
from support.store_factory import DAY, NOW, World, key
from support.system import WINE
from support.transcript_factory import talk

pytestmark = pytest.mark.windows("paths")


def lost_session(world: World, cwd: str) -> Path:
    """Make a session whose row is zero-filled, and return the row."""
    made = talk(world.dice, cwd, NOW - 2 * DAY)
    world.put(made)
    return world.lose(made, "restore", time=made.ended + 2_000).path


def restored(stores: Path, projects: Path) -> list[str]:
    """Put back what can be put back; return the names of the rows."""
    report = sessscan.reconcile(stores, projects, now=NOW).apply(force=True)
    return [Path(action.path).name for action in report.actions if action.status == "applied"]


@pytest.mark.parametrize("over", ["the store", "the projects", "both"])
def test_paths_over_260_characters(tmp_path: Path, world: World, over: str) -> None:
    row = lost_session(world, r"C:\code\shop")
    deep = Path(tmp_path, *["a folder whose name is not short at all"] * 7)
    assert len(str(deep)) > 260
    verbatim = Path("\\\\?\\" + str(deep))  # or Python itself may not make it
    verbatim.mkdir(parents=True)
    stores, projects = world.user_data, world.projects
    if over != "the projects":
        stores = Path(shutil.move(stores, verbatim / "Claude"))
    if over != "the store":
        projects = Path(shutil.move(projects, verbatim / "projects"))
    before = picture(stores)
    assert restored(stores, projects) == [row.name]
    run_id = sessscan.runs()[0][0].id
    assert undo(run_id, force=True).exit_status == 0
    after = {name: content for name, content in picture(stores).items() if "corrupted-bak" not in name}
    assert after == before


def test_a_long_folder_of_a_project(world: World) -> None:
    cwd = "C:\\" + "\\".join(["a rather long name of a folder"] * 8)
    assert len(str(world.projects / key(cwd) / ("0" * 36 + ".jsonl"))) > 260
    row = lost_session(world, cwd)
    assert restored(world.user_data, world.projects) == [row.name]


def test_the_case_of_a_drive_and_of_a_path_does_not_matter(world: World) -> None:
    made = talk(world.dice, r"c:\Code\Shop", NOW - 2 * DAY)
    world.put(made)
    world.healthy_row(made, cwd=r"C:\code\shop", originCwd="C:\\CODE\\SHOP\\")
    findings = {
        finding.rule for finding in sessscan.reconcile(world.user_data, world.projects, now=NOW).findings
    }
    assert not findings & {"dangling", "moved", "orphan"}


@pytest.mark.parametrize("spelled", [str.upper, str.lower, str.title])
def test_a_store_named_in_another_case_is_the_same_store(world: World, spelled: object) -> None:
    row = lost_session(world, r"C:\code\shop")
    [store] = [store for store in world.stores if store == row.parent]
    other = Path(spelled(str(store)))  # type: ignore[operator]
    plan = sessscan.reconcile([store, other], world.projects, now=NOW)
    assert sum(action.kind == "restore" for action in plan.actions) == 1


def test_names_that_differ_in_case_only_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "Local_A.json").write_bytes(b"one")
    assert (tmp_path / "local_a.json").read_bytes() == b"one"
    sessscan.replace(tmp_path / "local_a.json", b"two")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"two"]


@pytest.mark.parametrize(
    ("path", "local"),
    [
        (r"C:\code", True),
        ("d:/code", True),
        (r"\\server\share\code", False),
        ("//server/share/code", False),
        (r"\\wsl.localhost\Ubuntu\home\ada", False),
        (r"\\wsl$\Ubuntu\home\ada", False),
        (r"\\?\C:\code", False),
        (r"\\.\pipe\x", False),
        (r"\code", False),
        ("C:code", False),
        ("/home/ada", False),
    ],
)
def test_only_paths_on_drives_are_looked_at(path: str, local: bool) -> None:
    """To look at `\\\\server\\share` from an untrusted file tells that server who is looking."""
    assert project_folder.is_local_path(path) == local


@pytest.mark.parametrize("cwd", [r"\\wsl.localhost\Ubuntu\home\ada\shop", r"\\server\share\shop"])
def test_a_session_in_the_network_is_put_back_without_a_look_at_it(
    world: World, cwd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.scandir", "os.listdir") and str(arguments[0]).startswith("\\\\"):
            looked.append(str(arguments[0]))

    sys.addaudithook(hook)
    import nt

    for name in ("stat", "lstat", "_getfinalpathname"):
        real = getattr(nt, name)

        def told(path: object, *rest: object, real: object = real, **more: object) -> object:
            if str(path).startswith("\\\\") and not str(path).startswith("\\\\?\\"):
                looked.append(str(path))
            return real(path, *rest, **more)  # type: ignore[operator]

        monkeypatch.setattr(f"os.{name}" if name != "_getfinalpathname" else "ntpath._getfinalpathname", told)
    row = lost_session(world, cwd)
    made = talk(world.dice, cwd, NOW - 9 * DAY)
    world.healthy_row(made)  # its transcript is not there, and its folder may not be
    plan = sessscan.reconcile(world.user_data, world.projects, now=NOW)
    assert [Path(action.path).name for action in plan.actions if action.kind == "restore"] == [row.name]
    assert {finding.rule for finding in plan.findings} >= {"dangling"}
    assert looked == []


def test_messages_name_paths_as_they_are_typed(world: World, env: dict[str, str]) -> None:
    """No doubled backslash, no verbatim prefix; what is shown can be given again."""
    deep = Path("\\\\?\\" + str(world.user_data.parent / "Claude long" / ("x" * 200) / ("y" * 60)))
    lost_session(world, r"C:\code\shop")
    deep.mkdir(parents=True)
    moved = Path(shutil.move(world.user_data, deep / "Claude"))
    result = run(env, "reconcile", "--store", moved, "--projects", world.projects, "--format", "text")
    assert result.returncode == 1, result.stderr
    plain = str(world.user_data.parent / "Claude long")
    assert plain in result.stdout
    assert "\\\\" not in result.stdout.replace("\\\\?\\" + plain, "")


@pytest.fixture
def junction(tmp_path: Path) -> Path:
    """Make a junction to a folder that is somewhere else, and return it."""
    target, link = tmp_path / "elsewhere", tmp_path / "link"
    target.mkdir()
    made = subprocess.run(
        ["cmd", "/c", "mklink", "/J", str(link), str(target)], capture_output=True, stdin=subprocess.DEVNULL
    )
    if made.returncode or not link.exists() or real_path(link) == str(link):
        pytest.skip(f"{'wine' if WINE else 'this system'} makes no junctions")
    return link


def test_a_project_folder_behind_a_junction(world: World, junction: Path) -> None:
    row = lost_session(world, r"C:\code\shop")
    shutil.rmtree(junction.parent / "elsewhere")
    shutil.move(world.projects, junction.parent / "elsewhere")
    assert restored(world.user_data, junction) == [row.name]


def test_a_store_behind_a_junction_is_one_store(world: World, junction: Path) -> None:
    row = lost_session(world, r"C:\code\shop")
    shutil.rmtree(junction.parent / "elsewhere")
    real = Path(shutil.move(world.user_data, junction.parent / "elsewhere"))
    plan = sessscan.reconcile([real, junction], world.projects, now=NOW)
    assert [Path(action.path).name for action in plan.actions if action.kind == "restore"] == [row.name]
