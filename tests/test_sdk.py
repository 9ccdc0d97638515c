"""Compare `list_sessions` and `get_session_info` with those of `claude_agent_sdk` on the same files.

Each field of each session is compared. A difference that `support/session_traps.py` does not list is an
error, and so is a difference that it lists and that does not occur any more.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import claude_agent_sdk
import pytest
import sessscan
import sessscan.sessions.sdk
from claude_agent_sdk import SDKSessionInfo
from sessscan.scan_cache import scan as scan_cache
from support import reference
from support.program import picture
from support.real_sessions import copy_real_files, real_files, unexplained
from support.session_traps import PLAIN, REASONS, TRAPS, filler, lines, user
from support.store_factory import build, key

BEGAN = 1_772_000_000_000
FIELDS = [field.name for field in dataclasses.fields(SDKSessionInfo)]
LINKS = sys.platform != "win32"


def session_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def put(projects: Path, cwd: str, number: int, data: bytes, *, folder: str | None = None) -> str:
    """Write a transcript and return its session id. A higher number gives a later mtime."""
    name = session_id(number)
    path = projects / (folder or key(cwd)) / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=((BEGAN + number * 1_000) * 1_000_000,) * 2)
    return name


def ids(sessions: Sequence[SDKSessionInfo | sessscan.SessionInfo]) -> list[str]:
    return [session.session_id for session in sessions]


def differences(theirs: SDKSessionInfo | None, ours: sessscan.SessionInfo | None) -> dict[str, Any]:
    """Return by field what each says where they differ; under `listed` who lists it, if only one does."""
    if theirs is None or ours is None:
        return {} if theirs is ours else {"listed": "ours" if theirs is None else "theirs"}
    pairs = {name: (getattr(theirs, name), getattr(ours, name)) for name in FIELDS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


# The same arguments and fields


@pytest.mark.parametrize("name", ["list_sessions", "get_session_info"])
def test_the_arguments_are_those_of_the_sdk(name: str) -> None:
    theirs = inspect.signature(getattr(claude_agent_sdk, name)).parameters
    ours = inspect.signature(getattr(sessscan, name)).parameters
    shown = [(p.name, p.kind, p.default) for p in theirs.values()]
    assert [(p.name, p.kind, p.default) for p in ours.values()][: len(shown)] == shown
    more = list(ours.values())[len(shown) :]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in more)


def test_a_session_passes_for_the_sdks(projects: Path) -> None:
    put(projects, "/p", 1, PLAIN["prompt"](session_id(1)))
    [info] = sessscan.list_sessions()
    assert isinstance(info, SDKSessionInfo) and isinstance(info, sessscan.SessionInfo)
    assert not isinstance(info, str)
    match info:
        case SDKSessionInfo(session_id=name):
            assert name == session_id(1)
    again = pickle.loads(pickle.dumps(info))
    assert again == info == copy.copy(info) == copy.deepcopy(info) and hash(again) == hash(info)
    assert isinstance(again, SDKSessionInfo) and type(again) is sessscan.SessionInfo
    other = dataclasses.replace(info, summary="other")
    assert isinstance(other, SDKSessionInfo) and other.summary == "other" != info.summary
    assert dataclasses.asdict(info)["summary"] == "hello" and repr(info).startswith("SessionInfo(session_id=")


def test_the_sdk_is_not_imported_for_that(projects: Path) -> None:
    """Nor need it be there, and it may be imported later."""
    put(projects, "/p", 1, PLAIN["prompt"](session_id(1)))
    code = """
import pickle, sys, sessscan
[info] = sessscan.list_sessions()
assert isinstance(info, sessscan.SessionInfo) and info.__class__ is sessscan.SessionInfo
assert pickle.loads(pickle.dumps(info)) == info
assert "claude_agent_sdk" not in sys.modules
from claude_agent_sdk import SDKSessionInfo
assert isinstance(info, SDKSessionInfo)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_fields_are_those_of_the_sdk() -> None:
    theirs, ours = dataclasses.fields(SDKSessionInfo), dataclasses.fields(sessscan.SessionInfo)
    shown = [(f.name, f.type, f.default) for f in theirs]
    assert [f[0] for f in shown] == [f.name for f in ours][: len(shown)]
    assert [(f.name, f.default) for f in ours][: len(shown)] == [(f[0], f[2]) for f in shown]


