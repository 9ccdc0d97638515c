"""Rebuild the legacy index of a project folder, only if asked to, with backup and undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sessscan.changes.undo import choose, undo
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from support.program import picture as contents
from support.program import places, run
from support.small_worlds import BEGAN, a_talk
from support.store_factory import DAY, NOW, World, key
from support.transcript_factory import Talk, stub, talk

pytestmark = pytest.mark.full

KEYS = [
    "sessionId", "fullPath", "fileMtime", "firstPrompt", "summary", "messageCount", "created", "modified",
    "gitBranch", "projectPath", "isSidechain",
]  # fmt: skip
"""The keys of an entry, in the order of FORMATS section 3."""


def index_of(world: World, made: Talk, content: str | dict[str, Any]) -> Path:
    path = world.projects / key(made.cwd) / "sessions-index.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def rebuilt(world: World, path: Path) -> dict[str, Any]:
    """Return what would be written into an index."""
    found = actions(world)
    [action] = [action for action in found if action.path == str(path)]
    document: dict[str, Any] = json.loads(action.content)
    return document


def actions(world: World, **more: Any) -> tuple[Action, ...]:
    return reconcile(world.user_data, world.projects, now=NOW, rebuild_index=True, **more).actions


def entries(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["sessionId"]: entry for entry in document["entries"]}


def test_a_rebuilt_index_has_the_documented_shape(world: World) -> None:
    made, other = a_talk(world), a_talk(world, BEGAN + DAY)
    path = index_of(world, made, {"version": 1, "originalPath": "/home/ada/code", "entries": []})
    document = rebuilt(world, path)
    assert list(document) == ["version", "originalPath", "entries"]
    assert (document["version"], document["originalPath"]) == (1, "/home/ada/code")
    assert set(entries(document)) == {made.session_id, other.session_id}
    entry = entries(document)[made.session_id]
    assert [name for name in KEYS if name in entry] == list(entry)
    assert "messageCount" not in entry, "no transcript tells how the CLI counted"
    transcript = path.with_name(f"{made.session_id}.jsonl")
    assert entry["fullPath"] == str(transcript)
    assert entry["fileMtime"] == transcript.stat().st_mtime_ns // 1_000_000
    assert entry["created"].endswith("Z") and entry["modified"] > entry["created"]
    assert (entry["projectPath"], entry["gitBranch"], entry["isSidechain"]) == (made.cwd, "main", False)


def test_only_sessions_are_listed(world: World) -> None:
    made = a_talk(world)
    subagent = talk(world.dice, made.cwd, BEGAN, sidechain=True)
    empty = stub(world.dice, BEGAN)
    for each in (subagent, empty):
        world.put(each, key(made.cwd))
    (world.projects / key(made.cwd) / "agent-a1.jsonl").write_bytes(made.bytes())
    path = index_of(world, made, "{")
    assert set(entries(rebuilt(world, path))) == {made.session_id}


def test_entries_that_are_up_to_date_keep_their_message_count(world: World) -> None:
    made, other = a_talk(world), a_talk(world, BEGAN + DAY)
    mtime = (world.projects / key(made.cwd) / f"{made.session_id}.jsonl").stat().st_mtime_ns // 1_000_000
    path = index_of(
        world,
        made,
        {
            "originalPath": 7,
            "entries": [
                {"sessionId": made.session_id.upper(), "fileMtime": mtime, "messageCount": 12},
                {"sessionId": other.session_id, "fileMtime": 1, "messageCount": 99},
                {"sessionId": "gone", "fileMtime": 1},
                None,
                {"sessionId": 5},
            ],
        },
    )
    document = rebuilt(world, path)
    found = entries(document)
    assert found[made.session_id]["messageCount"] == 12
    assert "messageCount" not in found[other.session_id], (
        "the session continued after its messages were counted"
    )
    assert document["originalPath"] == made.cwd
    assert "gone" not in found


@pytest.mark.not_root("everything can be read")
def test_the_entry_of_an_unreadable_transcript_stays(world: World) -> None:
    made, other, third = (a_talk(world, BEGAN + number * DAY) for number in range(3))
    entry = {"sessionId": other.session_id, "fullPath": "/elsewhere", "firstPrompt": "as it was", "x": 1}
    path = index_of(world, made, {"version": 1, "originalPath": "/o", "entries": [entry]})
    path.with_name(f"{other.session_id}.jsonl").chmod(0)
    found = entries(rebuilt(world, path))
    assert set(found) == {made.session_id, other.session_id, third.session_id}
    assert found[other.session_id] == entry | {"fullPath": str(path.with_name(f"{other.session_id}.jsonl"))}


def test_an_index_that_is_up_to_date_needs_no_action(world: World) -> None:
    made = a_talk(world)
    world.healthy_row(made, title=made.title)
    path = index_of(world, made, "[]")
    plan = reconcile(world.user_data, world.projects, now=NOW, rebuild_index=True)
    assert [finding.rule for finding in plan.findings] == ["stale-index"]
    assert plan.exit_status == 0, "nothing depends on it"
    assert plan.apply(force=True).exit_status == 0
    right = path.read_bytes()
    assert actions(world) == ()
    assert path.read_bytes() == right


def test_the_old_index_is_backed_up_and_undo_restores_it(world: World) -> None:
    made = a_talk(world)
    path = index_of(world, made, '{"entries":"damaged')
    before = contents(world.projects)
    report = reconcile(world.user_data, world.projects, now=NOW, rebuild_index=True).apply(force=True)
    [action] = report.actions
    assert (action.status, action.backup) == ("applied", f"{path}.corrupted-bak")
    assert Path(action.backup).read_text() == '{"entries":"damaged'
    assert json.loads(path.read_bytes())["entries"]
    chosen = choose(report.run)
    assert chosen is not None
    assert chosen.entries[0].kind == "rebuild-index"
    undo(chosen, force=True)
    assert contents(world.projects) == before


def test_a_changed_transcript_refuses_the_action(world: World) -> None:
    made = a_talk(world)
    path = index_of(world, made, "{}")
    plan = reconcile(world.user_data, world.projects, now=NOW, rebuild_index=True)
    transcript = path.with_name(f"{made.session_id}.jsonl")
    transcript.write_bytes(transcript.read_bytes() + b'{"type":"tag"}\n')
    [action] = plan.apply(force=True).actions
    assert action.status == "refused" and str(transcript) in (action.error or "")
    assert path.read_text() == "{}"


def test_lone_surrogates_stay_escapes(world: World) -> None:
    made = a_talk(world)
    made.records.append({"type": "custom-title", "customTitle": "half \ud83d", "sessionId": made.session_id})
    transcript = world.projects / key(made.cwd) / f"{made.session_id}.jsonl"
    transcript.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in made.records))
    path = index_of(world, made, "{}")
    [entry] = rebuilt(world, path)["entries"]
    assert entry["summary"].startswith("half ")


# On the command line


def test_indexes_are_rebuilt_only_if_asked_to(env: dict[str, str], sample: Path) -> None:
    folder = next(path for path in (sample / "projects").iterdir() if list(path.glob("*.jsonl")))
    index = folder / "sessions-index.json"
    index.write_text("{}")
    before = contents(sample)
    text = run(env, "reconcile", *places(sample)).stdout
    assert "stale-index: " in text and "--rebuild-index" in text
    planned = run(env, "reconcile", *places(sample), "--rebuild-index")
    assert "Old indexes (1)" in planned.stdout and str(index) in planned.stdout
    assert "stale-index: " not in planned.stdout
    assert "--rebuild-index --apply" in planned.stdout
    assert contents(sample) == before

    applied = run(env, "reconcile", *places(sample), "--apply", "--format", "json")
    assert "rebuild-index" not in {action["kind"] for action in json.loads(applied.stdout)["actions"]}
    assert index.read_text() == "{}"
    asked = run(env, "reconcile", *places(sample), "--rebuild-index", "--apply")
    assert "rebuilt" in asked.stdout and "sessscan undo" in asked.stdout
    assert asked.stdout.startswith(
        "3 sessions are missing from the app: 2 held until you decide, 1 without a"
    )
    assert json.loads(index.read_bytes())["version"] == 1
    assert "1 index rebuilt" in run(env, "log").stdout
    assert run(env, "undo").returncode == 0
    assert index.read_text() == "{}"


def test_indexes_are_rebuilt_without_any_store(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    folder = next(path for path in (sample / "projects").iterdir() if list(path.glob("*.jsonl")))
    (folder / "sessions-index.json").write_text("{}")
    arguments = ["--projects", sample / "projects", "--rebuild-index"]
    planned = run(env, "reconcile", *arguments)
    assert planned.returncode == 0
    assert "no session store" in planned.stdout and "Rebuild the old indexes" in planned.stdout
    applied = run(env, "reconcile", *arguments, "--apply", "--format", "json")
    assert applied.returncode == 0
    assert [action["status"] for action in json.loads(applied.stdout)["actions"]] == ["applied"]


# Values, and sessions that only the index names


@pytest.mark.parametrize(
    ("key_", "value"),
    [
        ("summary", "another title"),
        ("firstPrompt", "another prompt"),
        ("projectPath", "/home/ada/elsewhere"),
        ("fullPath", "/home/other/x.jsonl"),
        ("gitBranch", "other"),
        ("created", "2020-01-01T00:00:00Z"),
        ("isSidechain", True),
    ],
)
def test_an_entry_that_contradicts_its_transcript_is_out_of_date(world: World, key_: str, value: Any) -> None:
    made = a_talk(world, turns=2)
    world.healthy_row(made, title=made.title)
    path = index_of(world, made, "{}")
    right = rebuilt(world, path)
    entry = right["entries"][0] | {"summary": made.title}
    ai = {"type": "ai-title", "aiTitle": made.title, "sessionId": made.session_id}
    with path.with_name(f"{made.session_id}.jsonl").open("ab") as stream:
        stream.write(json.dumps(ai).encode() + b"\n")
    entry["fileMtime"] = path.with_name(f"{made.session_id}.jsonl").stat().st_mtime_ns // 1_000_000
    path.write_text(json.dumps(right | {"entries": [entry]}))
    assert not [one for one in plan_of(world).findings if one.rule == "stale-index"]
    path.write_text(json.dumps(right | {"entries": [entry | {key_: value}]}))
    (found,) = [one for one in plan_of(world).findings if one.rule == "stale-index"]
    assert key_ in found.message
    assert entries(rebuilt(world, path))[made.session_id].get(key_) != value


@pytest.mark.parametrize("value", [None, 7, [], {}, "x" * 9_000_000, "\ud800", float("nan")])
def test_an_entry_may_hold_anything(world: World, value: Any) -> None:
    made = a_talk(world)
    hostile = {name: value for name in KEYS} | {"sessionId": made.session_id}
    index_of(world, made, {"entries": [hostile, {"sessionId": value}, value]})
    assert plan_of(world).exit_status == 0


def plan_of(world: World, **more: Any) -> Any:
    return reconcile(world.user_data, world.projects, now=NOW, **more)


def test_what_an_index_says_of_vanished_sessions_is_told(world: World) -> None:
    made, named, gone = a_talk(world), talk(world.dice, "/x", BEGAN), talk(world.dice, "/home/ada/y", BEGAN)
    for each in (made, named):
        world.healthy_row(each, title=each.title)
    said = {"summary": "Old talk", "projectPath": "/home/ada/y", "modified": "2026-03-01T10:00:00.000Z"}
    listed = [{"sessionId": each.session_id} | said for each in (made, named, gone)]
    path = index_of(world, made, {"version": 1, "entries": [*listed, {"sessionId": "no uuid"}]})
    found = [one for one in plan_of(world).findings if one.rule == "forgotten"]
    assert [(one.severity, one.path) for one in found] == [("note", str(path))]
    assert all(
        part in found[0].message for part in ("Old talk", "/home/ada/y", "2026-03-01", gone.session_id)
    )
    (action,) = actions(world)
    assert "stays in the backup" in action.evidence[-1].detail
    world.put(gone)
    assert "forgotten" not in {one.rule for one in plan_of(world).findings}
