"""Test that both official SDKs find moved sessions with the same messages, on a new machine too."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import claude_agent_sdk
import pytest
import sessscan
from sessscan.stores.locate import TRANSCRIPT_NAME
from support import typescript_sdk
from support.moves import OLD, Home, session_id
from support.real_sessions import real_files

pytestmark = pytest.mark.full


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    real = Path(os.path.realpath(tmp_path))
    monkeypatch.setenv("SESSSCAN_HOME", str(real / "state"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(real / "ada" / ".claude"))
    return Home(real / "ada")


def messages_of(ids: list[str]) -> list[list[str]]:
    """Return the uuids of the messages that the Python SDK gives of each session."""
    return [[one.uuid for one in claude_agent_sdk.get_session_messages(name)] for name in ids]


def listed(directory: str | Path) -> dict[str, str | None]:
    """Return the sessions that the Python SDK lists for a directory, each with its summary."""
    found = claude_agent_sdk.list_sessions(directory=str(directory), include_worktrees=False)
    return {info.session_id: info.summary for info in found}


def test_the_python_sdk_lists_moved_sessions_under_the_new_folder(home: Home) -> None:
    old = str(home.folder / "code" / "shop")  # the SDK takes paths of this system only
    for number in range(1, 4):
        home.transcript(number, old, cwds=(str(Path(old, "api")),) * number)
    ids = [session_id(number) for number in range(1, 4)]
    before = listed(old)
    said = messages_of(ids)
    assert sorted(before) == ids
    assert all(said)
    report = home.move(old)
    assert report.exit_status == 0
    assert listed(home.new) == before
    assert listed(old) == {}
    assert messages_of(ids) == said
    sessscan.undo(report.run, force=True)
    assert listed(old) == before
    assert messages_of(ids) == said


@typescript_sdk.needed
def test_the_typescript_sdk_lists_moved_sessions_under_the_new_folder(home: Home) -> None:
    for number in range(1, 4):
        home.transcript(number, cwds=(f"{OLD}/api",) * number)
    ids = [session_id(number) for number in range(1, 4)]
    said = typescript_sdk.session_messages(ids)
    assert all(len(one) >= 2 for one in said)
    report = home.move()
    assert report.exit_status == 0
    found = typescript_sdk.list_sessions(dir=str(home.new), includeWorktrees=False)
    assert sorted(info["session_id"] for info in found) == ids
    assert {info["cwd"] for info in found} == {str(home.new)}
    assert typescript_sdk.list_sessions(dir=OLD, includeWorktrees=False) == []
    assert typescript_sdk.session_messages(ids) == said


@typescript_sdk.needed
def test_real_transcripts_keep_their_messages(home: Home) -> None:
    if not real_files():
        pytest.skip("SESSSCAN_CORPUS names no folder of real transcripts")
    ids: list[str] = []
    tops: set[str] = set()
    for path in real_files():
        cwd = sessscan.scan(path).cwd
        if (
            not TRANSCRIPT_NAME.fullmatch(path.name)
            or path.stem in ids
            or not cwd
            or path.stat().st_size > 4 << 20
            or len(ids) >= 100
        ):
            continue
        folder = home.key(cwd)
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder / path.name)
        home.age(folder / path.name)
        ids.append(path.stem)
        tops.add(re.split(r"(?<=.)[/\\]", cwd)[0])
    said = typescript_sdk.session_messages(ids)
    pythons = messages_of(ids)
    moved = 0
    for top in sorted(tops):
        report = home.move(top, home.new, prefix=True)
        moved += sum(action.status == "applied" for action in report.actions)
    assert moved == len(ids)
    assert typescript_sdk.session_messages(ids) == said
    assert messages_of(ids) == pythons


def test_a_store_from_windows_is_at_home_on_this_machine(tmp_path: Path, home: Home) -> None:
    """What `python/docs/moving.md` says, from one home to another one."""
    there = Home(tmp_path / "windows")
    place = "C:\\Users\\ada\\src\\App"
    key = "C--Users-ada-src-App"
    there.transcript(1, place, there.projects / key, cwds=(f"{place}\\api",))
    there.transcript(2, place, there.projects / key)
    (there.projects / key / session_id(1) / "subagents").mkdir(parents=True)
    there.transcript(3, f"{place}\\.claude\\worktrees\\x", there.projects / f"{key}--claude-worktrees-x")
    there.transcript(4, "D:\\data", there.projects / "D--data")

    shutil.copytree(there.projects, home.projects, dirs_exist_ok=True)
    (home.folder / "src" / "App").mkdir(parents=True)
    new = home.folder / "src" / "App"
    ids = [session_id(1), session_id(2)]
    said = messages_of(ids)

    report = home.move("C:\\Users\\ada", home.folder, prefix=True)
    assert report.exit_status == 0
    assert listed(new).keys() == set(ids)
    assert messages_of(ids) == said
    assert (home.key(new) / session_id(1) / "subagents").is_dir()
    assert (home.projects / "D--data" / f"{session_id(4)}.jsonl").exists()

    adopted = sessscan.reconcile(home.user_data, home.projects, adopt=True).apply(force=True)
    rows = {row["cliSessionId"]: row for row in map(_read, home.store.glob("local_*.json"))}
    assert rows.keys() == {session_id(number) for number in range(1, 5)}, adopted.actions
    assert [rows[one]["cwd"] for one in ids] == [str(new)] * 2
    assert rows[session_id(3)]["cwd"] == str(new / ".claude" / "worktrees" / "x")
    assert rows[session_id(4)]["cwd"] == "D:\\data"
    findings = sessscan.reconcile(home.user_data, home.projects).findings
    wrong = {finding.rule for finding in findings if finding.severity != "note"}
    assert wrong == set(), findings


def _read(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_bytes())
    return found