# The same values, except for the listed differences


def test_plain_sessions_have_the_same_values(projects: Path) -> None:
    for number, make in enumerate(PLAIN.values(), 1):
        put(projects, "/home/ada/shop", number, make(session_id(number)))
    theirs, ours = claude_agent_sdk.list_sessions(), sessscan.list_sessions()
    assert ids(theirs) == ids(ours)
    assert len(ours) == len(PLAIN) - 5
    for one, other in zip(theirs, ours, strict=True):
        assert differences(one, other) == {}, list(PLAIN)[int(other.session_id[-12:], 16) - 1]


@pytest.mark.parametrize("name", TRAPS)
def test_each_listed_difference_occurs(projects: Path, name: str) -> None:
    trap = TRAPS[name]
    session = put(projects, "/home/ada/shop", 1, trap.make(session_id(1)))
    expected = trap.differs if trap.only is None else {"listed": trap.only}
    theirs, ours = claude_agent_sdk.list_sessions(), sessscan.list_sessions()
    assert differences((theirs or [None])[0], (ours or [None])[0]) == expected
    single = (claude_agent_sdk.get_session_info(session), sessscan.get_session_info(session))
    assert differences(*single) == expected
    assert expected


ROUNDED = "it computes the milliseconds of `last_modified` in floating point, and may come out one too high"


def test_milliseconds_are_not_rounded_up(projects: Path) -> None:
    name = put(projects, "/a", 1, PLAIN["prompt"](session_id(1)))
    path = next(projects.rglob("*.jsonl"))
    moment = BEGAN * 1_000_000 + 999_950
    os.utime(path, ns=(moment, moment))
    if path.stat().st_mtime_ns != moment:
        pytest.skip("this file system keeps no nanoseconds")
    expected = {"last_modified": (BEGAN + 1, BEGAN)}
    theirs, ours = claude_agent_sdk.get_session_info(name), sessscan.get_session_info(name)
    assert differences(theirs, ours) == expected


def test_every_reason_occurs_and_is_documented() -> None:
    assert {trap.reason for trap in TRAPS.values()} == set(REASONS)
    text = " ".join((Path(__file__).parent.parent / "python/docs/sdk.md").read_text(encoding="utf-8").split())
    reasons = [*REASONS.values(), *PLACES.values(), ROUNDED]
    assert [reason for reason in reasons if reason not in text] == []


@pytest.mark.parametrize("seed", range(6))
def test_random_stores_have_exact_values(tmp_path: Path, projects: Path, seed: int) -> None:
    """Each value is what a full parse of each line gives; the SDK's differ only where the file has a trap."""
    world = build(tmp_path / "world", seed)
    projects.rmdir()
    world.projects.rename(projects)
    ours = {one.session_id: one for one in sessscan.list_sessions()}
    assert len(ours) > 5
    for path in map(Path, (one.path for one in ours.values())):
        other, expected = ours[path.stem], reference.scan(path)
        assert other.title == expected["title"] and other.title_source == expected["title_source"]
        for name in ("created_at", "last_activity_at", "cwd", "git_branch", "tag"):
            assert getattr(other, name) == expected[name], name
        assert other.custom_title == (expected["custom_title"] or expected["ai_title"])
        damaged = any(defect["kind"] != "torn" for defect in expected["defects"])
        assert other.health == ("damaged" if damaged else "ok")
    assert compare_all(projects) > 0


@pytest.mark.skipif(not real_files(), reason="SESSSCAN_CORPUS names no folder with transcripts")
def test_real_transcripts_differ_only_by_the_listed_reasons(projects: Path) -> None:
    copy_real_files(projects)
    compare_all(projects)


def compare_all(projects: Path) -> int:
    """Compare all sessions; return how many differ, each by a listed reason."""
    theirs = {one.session_id: dataclasses.asdict(one) for one in claude_agent_sdk.list_sessions()}
    ours = {one.session_id: one for one in sessscan.list_sessions()}
    differing = 0
    for path in projects.rglob("*.jsonl"):
        one, other = theirs.get(path.stem), ours.get(path.stem)
        if other is not None and Path(other.path) != path:
            continue  # an older copy
        assert unexplained(path, one, other) == [], (path, one, other)
        differing += one is None or other is None or any(v != getattr(other, k) for k, v in one.items())
    return differing


