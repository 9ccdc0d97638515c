"""Find the stores and transcripts, on each platform and in folders that are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessscan.stores import locate as stores
from sessscan.stores.locate import locate, projects_root, user_data_folders
from sessscan.stores.project_files import list_transcripts

UUID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"


def test_folders_on_windows() -> None:
    env = {"LOCALAPPDATA": "C:\\Users\\A\\AppData\\Local", "APPDATA": "C:\\Users\\A\\AppData\\Roaming"}
    package = "C:\\Users\\A\\AppData\\Local\\Packages\\Claude_pzs8sxrjxfjjc\\LocalCache\\Roaming\\"
    places = user_data_folders("win32", env, "C:\\Users\\A")
    assert places == (
        package + "Claude",
        package + "Claude-3p",
        "C:\\Users\\A\\AppData\\Local\\Claude-Data\\claude_*",
        "C:\\Users\\A\\AppData\\Roaming\\Claude",
        "C:\\Users\\A\\AppData\\Roaming\\Claude-3p",
    )
    assert user_data_folders("win32", {}, "C:\\Users\\A") == places
    assert projects_root("win32", {}, "C:\\Users\\A") == "C:\\Users\\A\\.claude\\projects"


def test_folders_on_macos() -> None:
    places = user_data_folders("darwin", {"XDG_CONFIG_HOME": "/x"}, "/Users/a")
    parent = "/Users/a/Library/Application Support/"
    assert places == (parent + "Claude", parent + "Claude-3p")


def test_folders_on_linux() -> None:
    assert user_data_folders("linux", {}, "/home/a")[0] == "/home/a/.config/Claude"
    assert user_data_folders("linux", {"XDG_CONFIG_HOME": "/x"}, "/home/a") == ("/x/Claude", "/x/Claude-3p")
    assert projects_root("linux", {}, "/home/a") == "/home/a/.claude/projects"
    assert projects_root("linux", {"CLAUDE_CONFIG_DIR": "/c"}, "/home/a") == "/c/projects"


@pytest.fixture
def user_data(tmp_path: Path) -> Path:
    """A userData folder with two Code accounts, a Cowork account and other files."""
    root = tmp_path / "Claude"
    for part in ("claude-code-sessions/a1/o1", "claude-code-sessions/a1/o2", "claude-code-sessions/a2/o1"):
        (root / part / "backlog").mkdir(parents=True)
    (root / "local-agent-mode-sessions/a1/o1").mkdir(parents=True)
    (root / "claude-code-sessions/archived-sessions.idx").write_text("x")
    return root


def found(*folders: Path) -> list[tuple[str, str | None, bool]]:
    return [(store.path, store.user_data, store.agent_mode) for store in locate(folders, []).stores]


def test_a_folder_on_any_level_may_be_named(user_data: Path) -> None:
    code, agent = user_data / "claude-code-sessions", user_data / "local-agent-mode-sessions"
    all_code = [(str(code / part), str(user_data), False) for part in ("a1/o1", "a1/o2", "a2/o1")]
    assert found(user_data) == [*all_code, (str(agent / "a1/o1"), str(user_data), True)]
    assert found(code) == all_code
    assert found(code / "a1") == all_code[:2]
    assert found(code / "a1/o2") == all_code[1:2]
    assert found(agent / "a1/o1") == [(str(agent / "a1/o1"), str(user_data), True)]


def test_each_store_is_listed_once(user_data: Path) -> None:
    assert (
        len(found(user_data, user_data / "claude-code-sessions", user_data / "claude-code-sessions/a1/o1"))
        == 4
    )


def test_the_other_accounts_are_read_as_well(user_data: Path) -> None:
    places = locate(user_data / "claude-code-sessions/a1/o1", [])
    assert len(places.stores) == 1
    assert len(places.context) == 3


def test_the_other_build_is_read_as_well(user_data: Path) -> None:
    other = user_data.with_name("Claude-3p") / "claude-code-sessions/a/o"
    other.mkdir(parents=True)
    assert [store.path for store in locate(user_data, []).context] == [str(other)]


def test_a_copy_of_a_store_is_recognised_by_its_rows(tmp_path: Path) -> None:
    copy = tmp_path / "saved"
    (copy / "acc/org").mkdir(parents=True)
    (copy / "acc/org/local_x.json").write_text("")
    for folder in (copy, copy / "acc", copy / "acc/org"):
        assert found(folder) == [(str(copy / "acc/org"), None, False)]
    (tmp_path / "empty").mkdir()
    assert found(tmp_path / "empty") == [(str(tmp_path / "empty"), None, False)]


def test_an_empty_user_data_folder_has_no_stores(tmp_path: Path) -> None:
    (tmp_path / "claude-code-sessions").mkdir()
    assert found(tmp_path) == []


def test_linked_accounts_and_organisations_are_listed_once(user_data: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "o9").mkdir(parents=True)
    (user_data / "claude-code-sessions/a9").symlink_to(outside)
    (user_data / "claude-code-sessions/a1/o9").symlink_to(outside / "o9")
    assert len(found(user_data)) == 5
    (tmp_path / "named").symlink_to(user_data)
    assert len(found(tmp_path / "named")) == 5, "a folder that is named may itself be a link"


@pytest.mark.parametrize("which", ["stores", "projects"])
def test_a_named_folder_that_is_not_there_is_an_error(tmp_path: Path, which: str) -> None:
    gone, file = tmp_path / "gone", tmp_path / "file"
    file.write_text("")
    with pytest.raises(FileNotFoundError) as missing:
        locate(**{"stores": [], "projects": [], which: [gone]})
    assert missing.value.filename == str(gone)
    with pytest.raises(NotADirectoryError) as wrong:
        locate(**{"stores": [], "projects": [], which: file})
    assert wrong.value.filename == str(file)


def test_relative_paths_become_absolute(user_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(user_data.parent)
    assert all(path.startswith(str(user_data)) for path, _, _ in found(Path("Claude")))


def test_without_names_the_folders_of_the_platform_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "config"))
    nothing = locate()
    assert (nothing.stores, nothing.projects) == ((), ())
    for build in ("Claude", "Claude-3p"):
        (tmp_path / build / "claude-code-sessions/a/o").mkdir(parents=True)
    (tmp_path / "config/projects").mkdir(parents=True)
    places = locate()
    assert [Path(store.path).relative_to(tmp_path).parts[0] for store in places.stores] == [
        "Claude",
        "Claude-3p",
    ]
    assert [Path(folder) for folder in places.projects] == [tmp_path / "config/projects"]
    named = locate(tmp_path / "Claude-3p")
    assert [Path(store.path).relative_to(tmp_path).parts[0] for store in named.context] == ["Claude"], (
        "the rows of the user's own stores may name transcripts of the user's own projects"
    )


def test_a_star_stands_for_any_end_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "claude_abc").mkdir()
    (tmp_path / "claudette").mkdir()
    assert stores._expand(str(tmp_path / "claude_*")) == [str(tmp_path / "claude_abc")]


def test_transcripts_are_listed_by_their_names(tmp_path: Path) -> None:
    project = tmp_path / "-home-a"
    (project / UUID / "subagents").mkdir(parents=True)
    for name in (
        f"{UUID}.jsonl",
        f"{UUID.upper()}.jsonl",
        f"agent-{UUID}.jsonl",
        f"{UUID}.jsonl.bak",
        "x.jsonl",
    ):
        (project / name).write_text("{}")
    (project / UUID / f"{UUID}.jsonl").write_text("{}")
    (project / UUID / "subagents" / f"{UUID}.jsonl").write_text("{}")
    (project / UUID.replace("0a1b", "ffff")).with_suffix(".jsonl").symlink_to(project / f"{UUID}.jsonl")
    (project / "sessions-index.json").write_text("{}")
    expected = sorted([str(project / f"{UUID}.jsonl"), str(project / f"{UUID.upper()}.jsonl")])
    listing = list_transcripts([str(tmp_path)])
    assert listing.transcripts == expected
    assert listing.indexes == [str(project / "sessions-index.json")]
    assert list_transcripts([str(project)]).transcripts == expected, "a project folder may be given itself"


def test_a_configuration_folder_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "projects").mkdir()
    assert locate([], tmp_path).projects == (str(tmp_path / "projects"),)


def test_a_folder_that_vanishes_is_empty(tmp_path: Path) -> None:
    errors: list[OSError] = []
    assert stores.entries(str(tmp_path / "gone"), errors) == []
    assert errors == []


@pytest.mark.not_root("root may read everything")
def test_a_folder_without_permission_is_reported(user_data: Path) -> None:
    forbidden = user_data / "claude-code-sessions/a2"
    forbidden.chmod(0)
    try:
        places = locate(user_data, [])
        assert len(places.stores) == 3
        assert [error.filename for error in places.errors] == [str(forbidden)]
        with pytest.raises(PermissionError):
            locate(forbidden, [])
    finally:
        forbidden.chmod(0o700)
