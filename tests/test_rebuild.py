"""What is written: each field, where it comes from, and what must never be in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sessscan.model import Action
from sessscan.reconciliation.building import row
from support.scenarios_of_words import in_worktree
from support.small_worlds import BEGAN, a_talk, actions, lose, lose_prefix, the
from support.store_factory import DAY, HOUR, NOW, World, compact, key
from support.transcript_factory import Talk, new_id, talk

FIELDS = [
    "sessionId",
    "cliSessionId",
    "cwd",
    "originCwd",
    "createdAt",
    "lastActivityAt",
    "lastFocusedAt",
    "title",
    "titleSource",
    "isArchived",
    "model",
    "permissionMode",
    "completedTurns",
    "remoteMcpServersConfig",
    "alwaysAllowedReasons",
    "sessionPermissionUpdates",
    "spawnSeed",
]


def restored(world: World, made: Talk) -> Action:
    """The row that is made of a transcript alone."""
    path = lose(world, made, BEGAN + DAY, session_id=f"local_{made.session_id}")
    action = the(world, path)
    assert action.kind == "restore"
    return action


def title(kind: str, field: str, text: str, made: Talk) -> dict[str, Any]:
    return {"type": kind, field: text, "sessionId": made.session_id}


def test_all_that_the_transcript_says(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN, turns=4)
    made.records = [record for record in made.records if "title" not in record["type"]]
    made.records.insert(2, title("custom-title", "customTitle", "Mine", made))
    made.records.append(title("ai-title", "aiTitle", "The model's", made))
    world.put(made)
    action = restored(world, made)
    assert action.row == {
        "sessionId": f"local_{made.session_id}",
        "cliSessionId": made.session_id,
        "cwd": "/home/ada/code",
        "originCwd": "/home/ada/code",
        "createdAt": made.began,
        "lastActivityAt": made.ended,
        "lastFocusedAt": made.ended,
        "title": "Mine",
        "titleSource": "user",
        "isArchived": False,
        "model": made.model,
        "permissionMode": "default",
        "completedTurns": 4,
        "remoteMcpServersConfig": [],
        "alwaysAllowedReasons": [],
        "sessionPermissionUpdates": [],
        "spawnSeed": {},
    }
    assert list(action.row) == FIELDS
    assert action.content == compact(action.row), "compact, UTF-8, no final newline"
    assert set(action.provenance) == set(FIELDS)
    assert action.provenance["title"] == "custom-title, line 3"
    assert action.provenance["cwd"] == "cwd, line 1"


def test_titles_of_each_kind(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN, turns=2)
    made.records = [record for record in made.records if "title" not in record["type"]]
    prompt = next(r["message"]["content"] for r in made.records if r["type"] == "user")
    world.put(made)
    action = restored(world, made)
    assert (action.row["title"], action.row["titleSource"]) == (prompt, "auto")
    assert action.provenance["title"] == "the first prompt"
    made.records.append({"type": "summary", "summary": "In short", "leafUuid": made.records[0]["uuid"]})
    world.put(made)
    assert restored(world, made).row["title"] == "In short"
    made.records.append(title("ai-title", "aiTitle", "The model's", made))
    world.put(made)
    assert restored(world, made).provenance["title"] == f"ai-title, line {len(made.records)}"


def test_a_worktree_is_its_own(world: World) -> None:
    made = in_worktree(world, began=BEGAN)
    world.put(made)
    row = restored(world, made).row
    state = made.worktree or {}
    assert row["cwd"] == row["worktreePath"] == state["worktreePath"]
    assert row["originCwd"] == state["originalCwd"]
    assert (row["worktreeName"], row["branch"], row["sourceBranch"]) == (
        state["worktreeName"],
        state["worktreeBranch"],
        "main",
    )


def test_the_root_of_a_worktree_elsewhere_is_what_its_state_says(world: World) -> None:
    state = {"originalCwd": "/home/ada/shop", "worktreePath": "/var/trees/w1", "worktreeName": "w1"}
    made = a_talk(world, cwd="/var/trees/w1", worktree=state)
    assert restored(world, made).row["originCwd"] == "/home/ada/shop"


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_the_root_of_a_worktree_that_has_no_state(world: World, separator: str) -> None:
    root = separator.join(("C:" if separator == "\\" else "", "code", "shop"))
    made = a_talk(world, cwd=separator.join((root, ".claude", "worktrees", "w1")))
    row = restored(world, made).row
    assert row["originCwd"] == root
    assert "worktreePath" not in row


def test_the_directory_is_the_one_whose_key_is_the_folder(world: World) -> None:
    made = talk(world.dice, "/home/ada", BEGAN, turns=2)
    for record in made.records[-3:]:
        if "cwd" in record:
            record["cwd"] = "/home/ada/code"
    made.title = None
    world.put(made, folder=key("/home/ada/code"))
    action = restored(world, made)
    assert action.row["cwd"] == "/home/ada/code"
    assert action.provenance["cwd"].startswith("cwd, line ")


def test_a_session_that_was_moved(world: World) -> None:
    made = talk(world.dice, "/home/ada/old", BEGAN)
    made.records.append({"type": "relocated", "relocatedCwd": "/home/ada/new", "sessionId": made.session_id})
    world.put(made, folder=key("/home/ada/new"))
    action = restored(world, made)
    assert (action.row["cwd"], action.provenance["cwd"]) == ("/home/ada/new", "relocated record")


def test_a_transcript_without_times_makes_no_row(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    for record in made.records:
        record.pop("timestamp", None)
    world.put(made)
    action = the(world, lose(world, made, BEGAN, session_id=f"local_{made.session_id}"))
    assert action.kind == "hold"
    assert action.error is not None and "when the session began" in action.error
    assert action.candidates[0].cli_session_id == made.session_id


def test_what_is_left_of_the_row_comes_first(world: World) -> None:
    made = a_talk(world)
    more = {
        "title": "As it was called",
        "effort": "high",
        "pendingFirstStart": True,
        "errorText": "x",
        "zz": "cut",
    }
    path = lose_prefix(world, made, made.ended + DAY, -4, model="other", **more)
    action = the(world, path)
    assert action.row["title"] == "As it was called"
    assert action.row["effort"] == "high"
    assert action.row["model"] == "other"
    assert action.row["permissionMode"] == "acceptEdits", "the row's own"
    assert action.provenance["title"] == "what is left of the row"
    assert not {"pendingFirstStart", "errorText", "zz"} & set(action.row)


def test_what_is_left_of_the_row_comes_before_older_copies(world: World) -> None:
    made = a_talk(world)
    path = lose_prefix(world, made, made.ended + DAY, -4, title="As it was called", zz="cut")
    copy = world.row(made, path.stem, title="As it was called before", lastFocusedAt=made.ended)
    world.write(path.with_name(path.name + ".bak"), compact(copy), made.ended)
    action = the(world, path)
    assert {evidence.kind for evidence in action.evidence} >= {"prefix"}
    assert action.row["title"] == "As it was called"
    assert action.provenance["title"] == "what is left of the row"


def test_a_tmp_is_written_byte_for_byte(world: World) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + HOUR)
    content = b' {"sessionId": "' + path.stem.encode() + b'", "createdAt": 1.50, "lastActivityAt": 2,'
    content += b'"cliSessionId":"' + made.session_id.encode() + b'", "big": 1e400, "emoji": "\\ud83d" }\n'
    world.write(path.with_suffix(".json.tmp"), content, made.ended + 2 * HOUR)
    action = the(world, path)
    assert action.source == "tmp"
    assert action.content == content


def test_a_copy_is_brought_up_to_date(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN, turns=4)
    made.records.append(title("custom-title", "customTitle", "Renamed since", made))
    world.put(made)
    path = lose(world, made, made.ended + DAY)
    then = {
        "lastActivityAt": made.began + 5,
        "lastFocusedAt": made.ended + 9,
        "completedTurns": 1,
        "title": "Before",
        "effort": "high",
        "interruptedByQuitAt": 7,
    }
    world.write(
        path.with_name(path.name + ".corrupted-bak"), compact(world.row(made, path.stem, **then)), NOW
    )
    action = the(world, path)
    row = action.row
    assert action.source == "copy"
    assert (row["lastActivityAt"], row["lastFocusedAt"], row["completedTurns"]) == (
        made.ended,
        made.ended + 9,
        4,
    )
    assert (row["title"], row["titleSource"], row["effort"]) == ("Renamed since", "user", "high")
    assert row["permissionMode"] == "acceptEdits"
    assert "interruptedByQuitAt" not in row


def test_a_copy_stays_as_it_is_where_nothing_happened_since(world: World) -> None:
    """Neither does an older time come in, nor what the row did not have."""
    made = talk(world.dice, "/home/ada/code", BEGAN, turns=4)
    made.records.append(title("custom-title", "customTitle", "Renamed since", made))
    world.put(made)
    path = lose(world, made, made.ended + DAY)
    fields = world.row(made, path.stem, title="Mine", titleSource="user", lastActivityAt=made.ended + 3)
    del fields["model"], fields["spawnSeed"]
    world.write(path.with_name(path.name + ".bak"), compact(fields), NOW)
    action = the(world, path)
    assert (action.source, action.row) == ("copy", fields)


def test_a_title_of_the_models_does_not_replace_another(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN, turns=4)
    made.records = [record for record in made.records if "title" not in record["type"]]
    made.records.append(title("ai-title", "aiTitle", "The model's", made))
    world.put(made)
    path = lose(world, made, made.ended + DAY)
    then = {"lastActivityAt": made.began + 5, "title": "Given by hand", "titleSource": "user"}
    world.write(path.with_name(path.name + ".bak"), compact(world.row(made, path.stem, **then)), NOW)
    row = the(world, path).row
    assert (row["lastActivityAt"], row["title"], row["titleSource"]) == (made.ended, "Given by hand", "user")


def test_a_copy_that_is_written_meanwhile_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + DAY)
    copy = path.with_name(path.name + ".bak")
    world.write(copy, compact(world.row(made, path.stem)), NOW)
    read = row.read_file

    def written_before(name: str) -> object:
        copy.write_bytes(copy.read_bytes() + b" ")
        return read(name)

    monkeypatch.setattr(row, "read_file", written_before)
    action = the(world, path)
    assert action.kind == "hold"
    assert action.error is not None and f"{copy} changed while it was looked at" in action.error


def test_a_copy_from_another_account_brings_no_grants(world: World) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + DAY)
    more = {
        "bridgeSessionId": "b",
        "cloudTaskId": "c",
        "sshConfig": {},
        "scratchPath": "/x",
        "effort": "high",
    }
    world.write(world.stores[1] / path.name, compact(world.row(made, path.stem, **more)), NOW)
    row = the(world, path).row
    assert (row["permissionMode"], row["alwaysAllowedReasons"], row["remoteMcpServersConfig"]) == (
        "default",
        [],
        [],
    )
    assert row["effort"] == "high"
    assert not set(more) - {"effort"} & set(row)


@pytest.mark.parametrize(
    "change", ["bom", "utf-16", "utf-16-be", "sessionId", "createdAt", "lastActivityAt", "true"]
)
def test_a_refused_row_is_its_own_source(world: World, change: str) -> None:
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    fields = world.row(made, session_id, effort="high", unknown={"x": [1, 2.5, "ü"]})
    content = compact(fields)
    if change == "bom":
        content = b"\xef\xbb\xbf" + content
    elif change.startswith("utf-16"):
        content = content.decode().encode(change)
    elif change == "true":
        content = compact(fields | {"createdAt": True})  # to Python it is the number 1
    else:
        content = compact(fields | {change: None if change != "sessionId" else "local_wrong"})
    action = the(world, lose(world, made, NOW - DAY, content, session_id))
    assert action.kind == "restore"
    expected = fields | {"createdAt": action.row["createdAt"], "lastActivityAt": made.ended}
    assert action.row == expected
    assert made.began - 1_800 <= action.row["createdAt"] <= made.began
    if change in ("bom", "utf-16", "utf-16-be"):
        assert action.content == compact(fields)


def test_a_row_too_large_is_made_smaller(world: World) -> None:
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    fields = world.row(made, session_id, enabledMcpTools={"x": "y" * (11 << 20)}, effort="high")
    action = the(world, lose(world, made, NOW - DAY, compact(fields), session_id))
    del fields["enabledMcpTools"]
    assert action.row == fields


def test_a_row_whose_title_alone_is_too_large_is_held(world: World) -> None:
    """What the session is known by does not go, whatever the size."""
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    content = compact(world.row(made, session_id, title="x" * (11 << 20), effort="high"))
    action = the(world, lose(world, made, NOW - DAY, content, session_id))
    assert action.kind == "hold"


def test_two_rows_share_no_list(world: World) -> None:
    """What is in a plan is the reader's to change."""
    paths = []
    for number in range(2):
        made = a_talk(world, BEGAN - number * DAY, cwd=f"/home/ada/{number}")
        paths.append(lose(world, made, made.ended, session_id=f"local_{made.session_id}"))
    found = actions(world)
    one, other = (found[str(path)].row for path in paths)
    for name in ("remoteMcpServersConfig", "alwaysAllowedReasons", "sessionPermissionUpdates", "spawnSeed"):
        assert one[name] == other[name] and one[name] is not other[name]