# Which sessions are listed

PLACES = {
    "emoji": "an emoji in a folder's name counts as two characters, as it does for the CLI",
    "old": "CLIs before July 2026 left `_` in a folder's name as it is",
    "lossy": "`/a-b` and `/a/b` share a folder, of which only the sessions of the directory are given",
    "links": "links to transcripts are not followed, only those to their folders",
}


def both(directory: str | None = None, **options: Any) -> tuple[list[str], list[str]]:
    return (
        ids(claude_agent_sdk.list_sessions(directory, **options)),
        ids(sessscan.list_sessions(directory, **options)),
    )


def test_limit_and_offset_give_the_sdks_sessions(projects: Path) -> None:
    for number in range(1, 13):
        make = PLAIN["empty" if number % 4 == 0 else "subagent" if number % 5 == 0 else "prompt"]
        put(projects, f"/p{number % 3}", number, make(session_id(number)))
    for limit in (None, 0, -1, 1, 2, 5, 8, 100):
        for offset in (0, -1, 1, 3, 7, 8, 100):
            theirs, ours = both(limit=limit, offset=offset)
            assert theirs == ours, (limit, offset)
    assert both(limit=100)[1] == ids(sessscan.list_sessions())
    assert ids(sessscan.list_sessions(None, 2, 1)) == ids(sessscan.list_sessions())[1:3]


def test_with_a_limit_no_more_files_are_read_than_needed(
    projects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 41):
        put(projects, "/p", number, PLAIN["subagent" if number == 39 else "prompt"](session_id(number)))
    read: list[str] = []
    real: Callable[..., Any] = scan_cache.scan_many

    def spy(paths: Sequence[str], **options: Any) -> Any:
        read.extend(paths)
        return real(paths, **options)

    monkeypatch.setattr(scan_cache, "scan_many", spy)
    assert len(sessscan.list_sessions(limit=3, offset=1, index=True)) == 3
    assert [Path(path).stem for path in read] == [session_id(number) for number in (40, 39, 38, 37, 36)]
    read.clear()
    assert sessscan.get_session_info(session_id(7), index=True) is not None
    assert len(read) == 1


def test_the_newest_of_several_files_of_a_session_counts(projects: Path) -> None:
    put(projects, "/new", 2, lines(user(session_id(2), "newer")))
    put(projects, "/old", 2, lines(user(session_id(2), "older")))
    os.utime(projects / "-old" / f"{session_id(2)}.jsonl", ns=(1, 1))
    assert [one.summary for one in claude_agent_sdk.list_sessions()] == ["newer"]
    assert [one.summary for one in sessscan.list_sessions()] == ["newer"]
    info = sessscan.get_session_info(session_id(2))
    assert info is not None and info.summary == "newer"  # the SDK takes the first that the file system lists


@pytest.mark.parametrize("name", ["", "x", session_id(1) + "x", "../" + session_id(1), session_id(9), "*"])
def test_an_unknown_session_id_gives_none(projects: Path, name: str) -> None:
    put(projects, "/p", 1, PLAIN["prompt"](session_id(1)))
    assert sessscan.get_session_info(name) is None
    assert claude_agent_sdk.get_session_info(name) is None


