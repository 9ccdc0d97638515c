"""Rows that the app can read and the transcripts they name: not found, elsewhere, moved, or without a
conversation. Each store is one that was reported, or a variant of one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sessscan.changes.plan import Plan
from sessscan.model import Finding
from sessscan.reconciliation import reconcile
from support.small_worlds import BEGAN, a_talk, the
from support.store_factory import DAY, NOW, World, compact, key
from support.transcript_factory import TERMINAL, Talk, new_id, stub, talk

needs_links = pytest.mark.posix("making a link takes a privilege there")
needs_a_user = pytest.mark.not_root("root may read everything")


def plan(world: World, **more: Any) -> Plan:
    return reconcile(world.user_data, world.projects, now=NOW, **more)


def findings(world: World, *ignored: str) -> list[Finding]:
    return [finding for finding in plan(world).findings if finding.rule not in ignored]


def only(world: World, rule: str) -> Finding:
    (found,) = findings(world)
    assert found.rule == rule, found
    return found


def named(world: World, made: Talk, **more: Any) -> str:
    """Make a row for a session, with the transcript's title."""
    return world.healthy_row(made, title=made.title, **more)


# Not found


def test_the_cause_is_not_named_where_it_is_not_known(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    named(world, made)
    message = only(world, "dangling").message
    assert f"was not found in {world.projects}." in message
    assert message.startswith(f'The session "{made.title}", of /home/ada/code, last used ')
    assert "delete" not in message and "30 days" not in message and "gone" not in message


def test_what_is_left_of_a_session_is_told(world: World) -> None:
    made, other = talk(world.dice, "/home/ada/code", BEGAN), talk(world.dice, "/home/ada/code", BEGAN)
    named(world, made)
    folder = world.projects / key(made.cwd)
    for name in ("subagents/agent-1.jsonl", "subagents/agent-2.jsonl", "tool-results/x.txt"):
        world.write(folder / made.session_id / name, b"x", NOW)
    for name in (".orphaned-1790000000000-ab.jsonl", ".jsonl.superseded-1790000000000"):
        world.write(folder / f"{made.session_id}{name}", made.bytes(), NOW)
    config = world.projects.parent
    world.write(config / "file-history" / made.session_id / "v1", b"x", NOW)
    prompts = [
        json.dumps({"display": "x", "sessionId": made.session_id.upper()}),
        json.dumps({"display": f'"sessionId":"{made.session_id}"', "sessionId": other.session_id}),
        json.dumps({"sessionId": made.session_id, "display": "y" * (2 << 20)}),
        '{"sessionId":"' + made.session_id,
        "[" * 100_000,
        json.dumps({"display": "y", "sessionId": made.session_id}),
    ]
    world.write(config / "history.jsonl", "\n".join(prompts).encode() + b"\n\xff\x00", NOW)
    message = only(world, "dangling").message
    assert "3 files of its helpers and tools" in message
    assert f"file versions in {config / 'file-history' / made.session_id}" in message
    assert f"2 of its prompts in {config / 'history.jsonl'}" in message
    assert ".orphaned-1790000000000-ab.jsonl" in message and ".jsonl.superseded-" in message


@pytest.mark.parametrize("lost", [False, True])
def test_an_empty_transcript_is_said_to_be_empty(world: World, lost: bool) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    path = world.put(made)
    path.write_bytes(b"")
    if lost:
        content = b'{"cliSessionId":"%s",' % made.session_id.encode()
        row = world.lose(made, "hold", time=NOW - DAY, content=content).path
        assert f"is empty (0 bytes: {path})" in (the(world, row).error or "")
        return
    named(world, made)
    assert f"is empty (0 bytes): {path}" in only(world, "dangling").message


def test_a_session_of_another_machine_is_not_dangling(world: World) -> None:
    ssh = {"sshHost": "box", "id": "ssh-1"}
    far, mirrored, wsl = (talk(world.dice, "/root/app", BEGAN + n * DAY) for n in range(3))
    world.put(mirrored, folder=f"ssh-{mirrored.session_id}")
    there = "/root/.claude/projects/-root-app/x.jsonl"
    named(world, far, sshConfig=ssh, sshRemoteTranscriptPath=there)
    named(world, mirrored, sshConfig=ssh)
    named(world, wsl, wslConfig={"distro": "Ubuntu"})
    found = findings(world)
    assert [(one.rule, one.severity) for one in found] == [("remote", "note")] * 2
    messages = "\n".join(one.message for one in found)
    assert f"box (over SSH, {there})" in messages and "Ubuntu (in WSL)" in messages


@pytest.mark.parametrize("nothing", [None, {}, "", False])
def test_an_empty_connection_is_none(world: World, nothing: object) -> None:
    named(world, talk(world.dice, "/home/ada/code", BEGAN), sshConfig=nothing, wslConfig=nothing)
    only(world, "dangling")


@needs_a_user
def test_a_folder_that_cannot_be_read_may_hold_the_transcript(world: World) -> None:
    hidden, gone = a_talk(world, cwd="/home/ada/one"), talk(world.dice, "/home/ada/two", BEGAN)
    for made in (hidden, gone):
        named(world, made)
    folder = world.projects / key(hidden.cwd)
    folder.chmod(0)
    try:
        found = findings(world)
    finally:
        folder.chmod(0o700)
    assert sorted((one.rule, one.severity) for one in found) == [
        ("dangling", "warning"),
        ("unreadable", "note"),
        ("unreadable", "warning"),
    ]
    messages = {one.rule: one.message for one in found if one.session_id is not None}
    assert f"in {folder}, which cannot be read" in messages["unreadable"]
    assert "1 folder could not be read" in messages["dangling"]


@pytest.mark.parametrize("turns", [0, None])
def test_the_one_session_without_a_row_that_fits_is_pointed_to(world: World, turns: int | None) -> None:
    """Of a row that counted no turns: what of the others comes of it, test_relink has."""
    real = a_talk(world)
    other = talk(world.dice, real.cwd, BEGAN)
    wrong = world.row(real, "x") | {"cliSessionId": other.session_id}
    times = {name: wrong[name] for name in ("createdAt", "lastActivityAt")}
    named(world, other, completedTurns=turns, **times)
    (found,) = findings(world, "orphan")
    path = world.projects / key(real.cwd) / real.session_id
    assert (found.rule, str(path) in found.message) == ("dangling", True)
    assert "--adopt" in found.message
    elsewhere = talk(world.dice, "/home/ada/elsewhere", BEGAN)
    named(world, elsewhere, completedTurns=turns, **times)
    assert sum(real.session_id in one.message for one in findings(world, "orphan")) == 1


# Moved


@pytest.mark.parametrize("place", ["nested", "root"])
def test_a_transcript_outside_its_project_folder_is_moved(world: World, place: str) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    name = key(made.cwd)
    path = world.put(made, folder=f"{name}/{name}" if place == "nested" else ".")
    named(world, made)
    a_talk(world, entrypoint=TERMINAL)
    found = only(world, "moved")
    assert (found.severity, found.transcript) == ("warning", str(path))
    assert (
        f"the app looks for it in {world.projects / name}, the project folder of {made.cwd}" in found.message
    )


def test_a_nested_copy_of_a_transcript_in_its_place_is_nothing(world: World) -> None:
    made = a_talk(world)
    named(world, made)
    world.put(made, folder=f"{key(made.cwd)}/{key(made.cwd)}")
    assert findings(world) == []


def test_a_row_built_for_a_nested_transcript_says_that_it_will_not_open(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    world.put(made, folder=f"{key(made.cwd)}/{key(made.cwd)}")
    (action,) = reconcile(world.stores[0], world.projects, now=NOW, adopt=True).actions
    assert [one.kind for one in action.evidence] == ["orphan", "place"]
    assert "cannot open the session" in action.evidence[1].detail


# Links


@needs_links
def test_folders_behind_links_are_read_once_and_loops_end(world: World, tmp_path: Path) -> None:
    made, other = (talk(world.dice, f"/home/ada/{n}", BEGAN + n * DAY) for n in range(2))
    shared = tmp_path / "shared"
    world.write(shared / f"{made.session_id}.jsonl", made.bytes(), made.ended)
    (shared / "loop").symlink_to(shared)
    (world.projects / key(made.cwd)).symlink_to(shared)
    (world.projects / "-home-ada-old").symlink_to(shared)
    file = world.write(tmp_path / "x" / f"{other.session_id}.jsonl", other.bytes(), other.ended)
    (world.projects / key(other.cwd)).mkdir()
    (world.projects / key(other.cwd) / file.name).symlink_to(file)
    (world.projects / "loop").symlink_to(world.projects)
    for one in (made, other):
        named(world, one)
    named(world, made, cwd="/home/ada/old")
    found = plan(world)
    assert {one.rule for one in found.findings} <= {"duplicate"}
    assert found.transcripts == 2


@needs_links
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_store_may_be_reached_by_links(world: World, tmp_path: Path, level: int) -> None:
    made = a_talk(world)
    row = world.lose(made, "back", time=made.ended + 2_000, content=bytes(900), store=world.stores[0]).path
    moved = (world.user_data, *list(reversed(world.stores[0].parents))[-2:], world.stores[0])[level]
    real = tmp_path / "elsewhere"
    moved.rename(real)
    moved.symlink_to(real)
    (action,) = plan(world).actions
    assert (action.kind, action.path, action.cli_session_id) == ("restore", str(row), made.session_id)
    named_directly = reconcile(real if level else moved, world.projects, now=NOW)
    assert [one.kind for one in named_directly.actions] == ["restore"]


@needs_links
def test_a_project_opened_through_a_link_is_not_moved(world: World, tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "code", tmp_path / "link"
    real.mkdir(parents=True)
    link.symlink_to(real.parent)
    made = talk(world.dice, str(link / "code"), BEGAN)
    world.put(made, folder=key(str(real)))
    named(world, made)
    assert findings(world) == []


@needs_links
def test_a_link_that_leads_nowhere_may_hide_the_transcript(world: World, tmp_path: Path) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    named(world, made)
    (world.projects / key(made.cwd)).symlink_to(tmp_path / "unmounted")
    found = findings(world)
    assert {one.rule for one in found} == {"unreadable"}


# Hollow


def test_a_transcript_without_a_conversation_is_hollow(world: World) -> None:
    made = stub(world.dice, BEGAN)
    path = world.put(made, folder="-home-ada-code")
    world.write(path.with_suffix("") / "subagents" / "agent-1.jsonl", b"{}", NOW)
    world.healthy_row(made, cwd="/home/ada/code", title="A name", completedTurns=19)
    found = only(world, "hollow")
    assert (found.severity, found.transcript) == ("warning", str(path))
    assert "counted 19 turns" in found.message and "1 file of its helpers" in found.message
    path.write_bytes(bytes(900))
    assert (
        "no record that can be read" in next(one for one in findings(world) if one.rule == "hollow").message
    )


@pytest.mark.parametrize("turns", [0, None, True, "3", -1])
def test_a_row_that_counted_no_turns_is_not_hollow(world: World, turns: object) -> None:
    made = stub(world.dice, BEGAN)
    world.put(made, folder="-home-ada-code")
    world.healthy_row(made, cwd="/home/ada/code", title="A name", completedTurns=turns)
    assert findings(world) == []


# Folders that are gone


def test_a_folder_of_this_machine_that_is_gone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, beside = tmp_path / "home", tmp_path / "beside"
    for folder in (home, beside):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    gone = {str(home / "a" / "b" / "c"), str(beside / "x")}
    foreign = "/home/ada/code" if os.name == "nt" else "C:\\Users\\Ada\\code"
    for number, cwd in enumerate((*gone, str(home), foreign, "/nowhere/at/all", "relative")):
        named(world, a_talk(world, BEGAN + number * DAY, cwd=cwd))
    found = findings(world)
    assert {(one.rule, one.severity) for one in found} == {("folder-gone", "note")}
    assert {cwd for cwd in gone if any(f"of {cwd}, " in one.message for one in found)} == gone
    assert len(found) == 2
    (beside / "x").mkdir()
    assert len(findings(world)) == 1


# Copies of rows


@pytest.mark.parametrize(
    "suffix",
    [
        "-LAPTOP-7Q2",
        " (1)",
        " (Ada's conflicted copy 2026-11-11)",
        ".sync-conflict-20261120-101500-ABC",
        "_1",
    ],
)
def test_a_sync_tools_copy_of_a_row_is_no_session(world: World, suffix: str) -> None:
    made = a_talk(world)
    session_id = named(world, made, store=world.stores[0])
    content = (world.stores[0] / f"{session_id}.json").read_bytes()
    copy = world.write(world.stores[0] / f"{session_id}{suffix}.json", content, NOW)
    found = only(world, "conflict-copy")
    assert (found.severity, found.path) == ("note", str(copy))
    assert "Nothing is lost" in found.message and plan(world).rows == 1
    assert plan(world).actions == ()
    copy.write_bytes(bytes(9))
    assert plan(world).exit_status == 0
    copy.write_bytes(compact(json.loads(content) | {"cliSessionId": new_id(world.dice)}))
    assert "names another transcript" in only(world, "conflict-copy").message


def test_a_sync_tools_copy_helps_to_put_the_row_back(world: World) -> None:
    made = a_talk(world)
    session_id = named(world, made, store=world.stores[0])
    row = world.stores[0] / f"{session_id}.json"
    content = row.read_bytes()
    world.write(row.with_name(f"{session_id} (1).json"), content, made.ended + 2_000)
    world.write(row, bytes(800), made.ended + 2_000)
    (action,) = plan(world).actions
    assert (action.path, action.source, action.cli_session_id) == (str(row), "copy", made.session_id)


def test_a_copy_without_its_row_is_a_lost_row(world: World) -> None:
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    world.write(world.stores[0] / f"{session_id} (1).json", compact(world.row(made, session_id)), NOW)
    assert {one.rule for one in findings(world, "orphan")} == {"id-mismatch"}


# Rows for transcripts that were moved


def in_another_key(world: World, old: str, new: str, began: int = BEGAN) -> Talk:
    made = talk(world.dice, old, began)
    world.put(made, folder=key(new))
    return made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("D:\\CLAUDE_AI", "F:\\CLAUDE"),
        ("/home/ada/old", "/home/ada/new project"),
        ("/mnt/a_b", "/Users/zoë/ü"),
    ],
)
def test_a_row_is_built_for_the_folder_where_the_transcript_lies(world: World, old: str, new: str) -> None:
    current = a_talk(world, NOW - DAY, cwd=new)
    named(world, current, store=world.stores[0])
    made = in_another_key(world, old, new)
    lost = in_another_key(world, old, new, BEGAN + DAY)
    row = world.lose(lost, "back", time=lost.ended + 2_000, content=bytes(99), store=world.stores[0]).path
    found = reconcile(world.stores[0], world.projects, now=NOW, adopt=True)
    assert {one.cli_session_id for one in found.actions} == {made.session_id, lost.session_id}
    for action in found.actions:
        assert (action.row["cwd"], action.row["originCwd"]) == (new, new)
        assert "other sessions in its project folder" in action.provenance["cwd"]
        assert "place" not in {one.kind for one in action.evidence}
    assert str(row) in {action.path for action in found.actions}
    assert found.apply(force=True).exit_status == 0
    assert findings(world) == []


def test_a_row_says_that_it_will_not_open_where_no_directory_is_known(world: World) -> None:
    in_another_key(world, "/home/ada/old", "/home/ada/new")
    (action,) = reconcile(world.stores[0], world.projects, now=NOW, adopt=True).actions
    assert action.row["cwd"] == "/home/ada/old"
    assert action.evidence[-1].kind == "place"
    assert f"the app looks for it in {world.projects / key('/home/ada/old')}" in action.evidence[-1].detail


def test_a_key_that_stands_for_two_directories_tells_neither(world: World) -> None:
    for number, cwd in enumerate(("/home/ada/new-x", "/home/ada/new/x")):
        named(world, a_talk(world, NOW - (number + 1) * DAY, cwd=cwd), store=world.stores[0])
    in_another_key(world, "/home/ada/old", "/home/ada/new-x")
    (action,) = reconcile(world.stores[0], world.projects, now=NOW, adopt=True).actions
    assert action.row["cwd"] == "/home/ada/old"
    assert action.evidence[-1].kind == "place"


def test_no_row_is_made_for_a_mirror_of_another_machine(world: World) -> None:
    made = talk(world.dice, "/root/app", BEGAN)
    world.put(made, folder=f"ssh-{made.session_id}")
    assert reconcile(world.stores[0], world.projects, now=NOW, adopt=True).actions == ()
