"""Fixtures that several test modules share, the markers, and the options `--seed` and `--part`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from sessscan.demo import make
from support.store_factory import World
from support.system import WINDOWS, WINE, can_link
from support.transcript_factory import new_id

ROOT = sys.platform != "win32" and os.geteuid() == 0
HERE = {
    "posix": (not WINDOWS, "POSIX"),
    "linux": (sys.platform == "linux", "Linux"),
    "root": (ROOT, "root"),
    "not_root": (not WINDOWS and not ROOT, "a POSIX user who is not root"),
    "not_wine": (not WINE, "Windows itself, not wine"),
    "windows": (WINDOWS, "Windows"),
}
"""By marker: whether the system has what the marked tests need, and what that is."""
LACKING = {name: need for name, (has, need) in HERE.items() if not has}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options `--seed` and `--part`."""
    parser.addoption("--seed", type=int, default=1, help="first seed of generated stores, histories and cuts")
    parser.addoption(
        "--part", type=_part, metavar="K/N", help="run each Nth test only, from the Kth on, from 0"
    )


def _part(text: str) -> slice:
    """Return which tests `K/N` chooses. Raises ValueError."""
    first, step = map(int, text.split("/"))
    if not 0 <= first < step:
        raise ValueError(f"{text}: K must be less than N")
    return slice(first, None, step)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as `quick` each test that is marked neither `full` nor `thorough`; skip what this system lacks.

    With `--part` leave out the tests of other parts.
    """
    if (part := config.getoption("part")) is not None:
        chosen = items[part]
        left = set(items).difference(chosen)
        config.hook.pytest_deselected(items=[item for item in items if item in left])
        items[:] = chosen
    for item in items:
        if not any(item.get_closest_marker(name) for name in ("full", "thorough")):
            item.add_marker("quick")
        for name, need in LACKING.items():
            if (marker := item.get_closest_marker(name)) is not None:
                item.add_marker(pytest.mark.skip(reason=f"needs {need}: {marker.args[0]}"))


@pytest.fixture(autouse=True)
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run a test marked `alone` while no other process of pytest-xdist runs a test."""
    if "PYTEST_XDIST_WORKER" not in os.environ or sys.platform == "win32":
        yield
        return
    import fcntl

    folder = tmp_path_factory.getbasetemp().parent  # the one that the processes have in common
    kind = fcntl.LOCK_SH if request.node.get_closest_marker("alone") is None else fcntl.LOCK_EX
    with (folder / "running.lock").open("a") as running:
        with (folder / "next.lock").open("a") as queue:
            fcntl.flock(queue, fcntl.LOCK_EX)  # or others would overtake a test that waits to be alone
            fcntl.flock(running, kind)
        yield


@pytest.fixture(autouse=True)
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail once it makes a symbolic link, where none can be made; it counts as skipped then."""

    def refuse(*_: object, **__: object) -> None:
        raise _NoLinksError

    if not can_link():
        monkeypatch.setattr(Path, "symlink_to", refuse)


class _NoLinksError(OSError):
    """No symbolic links can be made."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Skip the test if its fixtures make links, where none can be made."""
    with _skipping():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip the test if it makes links, where none can be made."""
    with _skipping():
        return (yield)


@contextmanager
def _skipping() -> Iterator[None]:
    try:
        yield
    except _NoLinksError:
        pytest.skip("needs symbolic links, which take a privilege on Windows, and which wine does not make")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Return the option `--seed`."""
    return int(request.config.getoption("seed"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make a userData folder with two empty accounts."""
    dice = Random(7)
    user_data, projects = tmp_path / "Claude", tmp_path / "projects"
    stores = [user_data / "claude-code-sessions" / new_id(dice) / new_id(dice) for _ in range(2)]
    for folder in (*stores, projects):
        folder.mkdir(parents=True)
    return World(dice, user_data, projects, stores, sparse=True, scenarios=["here"])


@pytest.fixture(autouse=True)
def no_sessions_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from the stores, transcripts and journals of whoever runs them."""
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    if WINDOWS:  # what a program prints into a pipe; tests/windows/test_console.py tries other encodings
        monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere"))


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user without sessions, on a dumb terminal."""
    for name in ("home", "config"):
        (tmp_path / name).mkdir()
    own = {
        "HOME": str(tmp_path / "home"),
        "USERPROFILE": str(tmp_path / "home"),
        "APPDATA": str(tmp_path / "home"),
        "LOCALAPPDATA": str(tmp_path / "home"),
        "CLAUDE_CONFIG_DIR": str(tmp_path / "config"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "SESSSCAN_HOME": str(tmp_path / "state"),
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "80",
    }
    return {**os.environ, **own}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Make the demo's store."""
    make(tmp_path / "d")
    return tmp_path / "d"


@pytest.fixture
def someone(tmp_path: Path, env: dict[str, str]) -> dict[str, str]:
    """Return the environment of a user with the demo's sessions in their usual place.

    `sessscan` is on the PATH.
    """
    home = Path(env["HOME"])
    make(tmp_path / "made")
    (home / ".claude").mkdir()
    shutil.move(tmp_path / "made" / "projects", home / ".claude" / "projects")
    above = {"darwin": home / "Library" / "Application Support", "win32": Path(env["APPDATA"])}
    config = above.get(sys.platform, Path(env["XDG_CONFIG_HOME"]))
    config.mkdir(parents=True, exist_ok=True)
    shutil.move(tmp_path / "made" / "Claude", config / "Claude")
    theirs = {name: value for name, value in env.items() if name != "CLAUDE_CONFIG_DIR"}
    return theirs | {"PATH": os.pathsep.join((str(Path(sys.executable).parent), env.get("PATH", "")))}


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder in which sessscan and both SDKs look for transcripts."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "config" / "projects"
    folder.mkdir(parents=True)
    return folder
