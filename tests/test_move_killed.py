"""Test that a move that is killed before or after any call of the writer can be completed, and taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sessscan
from sessscan.changes import journal
from support.moves import OLD, Home, session_id

pytestmark = pytest.mark.full

KILLED = 9

CHILD = """
import os, sys
from sessscan import _core

name, number, when, *arguments = sys.argv[1:]
write, calls = getattr(_core, name), 0

def counted(*given, **more):
    global calls
    calls += 1
    if calls == int(number) and when == "before":
        os._exit(9)
    result = write(*given, **more)
    if calls == int(number) and when == "after":
        os._exit(9)
    return result

setattr(_core, name, counted)
from sessscan.cli import main
sys.argv = ["sessscan", *arguments]
main()
"""
"""Runs sessscan, and ends the process at one call of the core's writer, without any cleaning up."""


def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SESSSCAN_HOME", str(folder / "state"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(folder / ".claude"))
    home = Home(folder)
    first = home.transcript(1)
    (first.with_suffix("") / "subagents").mkdir(parents=True)
    (first.with_suffix("") / "subagents" / "agent-a.jsonl").write_bytes(b"{}\n")
    home.row(1)
    home.transcript(2)
    home.lease({"path": f"{OLD}/x", "baseRepo": OLD, "leasedBy": "local_x"})
    return home


def run(home: Home, name: str, number: int, when: str, *arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, name, str(number), when, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def move(home: Home) -> list[str]:
    places = ["--store", str(home.user_data), "--projects", str(home.projects)]
    return ["move", OLD, str(home.new), "--apply", "--force", "--no-index", *places]


def check_between(home: Home, whole: dict[str, bytes], ids: list[str]) -> None:
    """Check that each session is there once, whole, and that no row names a folder before its transcript."""
    for name in ids:
        before = home.key(OLD) / f"{name}.jsonl"
        after = home.key(home.new) / f"{name}.jsonl"
        assert before.exists() != after.exists()
        data = (before if before.exists() else after).read_bytes()
        assert data.startswith(whole[before.relative_to(home.folder).as_posix()])
        assert data.count(b'"relocated"') <= 1
    row = (home.store / f"local_{session_id(1)}.json").read_bytes()
    if b"work" in row:
        assert (home.key(home.new) / f"{session_id(1)}.jsonl").exists()
    assert journal.runs()[1] == []


def undo_all() -> None:
    while (undone := sessscan.undo(force=True)) is not None:
        assert undone.exit_status == 0, undone
    assert journal.runs()[1] == []


@pytest.mark.parametrize("name", ["edit", "relocate", "replace", "append_durable"])
def test_a_move_that_is_killed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [session_id(1), session_id(2)]
    top = Path(os.path.realpath(tmp_path))
    kills = 0
    for number in range(1, 100):
        for when in ("before", "after"):
            home = made(top / f"{number}-{when}", monkeypatch)
            before = home.picture()
            status = run(home, name, number, when, *move(home))
            if status != KILLED:
                assert status == 0
                undo_all()
                assert home.picture() == before
                assert kills >= 4
                return
            kills += 1
            check_between(home, before, ids)
            if number % 2:
                report = home.move() if _is_left(home) else None
                assert report is None or report.exit_status == 0, report.actions
                assert not _is_left(home)
                assert b"work" in (home.store / f"local_{session_id(1)}.json").read_bytes()
                assert all((home.key(home.new) / f"{one}.jsonl").exists() for one in ids)
                assert (home.key(home.new) / session_id(1) / "subagents" / "agent-a.jsonl").exists()
            undo_all()
            assert home.picture() == before
    raise AssertionError("it never ended by itself")


@pytest.mark.parametrize("name", ["edit", "relocate", "append_durable"])
def test_an_undo_that_is_killed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [session_id(1), session_id(2)]
    top = Path(os.path.realpath(tmp_path))
    for number in range(1, 100):
        for when in ("before", "after"):
            home = made(top / f"{number}-{when}", monkeypatch)
            before = home.picture()
            assert home.move().exit_status == 0
            status = run(home, name, number, when, "undo", "--force")
            if status != KILLED:
                assert status == 0
                assert home.picture() == before
                assert number > 1
                return
            check_between(home, before, ids)
            undo_all()
            assert home.picture() == before
    raise AssertionError("it never ended by itself")


def _is_left(home: Home) -> bool:
    return any(action.status == "planned" for action in home.plan().actions)