def test_agent_mode_needs_what_only_the_row_knew(world: World) -> None:
    made = a_talk(world)
    store = world.user_data / "local-agent-mode-sessions" / "a" / "o"
    session_id = f"local_{made.session_id}"
    path = world.write(store / f"{session_id}.json", b"", NOW)
    action = the(world, path)
    assert action.kind == "hold"
    assert action.error is not None and "processName" in action.error
    content = compact(world.row(made, session_id, processName="p"))
    path.write_bytes(b"\xef\xbb\xbf" + content)
    assert the(world, path).content == content


def test_nothing_infinite_and_nothing_lone_is_lost(world: World) -> None:
    """JSON that Python would change is left out or kept as the escape that it was."""
    made = a_talk(world)
    session_id = f"local_{new_id(world.dice)}"
    whole = (
        compact(world.row(made, session_id))[:-1]
        + b',"far":1e400,"half":"\\ud83d","big":12345678901234567890123}'
    )
    action = the(world, lose(world, made, NOW - DAY, whole[:-1] + b',"cut":"x', session_id))
    assert b'"half":"\\ud83d"' in action.content
    assert b'"big":12345678901234567890123' in action.content
    assert b"far" not in action.content
    assert json.loads(action.content) == action.row


def test_what_it_rests_on(world: World) -> None:
    made = a_talk(world)
    path = lose(world, made, made.ended + DAY, bytes(100_000))
    tmp = path.with_suffix(".json.tmp")
    world.write(tmp, compact(world.row(made, path.stem)), made.ended + 2 * DAY)
    target, source, transcript, *tombstones = the(world, path).rests_on
    assert (target.path, target.exists, target.size) == (str(path), True, 100_000)
    assert target.sha256 == hashlib.sha256(bytes(100_000)).hexdigest()
    assert target.mtime_ns == path.stat().st_mtime_ns and target.inode == path.stat().st_ino
    assert (source.path, source.sha256) == (str(tmp), hashlib.sha256(tmp.read_bytes()).hexdigest())
    assert transcript.path.endswith(f"{made.session_id}.jsonl") and transcript.sha256 is None
    assert [Path(one.path).name for one in tombstones] == [
        f"{made.session_id}.desktop-released.json",
        f"deleted_{path.stem.removeprefix('local_')}",
        f"deleted_{made.session_id}",
    ]
    assert not any(one.exists for one in tombstones)