def test_missing_folders_give_no_sessions(
    projects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert both() == both(str(tmp_path / "nowhere")) == ([], [])
    projects.rmdir()
    assert both() == both("/p") == ([], [])
    monkeypatch.delenv("CLAUDE_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    put(tmp_path / "home" / ".claude" / "projects", "/p", 1, PLAIN["prompt"](session_id(1)))
    assert both() == ([session_id(1)], [session_id(1)])


@pytest.mark.posix("paths of this platform are others")
def test_files_that_are_no_transcripts_are_not_listed(projects: Path) -> None:
    put(projects, "/p", 1, PLAIN["prompt"](session_id(1)))
    data = PLAIN["prompt"]("x")
    for name in (
        "agent-1.jsonl",
        "notes.jsonl",
        f"{session_id(2)}.json",
        f"{session_id(3)}/subagents/x.jsonl",
    ):
        (projects / "-p" / name).parent.mkdir(exist_ok=True, parents=True)
        (projects / "-p" / name).write_bytes(data)
    (projects / f"{session_id(4)}.jsonl").write_bytes(data)
    (projects / "-p" / f"{session_id(5)}.jsonl").mkdir()
    assert both() == both("/p") == ([session_id(1)], [session_id(1)])


@pytest.mark.posix("paths of this platform are others")
def test_projects_names_other_roots(tmp_path: Path) -> None:
    put(tmp_path / "copy", "/p", 1, PLAIN["prompt"](session_id(1)))
    assert ids(sessscan.list_sessions(projects=tmp_path / "copy")) == [session_id(1)]
    assert ids(sessscan.list_sessions("/p", projects=[tmp_path / "copy"])) == [session_id(1)]
    assert sessscan.get_session_info(session_id(1), projects=tmp_path / "copy") is not None
    with pytest.raises(FileNotFoundError):
        sessscan.list_sessions(projects=tmp_path / "nowhere")


@pytest.mark.posix("paths of this platform are others")
def test_the_sessions_of_a_directory(projects: Path, tmp_path: Path) -> None:
    """Links are resolved; a session whose lines name no directory gets the one that was asked for."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    put(projects, str(real), 1, PLAIN["no directory"](session_id(1)))
    put(projects, str(tmp_path / "real-two"), 2, PLAIN["prompt"](session_id(2)))
    for directory in (str(real), str(link), str(link) + "/", str(link / ".." / "real")):
        theirs = claude_agent_sdk.list_sessions(directory)
        ours = sessscan.list_sessions(directory)
        assert ids(theirs) == ids(ours) == [session_id(1)]
        assert theirs[0].cwd == ours[0].cwd == str(real)
        for get in (claude_agent_sdk.get_session_info, sessscan.get_session_info):
            found = get(session_id(1), directory)  # type: ignore[operator]
            assert found is not None and found.cwd == str(real)
            assert get(session_id(2), directory) is None  # type: ignore[operator]
    assert ids(sessscan.list_sessions(real)) == [session_id(1)]  # a Path works too


@pytest.mark.posix("paths of this platform are others")
def test_a_directory_whose_folder_name_is_cut(projects: Path) -> None:
    """The folder's name then ends in a hash, which differs between CLI and SDK."""
    directory = "/home/" + "long/" * 60
    put(projects, directory.rstrip("/"), 1, lines(user(session_id(1), "x", cwd=directory.rstrip("/"))))
    assert both(directory) == ([session_id(1)], [session_id(1)])


@pytest.mark.posix("paths of this platform are others")
@pytest.mark.parametrize("reason", PLACES)
def test_each_listed_difference_in_folders_occurs(projects: Path, tmp_path: Path, reason: str) -> None:
    def said(number: int, cwd: str) -> bytes:
        return lines(user(session_id(number), "x", cwd=cwd))

    if reason == "emoji":
        put(projects, "/home/ada/🚀", 1, said(1, "/home/ada/🚀"))
        assert both("/home/ada/🚀") == ([], [session_id(1)])
    elif reason == "old":
        put(projects, "", 1, said(1, "/home/ada/web_shop"), folder="-home-ada-web_shop")
        assert both("/home/ada/web_shop") == ([], [session_id(1)])
    elif reason == "lossy":
        put(projects, "/a-b", 1, said(1, "/a-b"))
        put(projects, "/a/b", 2, said(2, "/a/b"))
        put(projects, "/a/b", 3, said(3, "/elsewhere"))
        everything = [session_id(number) for number in (3, 2, 1)]
        assert both("/a-b") == (everything, [session_id(3), session_id(1)])
        assert both("/a/b") == (everything, [session_id(3), session_id(2)])
    else:
        put(tmp_path / "outside", "/p", 1, said(1, "/p"))
        (projects / "-p").symlink_to(tmp_path / "outside" / "-p")
        put(projects, "/q", 2, said(2, "/q"))
        (projects / "-q" / f"{session_id(3)}.jsonl").symlink_to(
            tmp_path / "outside" / "-p" / f"{session_id(1)}.jsonl"
        )
        theirs, ours = both()
        assert sorted(theirs) == [session_id(number) for number in (1, 2, 3)]
        assert sorted(ours) == [session_id(1), session_id(2)]


@pytest.mark.posix("paths of this platform are others")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_sessions_of_a_repositorys_worktrees(
    projects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, tree = tmp_path / "repo", tmp_path / "trees" / "wörk tree"

    def git(*arguments: str) -> None:
        options = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *options, *arguments], cwd=repository, check=True, capture_output=True)

    (repository / "inner").mkdir(parents=True)
    git("init")
    git("commit", "--allow-empty", "-m", "x")
    for number, place in enumerate((repository, repository / "inner", tree, tmp_path / "repo-two"), 1):
        put(projects, str(place), number, lines(user(session_id(number), "x", cwd=str(place))))
    assert both(str(repository)) == ([session_id(1)], [session_id(1)])
    assert both(str(repository / "inner")) == ([session_id(2)], [session_id(2)])
    git("worktree", "add", "-b", "other", str(tree))
    before = picture(repository)
    for directory, expected in (
        (repository, [3, 1]),
        (tree, [3, 1]),
        (repository / "inner", [3, 2, 1]),
        (tmp_path / "repo-two", [4]),
    ):
        wanted = [session_id(number) for number in expected]
        assert both(str(directory)) == (wanted, wanted)
        own = wanted if len(expected) == 1 else [session_id({repository: 1, tree: 3}.get(directory, 2))]
        assert both(str(directory), include_worktrees=False) == (own, own)
        for number in range(1, 5):
            theirs = claude_agent_sdk.get_session_info(session_id(number), str(directory))
            ours = sessscan.get_session_info(session_id(number), str(directory))
            assert differences(theirs, ours) == {}
            assert (ours is not None) == (number in expected)
    assert picture(repository) == before
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))  # as in a hook of another repository
    assert both(str(repository)) == ([session_id(1)], [session_id(3), session_id(1)])
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert both(str(repository)) == ([session_id(1)], [session_id(1)])


