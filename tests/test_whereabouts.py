"""Test where a project's folder may be that is gone, and the command that findings propose then."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import sessscan
from sessscan.render.text import command
from support.moves import Home, session_id

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    made = Home(Path(os.path.realpath(tmp_path)) / "ada")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(made.folder))
    shutil.rmtree(made.folder / "work")
    (made.folder / "code").mkdir()
    return made


@pytest.fixture
def old(home: Home) -> Path:
    """Return the folder that is gone, of which there is a session with a row."""
    path = home.folder / "code" / "shop"
    home.transcript(1, str(path))
    home.row(1, str(path), completedTurns=1)
    return path


def found(home: Home, rule: str) -> list[str]:
    plan = sessscan.reconcile(home.user_data, home.projects)
    return [finding.message for finding in plan.findings if finding.rule == rule]


def proposed(home: Home, rule: str, old: Path, new: Path) -> bool:
    [message] = found(home, rule)
    return f"`{command(['sessscan', 'move', str(old), str(new)])}`" in message


def git(folder: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    own = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, env=own, capture_output=True)


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init")
    git(folder, "commit", "--allow-empty", "-m", "x")
    return folder


def test_nothing_is_proposed_where_nothing_is_found(home: Home, old: Path) -> None:
    (home.folder / "code" / "other").mkdir()
    [message] = found(home, "folder-gone")
    assert "sessscan move" not in message


def test_the_only_folder_of_the_same_name_is_proposed(home: Home, old: Path) -> None:
    new = home.folder / "work" / "shop"
    new.mkdir(parents=True)
    assert proposed(home, "folder-gone", old, new)


def test_two_folders_of_the_same_name_are_not(home: Home, old: Path) -> None:
    for place in ("work", "archive"):
        (home.folder / place / "shop").mkdir(parents=True)
    [message] = found(home, "folder-gone")
    assert "sessscan move" not in message


def test_a_folder_of_that_name_that_sessions_are_from_is_proposed(home: Home, old: Path) -> None:
    new = home.folder / "a" / "b" / "c" / "shop"
    new.mkdir(parents=True)
    home.transcript(2, str(new))
    assert proposed(home, "folder-gone", old, new)


def test_a_parent_that_was_renamed_is_proposed_as_a_whole(home: Home) -> None:
    lost, new = home.folder / "src", home.folder / "source"
    for number, name in enumerate(("one", "two")):
        home.transcript(number, str(lost / name))
        home.row(number, str(lost / name))
        (new / name).mkdir(parents=True)
    messages = found(home, "folder-gone")
    assert len(messages) == 2
    assert all(command(["sessscan", "move", str(lost), str(new)]) in message for message in messages)


@needs_git
def test_git_tells_of_a_repository_that_was_renamed(home: Home) -> None:
    old = repository(home.folder / "code" / "shop")
    tree = old / ".claude" / "worktrees" / "dark"
    git(old, "worktree", "add", "-b", "claude/dark", str(tree))
    new = home.folder / "code" / "boutique"
    old.rename(new)
    (home.folder / "work" / "shop").mkdir(parents=True)  # of the same name, and another project
    home.transcript(1, str(tree))
    home.row(1, str(tree), originCwd=str(old))
    assert proposed(home, "folder-gone", old, new)


@needs_git
@pytest.mark.parametrize("packed", [False, True])
def test_a_branch_tells_of_a_repository_that_was_cloned_anew(home: Home, old: Path, packed: bool) -> None:
    new = repository(home.folder / "code" / "boutique")
    repository(home.folder / "code" / "else")
    git(new, "branch", "claude/faster-search")
    if packed:
        git(new, "pack-refs", "--all")
    path = home.key(old) / f"{session_id(1)}.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"gitBranch":"main"', b'"gitBranch":"claude/faster-search"'))
    assert proposed(home, "folder-gone", old, new)


@needs_git
@pytest.mark.parametrize("url", ["git@github.com:Ada/Boutique.git", "https://github.com/ada/boutique"])
def test_a_remote_tells_of_a_repository_that_was_cloned_anew(home: Home, old: Path, url: str) -> None:
    new = repository(home.folder / "code" / "new")
    git(new, "remote", "add", "origin", url)
    git(repository(home.folder / "code" / "else"), "remote", "add", "origin", "https://github.com/ada/else")
    (home.folder / "work" / "shop").mkdir(parents=True)  # of the same name, and another project
    with (home.key(old) / f"{session_id(1)}.jsonl").open("ab") as file:
        file.write(b'{"type":"pr-link","sessionId":"x","prNumber":1,"prRepository":"ada/boutique"}\n')
        file.write(b'{"type":"pr-link","prRepository":7}\n{"type":"pr-link"\n')
    assert proposed(home, "folder-gone", old, new)


def test_a_worktree_that_was_removed_is_no_folder_that_moved(home: Home) -> None:
    project = home.folder / "code" / "shop"
    project.mkdir()
    (home.folder / "work" / "shop" / ".claude" / "worktrees" / "dark").mkdir(parents=True)
    home.transcript(1, str(project / ".claude" / "worktrees" / "dark"))
    home.row(1, str(project / ".claude" / "worktrees" / "dark"))
    [message] = found(home, "folder-gone")
    assert "sessscan move" not in message


def test_a_transcript_that_was_moved_by_hand_tells_where_to(home: Home, old: Path) -> None:
    new = home.folder / "elsewhere"
    new.mkdir()
    home.transcript(2, str(new))
    (home.key(old) / f"{session_id(1)}.jsonl").rename(home.key(new) / f"{session_id(1)}.jsonl")
    assert proposed(home, "moved", old, new)
    assert sessscan.move(old, new, home.user_data, home.projects).apply(force=True).exit_status == 0
    assert found(home, "moved") == []
    assert found(home, "folder-gone") == []


def test_an_orphan_under_an_old_key_leads_to_the_move(home: Home, old: Path) -> None:
    new = home.folder / "work" / "shop"
    new.mkdir(parents=True)
    home.transcript(2, str(old))
    assert proposed(home, "orphan", old, new)


def test_a_hostile_repository_is_only_read(home: Home, old: Path) -> None:
    new = home.folder / "code" / "shop2"
    (new / ".git" / "worktrees" / "x" / "gitdir").mkdir(parents=True)  # a folder in place of a file
    (new / ".git" / "worktrees" / "y").mkdir()
    (new / ".git" / "worktrees" / "y" / "gitdir").write_bytes(b"\xff\x1b[31m\0")
    (new / ".git" / "packed-refs").mkdir()
    path = home.key(old) / f"{session_id(1)}.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"gitBranch":"main"', b'"gitBranch":"../../x"'))
    [message] = found(home, "folder-gone")
    assert "sessscan move" not in message
