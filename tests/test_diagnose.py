"""Make each finding once, and check its severity, its path and its message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sessscan.changes.plan import Plan
from sessscan.model import Finding
from sessscan.reconciliation import reconcile
from sessscan.sessions.listing import find_sessions
from support.small_worlds import BEGAN, a_talk, lose
from support.store_factory import DAY, HOUR, NOW, World, compact, key
from support.transcript_factory import DESKTOP, TERMINAL, forked, new_id, resumed, stub, talk


def plan(world: World, **more: Any) -> Plan:
    return reconcile(world.user_data, world.projects, now=NOW, **more)


def findings(world: World, rule: str) -> list[Finding]:
    return [finding for finding in plan(world).findings if finding.rule == rule]


def rules(world: World) -> set[str]:
    return {finding.rule for finding in plan(world).findings}


def test_a_healthy_store_has_no_findings(world: World) -> None:
    made = a_talk(world)
    world.healthy_row(made, title=made.title)
    found = plan(world)
    assert (found.findings, found.actions, found.exit_status) == ((), (), 0)


def test_an_empty_store_has_no_findings(world: World) -> None:
    found = plan(world)
    assert (found.findings, found.exit_status, found.rows, found.transcripts) == ((), 0, 0, 0)


@pytest.mark.parametrize(
    ("state", "content", "offset", "length"),
    [
        ("zero-filled", bytes(144_258), 0, 144_258),
        ("empty", b"", 0, 0),
        ("truncated", b'{"a":1,' + bytes(9), 7, 9),
        ("not-json", b'{"a":x}', 5, None),
        ("not-a-row", b"{}", 0, None),
        ("bom", b"\xef\xbb\xbf{}", 0, 3),
        ("utf-16", "{}".encode("utf-16"), 0, 6),
    ],
)
def test_a_lost_row_is_an_error(
    world: World, state: str, content: bytes, offset: int, length: int | None
) -> None:
    path = lose(world, None, NOW, content)
    (found,) = plan(world).findings
    assert (found.rule, found.severity, found.path, found.session_id) == (
        state,
        "error",
        str(path),
        path.stem,
    )
    assert found.offset == offset
    if length is not None:
        assert found.length == length
    assert found.message.startswith("The app cannot read this row: ")
    assert plan(world).exit_status == 1


def test_a_lost_row_of_a_deleted_session_is_a_note(world: World) -> None:
    path = lose(world, None, NOW, bytes(10))
    (path.parent / path.stem.replace("local_", "deleted_")).write_text("1790000000000")
    found = plan(world)
    assert [(f.rule, f.severity) for f in found.findings] == [("zero-filled", "note")]
    assert (found.actions, found.exit_status) == ((), 0)


def test_links_and_folders_are_lost_rows(world: World) -> None:
    target = lose(world, None, NOW)
    (world.stores[1] / "local_l.json").symlink_to(target)
    (world.stores[1] / "local_f.json").mkdir()
    found = {f.session_id: (f.rule, f.severity) for f in plan(world).findings}
    assert found["local_l"] == ("linked", "error")
    assert found["local_f"] == ("not-a-row", "error")


def test_leftover_tmp(world: World) -> None:
    made, lone = a_talk(world), a_talk(world, began=BEGAN + DAY)
    session_id = world.healthy_row(made, store=world.stores[0])
    world.write(world.stores[0] / f"{session_id}.json.tmp", b"", NOW)
    lone_id = f"local_{new_id(world.dice)}"
    world.write(world.stores[0] / f"{lone_id}.json.tmp", compact(world.row(lone, lone_id)), NOW - DAY)
    found = {f.session_id: f for f in findings(world, "leftover-tmp")}
    assert {f.severity for f in found.values()} == {"note"}
    assert "not used" in found[session_id].message
    assert "can be put back from the copy" in found[lone_id].message
    (action,) = plan(world).actions
    assert (action.kind, action.path) == ("restore", str(world.stores[0] / f"{lone_id}.json"))
    assert not action.rests_on[0].exists
    assert not findings(world, "orphan"), "a transcript that is about to get its row back is no orphan"


def test_dangling(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    world.healthy_row(made)
    world.healthy_row(made, cliSessionId="../../x")
    empty = talk(world.dice, "/home/ada/code", BEGAN)
    world.healthy_row(empty)
    world.put(empty).write_bytes(b"")
    found = findings(world, "dangling")
    assert [f.severity for f in found] == ["warning"] * 3
    assert plan(world).exit_status == 0, "the app can read them"
    session_id = f"local_{new_id(world.dice)}"
    fields = {"sessionId": session_id, "createdAt": 1, "lastActivityAt": 1}
    world.write(world.stores[0] / f"{session_id}.json", compact(fields), NOW)
    assert len(findings(world, "dangling")) == 3, "a session that never started has no transcript"


def test_duplicate(world: World) -> None:
    made = a_talk(world)
    first, second = (world.healthy_row(made, store=world.stores[0]) for _ in range(2))
    world.healthy_row(made, first, store=world.stores[1])
    (found,) = findings(world, "duplicate")
    assert found.severity == "warning"
    assert {found.session_id, *found.message.split()} >= {first, second}


def test_orphan(world: World) -> None:
    made = a_talk(world)
    (found,) = findings(world, "orphan")
    assert (found.severity, found.transcript) == (
        "warning",
        str(world.projects / key(made.cwd) / f"{made.session_id}.jsonl"),
    )
    assert (found.title, found.cwd, found.last_activity_at) == (made.title, made.cwd, made.ended)
    assert f'The session "{made.title}", of {made.cwd}, last used ' in found.message
    assert plan(world).exit_status == 0


def test_transcripts_that_are_not_orphans(world: World) -> None:
    claimed, deleted = a_talk(world), a_talk(world)
    world.healthy_row(claimed, cliSessionId=claimed.session_id.upper())
    (world.stores[1] / f"deleted_local_{deleted.session_id}").write_text("1")
    before = a_talk(world)
    world.healthy_row(claimed, priorCliSessionIds=[before.session_id])
    a_talk(world, entrypoint=TERMINAL)
    a_talk(world, entrypoint=None)
    a_talk(world, sidechain=True)
    world.put(stub(world.dice, BEGAN), folder="-home")
    older = a_talk(world, turns=6)
    newer = resumed(world.dice, older, DESKTOP)
    world.put(newer)
    world.healthy_row(newer)
    world.put(forked(world.dice, older, TERMINAL, extra=3))
    assert findings(world, "orphan") == []


def test_moved(world: World) -> None:
    made, home, old = (talk(world.dice, "/home/ada/my_code", BEGAN + n * DAY) for n in range(3))
    world.put(made, folder=key("/home/ada/elsewhere"))
    world.put(home)
    world.put(old, folder="-home-ada-my_code")
    for each in (made, home, old):
        world.healthy_row(each)
    (found,) = findings(world, "moved")
    assert (found.severity, Path(found.transcript or "").stem) == ("warning", made.session_id)
    assert f"looks for it in {world.projects / key(made.cwd)}, the project folder of" in found.message


def test_transcripts_that_are_not_moved(world: World) -> None:
    """A worktree's transcript under its repository's key, a relocated one, a drive in another case."""
    worktree = a_talk(world, cwd="/home/ada/code")
    world.healthy_row(worktree, cwd="/home/ada/code/.claude/worktrees/w", originCwd="/home/ada/code")
    relocated = talk(world.dice, "/home/ada/old", BEGAN)
    relocated.records.append({"type": "relocated", "relocatedCwd": "/new", "sessionId": relocated.session_id})
    world.put(relocated, folder=key("/new"))
    world.healthy_row(relocated)
    drive = a_talk(world, cwd="c:\\users\\ada")
    world.healthy_row(drive, cwd="C:\\Users\\Ada")
    assert findings(world, "moved") == []


def test_title_drift(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    made.records.append({"type": "custom-title", "customTitle": "Right", "sessionId": made.session_id})
    world.put(made)
    world.healthy_row(made, title=" Right ")
    assert findings(world, "title-drift") == []
    world.healthy_row(made, title="Wrong", titleSource="user")
    (found,) = findings(world, "title-drift")
    assert found.severity == "note"
    assert '"Wrong"' in found.message and '"Right"' in found.message


def test_damaged_transcript(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    path = world.put(made)
    world.healthy_row(made, title=made.title)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"user","torn')
    assert rules(world) == set(), "a torn last line is normal for a live file"
    path.write_bytes(whole + bytes(300) + b"\n" + bytes(200) + b"\n")
    (found,) = findings(world, "damaged-transcript")
    assert (found.severity, found.path, found.offset, found.length) == ("warning", str(path), len(whole), 300)
    assert "nul-run 2 times" in found.message and "the rest is whole" in found.message
    path.write_bytes(whole + b"}\n" * 10_007)
    (found,) = findings(world, "damaged-transcript")
    assert "invalid 10,000 times, and 7 more places" in found.message
    path.write_bytes(whole.decode().encode("utf-16"))
    (found,) = findings(world, "damaged-transcript")
    assert "UTF-16" in found.message and found.length == path.stat().st_size


def test_a_conversation_that_is_not_whole(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    path = world.put(made)
    world.healthy_row(made, title=made.title)
    assert rules(world) == set()
    whole = path.read_bytes()
    leaf = [json.loads(line)["uuid"] for line in whole.splitlines() if b'"parentUuid"' in line][-1]

    def more(parent: str = leaf, **message: Any) -> bytes:
        record = {"parentUuid": parent, "isSidechain": False, "type": "user", "uuid": new_id(world.dice)}
        return compact(record | {"message": {"role": "user"} | message}) + b"\n"

    path.write_bytes(whole + bytes(300) + b"\n" + more(new_id(world.dice), content="and now?"))
    [found] = findings(world, "broken-chain")
    assert found.severity == "warning" and found.transcript == str(path)
    assert found.message.startswith("1 of ") and "follows one that is not found" in found.message
    [damaged] = findings(world, "damaged-transcript")
    assert "messages cannot be reached because of that" in damaged.message
    [session] = find_sessions(world.user_data, world.projects).sessions
    assert session.health == "damaged"
    path.write_bytes(whole + more(content=[{"type": "tool_result", "tool_use_id": "x"}]))
    [found] = findings(world, "unpaired-call")
    assert "One message has a tool's call without its result" in found.message
    assert found.offset == len(whole)
    path.write_bytes(whole + more(content=[{"type": "text", "text": " "}]))
    [found] = findings(world, "refused-content")
    assert "a blank text" in found.message and found.severity == "warning"


@pytest.mark.parametrize(
    "content", [bytes(5_000), b'{"parentUuid":null,"isSide', b"\n\n", b"x\ny\n", b"\xff\xfe{"]
)
def test_a_transcript_of_which_nothing_is_left(world: World, content: bytes) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    path = world.put(made)
    world.healthy_row(made, title=made.title)
    path.write_bytes(content)
    (found,) = findings(world, "damaged-transcript")
    assert "Nothing readable is left" in found.message and "cannot be opened" in found.message
    assert (found.offset, found.length) == (0, len(content))


def test_a_row_with_bytes_that_are_not_utf8(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    world.put(made)
    row = world.healthy_row(made, title="caf\u00e9")
    path = next(world.user_data.rglob(f"{row}.json"))
    assert rules(world) == set()
    path.write_bytes(path.read_bytes().decode().encode("cp1252"))
    (found,) = findings(world, "invalid-utf8")
    assert (found.severity, found.session_id, found.length) == ("note", row, 1)
    assert path.read_bytes()[found.offset or 0] == 0xE9


def test_lost_lease(world: World) -> None:
    made = a_talk(world)
    session_id = world.healthy_row(made, store=world.stores[1])
    leases = {
        "a": {"path": "/w/a", "leasedBy": session_id},
        "b": {"path": "/w/b", "leasedBy": "local_gone"},
        "c": {"path": "/w/c", "leasedBy": None},
    }
    file = world.write(world.user_data / "git-worktrees.json", compact({"worktrees": leases}), NOW)
    (found,) = findings(world, "lost-lease")
    assert (found.severity, found.path, found.session_id) == ("warning", str(file), "local_gone")
    named = reconcile(world.stores[0], world.projects, now=NOW)
    assert [f.session_id for f in named.findings if f.rule == "lost-lease"] == ["local_gone"], (
        "the row of a lease may be under an account that was not named"
    )


def test_stale_index(world: World) -> None:
    made = a_talk(world)
    world.healthy_row(made, title=made.title)
    path = world.projects / key(made.cwd) / "sessions-index.json"
    transcript = world.projects / key(made.cwd) / f"{made.session_id}.jsonl"
    mtime = transcript.stat().st_mtime_ns // 1_000_000
    entry = {"sessionId": made.session_id, "fileMtime": mtime}
    for entries, stale in (
        ([entry], False),
        ([entry, {"sessionId": new_id(world.dice)}], True),
        ([], True),
        ([entry | {"fileMtime": mtime - HOUR}], True),
        (None, True),
    ):
        path.write_text(json.dumps({"version": 1, "entries": entries}))
        assert [f.path for f in findings(world, "stale-index")] == ([str(path)] if stale else [])
    path.write_text("{")
    assert findings(world, "stale-index")[0].severity == "note"


@pytest.mark.not_root("root may read everything")
def test_files_that_cannot_be_read(world: World) -> None:
    made = a_talk(world)
    path, row = world.put(made), lose(world, None, NOW, b"x")
    for each in (path, row):
        each.chmod(0)
    found = plan(world)
    assert {(f.rule, f.severity, f.path) for f in found.findings} == {
        ("unreadable", "warning", str(path)),
        ("unreadable", "error", str(row)),
    }
    assert found.exit_status == 4
    assert [action.kind for action in found.actions] == ["hold"]


def test_the_worst_comes_first(world: World) -> None:
    made = a_talk(world)
    (world.projects / key(made.cwd) / "sessions-index.json").write_text("{")
    world.healthy_row(talk(world.dice, "/home/ada", BEGAN))
    lose(world, None, NOW)
    assert [f.severity for f in plan(world).findings] == ["error", "warning", "warning", "note"]