# What the SDK does not have


def test_the_added_fields_are_exact(projects: Path) -> None:
    name = session_id(1)
    data = lines(
        user("another", "copied", 0, timestamp="2020-01-01T00:00:00Z"),
        user(name, "hello", 5),
        user(name, "later", 9),
        user(name, "back", 7),
        *filler(name),
        {"type": "custom-title", "customTitle": "Named"},
        bytes(100) + b"\n",
        *filler(name),
    )
    path = projects / "-p" / f"{put(projects, '/p', 1, data)}.jsonl"
    [info] = sessscan.list_sessions()
    assert (info.title, info.title_source, info.summary) == ("Named", "custom", "Named")
    assert info.created_at == 1_772_366_400_000 + 2 * 60_000
    assert info.last_activity_at == 1_772_366_400_000 + 9 * 60_000
    assert (info.health, info.path, info.file_size) == ("damaged", str(path), len(data))


def test_the_last_prompt_is_a_summary_and_no_title(projects: Path) -> None:
    put(projects, "/p", 1, PLAIN["last prompt"](session_id(1)))
    [info] = sessscan.list_sessions()
    assert (info.summary, info.title, info.title_source) == ("y", "x", "prompt")


def test_a_torn_last_line_is_not_damage(projects: Path) -> None:
    put(projects, "/p", 1, PLAIN["torn"](session_id(1)))
    assert [one.health for one in sessscan.list_sessions()] == ["ok"]


@pytest.mark.not_root("root reads everything")
def test_unreadable_files_are_left_out(projects: Path) -> None:
    for number in (1, 2):
        put(projects, "/p", number, PLAIN["prompt"](session_id(number)))
    (projects / "-p" / f"{session_id(2)}.jsonl").chmod(0)
    assert both() == ([session_id(1)], [session_id(1)])


def test_the_session_list_is_loaded_lazily() -> None:
    slow = "{'sessscan.sessions.sdk', 'sessscan.reconciliation', 'simdjson', 'msgspec', 'subprocess'}"
    code = f"import sys, sessscan; print(sorted({slow} & {{*sys.modules}}))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
