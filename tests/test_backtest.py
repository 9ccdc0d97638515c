"""Compare what a backtest says of healthy rows with what happens when they are really lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from sessscan.backtest_result import GROUPS, OUTCOMES, MatchCounts, Outcome
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.backtest import backtest
from support.program import places, run
from support.small_worlds import BEGAN, a_talk, lose
from support.store_factory import DAY, NOW, World, build
from support.transcript_factory import talk
from test_truth import picture


def counts(matching: MatchCounts) -> dict[Outcome, int]:
    return dict(matching.counts)


# The fields of a rebuilt row


def test_each_field_that_would_differ_is_reported(world: World) -> None:
    same, named, bare = a_talk(world), a_talk(world, BEGAN + DAY), a_talk(world, BEGAN + 2 * DAY)
    world.healthy_row(same, title=same.title)
    renamed = world.healthy_row(named, title="By hand", effort="high", branch="feature")
    world.healthy_row(bare, model=None, title=bare.title)
    path = next(path for path in world.healthy if json.loads(path.read_bytes())["model"] is None)
    row = json.loads(path.read_bytes())
    del row["model"]
    path.write_text(json.dumps(row))
    found = backtest(world.user_data, world.projects, now=NOW)
    document = json.loads(json.dumps(found.to_dict()))
    assert (document["rows"], document["skipped"], document["unbuildable"]) == (3, 0, [])
    fields = document["fields"]
    assert fields["cwd"] == {"same": 3, "different": 0, "missing": 0, "added": 0, "rows": []}
    assert fields["title"]["rows"] == [
        {
            "path": str(next(p for p in world.healthy if p.stem == renamed)),
            "is": "By hand",
            "would_be": named.title,
        }
    ]
    assert [fields["branch"][name] for name in ("same", "different", "missing", "added")] == [0, 0, 1, 0]
    assert fields["branch"]["rows"][0]["would_be"] is None
    assert [fields["model"][name] for name in ("same", "different", "missing", "added")] == [2, 0, 0, 1]
    assert fields["model"]["rows"] == [{"path": str(path), "is": None, "would_be": bare.model}]
    assert document["left_out"] == {"effort": 1}
    assert document["reset"]["permissionMode"] == 3 and document["reset"]["spawnSeed"] == 0
    assert not {"permissionMode", "effort"} & set(fields)


def test_times_less_than_ten_seconds_apart_are_the_same(world: World) -> None:
    near, far = a_talk(world), a_talk(world, BEGAN + DAY)
    world.healthy_row(near, createdAt=near.began - 9_000, lastActivityAt=near.ended + 9_000)
    world.healthy_row(far, createdAt=far.began - 11_000)
    fields = backtest(world.user_data, world.projects, now=NOW).fields
    assert (fields["createdAt"].same, fields["createdAt"].different) == (1, 1)
    assert fields["lastActivityAt"].same == 2


def test_rows_that_cannot_be_rebuilt_or_have_no_transcript_are_counted(world: World) -> None:
    world.healthy_row(talk(world.dice, "/gone", BEGAN))
    made = a_talk(world)
    for record in made.records:
        record.pop("timestamp", None)
    world.put(made)
    world.healthy_row(made)
    path = world.stores[0] / "local_99999999-0000-4000-8000-000000000000.json"
    world.write(path, json.dumps({"sessionId": path.stem, "createdAt": 1, "lastActivityAt": 2}).encode(), NOW)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert (found.rows, found.skipped, len(found.unbuildable)) == (0, 2, 1)
    assert "the session began" in found.unbuildable[0][1]


# The transcript of a hidden row


def test_each_outcome(world: World) -> None:
    plain = a_talk(world, cwd="/home/ada/one")
    world.healthy_row(plain)  # alone at its time: found
    world.healthy_row(a_talk(world, BEGAN + DAY, cwd="/home/ada/two"))
    a_talk(world, BEGAN + DAY, cwd="/home/ada/two")  # an orphan of the same time: it may be either
    world.healthy_row(talk(world.dice, "/gone", BEGAN - 3 * DAY))  # nothing to be found
    found = backtest(world.user_data, world.projects, now=NOW)
    assert counts(found.alone) == counts(found.together) == {"found": 1, "offered": 1, "gone": 1}
    matching = found.to_dict()["matching"]
    assert list(matching) == ["a_twentieth_lost", "all_lost"]
    outcomes = {row["outcome"]: row for row in matching["all_lost"]["rows"]}
    assert set(outcomes) == {"offered", "gone"}
    assert outcomes["offered"]["reason"] and outcomes["offered"]["cli_session_id"] is None


def test_rows_of_one_time_are_held_if_both_are_hidden(world: World) -> None:
    for _ in range(2):
        world.healthy_row(a_talk(world, BEGAN, cwd="/home/ada/one"))
    found = backtest(world.user_data, world.projects, now=NOW)
    assert counts(found.alone) == {"found": 2}
    assert counts(found.together) == {"offered": 2}


def test_a_wrong_match_is_reported(world: World) -> None:
    """A row was rewritten long after its session, just when another transcript without a row ended. Nothing
    of its content is left, so nothing shows that it did not belong to that one."""
    mine, other = a_talk(world), a_talk(world, BEGAN + DAY)
    session_id = world.healthy_row(mine)
    path = next(path for path in world.healthy if path.stem == session_id)
    os.utime(path, ns=((other.ended + 2_000) * 1_000_000,) * 2)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert counts(found.alone) == {"wrong": 1}
    assert found.to_dict()["matching"]["all_lost"]["rows"][0]["cli_session_id"] == other.session_id


@pytest.mark.parametrize("seed", range(14))
def test_each_outcome_is_what_reconcile_does_to_the_row(tmp_path: Path, seed: int) -> None:
    """Each healthy row is really overwritten with zeros, by itself, and reconciled."""
    world = build(tmp_path / "world", seed)
    found = backtest(world.user_data, world.projects, now=NOW)
    healthy = [row for row in world.healthy if row.exists()]
    assert len(healthy) <= GROUPS, "then each is hidden by itself"
    said: dict[str, str] = {path: outcome for path, outcome, _, _ in found.alone.examples}
    values = {
        path: (name, would) for name, field in found.fields.items() for path, _, would in field.examples
    }
    for path in healthy:
        content, status = path.read_bytes(), path.stat()
        own = json.loads(content).get("cliSessionId")
        path.write_bytes(bytes(len(content)))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        plan = reconcile(world.user_data, world.projects, now=NOW)
        action = next((action for action in plan.actions if action.path == str(path)), None)
        if action is not None and isinstance(own, str) and len(own) == 36:
            happened = "found"
            if action.kind == "restore":
                if action.cli_session_id != own.lower():
                    happened = "wrong"
                elif action.source == "transcript" and str(path) in values:
                    name, would = values[str(path)]
                    assert action.row.get(name) == would
            elif any(candidate.cli_session_id == own.lower() for candidate in action.candidates):
                happened = "offered"
            elif any(world.projects.glob(f"*/{own.lower()}.jsonl")):
                happened = "held"
            else:
                happened = "gone"
            assert said.get(str(path), "found") == happened, (world.scenarios, path, action)
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("seed", range(20, 32))
def test_nothing_is_written_and_every_row_counted_once(tmp_path: Path, seed: int) -> None:
    world = build(tmp_path / "world", seed)
    before = picture(tmp_path)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert picture(tmp_path) == before
    healthy = sum(rows for _, rows in found.stores)
    assert found.rows + found.skipped + len(found.unbuildable) == healthy
    alone, together = counts(found.alone), counts(found.together)
    assert sum(alone.values()) == sum(together.values()) <= healthy
    for field in found.fields.values():
        assert field.same + field.different + field.missing + field.added <= found.rows
        assert len(field.examples) == field.different + field.missing + field.added
    json.dumps(found.to_dict())


def test_progress_ends_with_all_rows_done(world: World) -> None:
    for number in range(5):
        world.healthy_row(a_talk(world, BEGAN + number * DAY))
    seen: list[tuple[int, int]] = []
    backtest(
        world.user_data,
        world.projects,
        row_progress=lambda done, whole: seen.append((done, whole)),
        now=NOW,
    )
    assert seen[-1] == (15, 15) and seen == sorted(seen)


# On the command line


def test_the_command_prints_text_and_json(env: dict[str, str], sample: Path) -> None:
    before = picture(sample)
    text = run(env, "reconcile", *places(sample), "--verify")
    assert (text.returncode, text.stderr) == (0, "")
    assert max(map(len, text.stdout.splitlines())) <= 80
    assert "18 healthy rows in 1 store" in text.stdout and "Nothing was changed" in text.stdout
    assert "wrong transcript must never" not in text.stdout
    found = run(env, "reconcile", *places(sample), "--verify", "--format", "json")
    document: dict[str, Any] = json.loads(found.stdout)
    assert found.returncode == 0
    assert list(document) == [
        "schema", "stores", "rows", "skipped", "unbuildable", "fields", "reset", "left_out", "matching",
    ]  # fmt: skip
    assert document["schema"] == "sessscan.verify/1"
    assert [list(store) for store in document["stores"]] == [["path", "rows"]]
    for field in document["fields"].values():
        assert list(field) == ["same", "different", "missing", "added", "rows"]
    for matching in document["matching"].values():
        assert list(matching) == [*OUTCOMES, "rows"]
        assert matching["wrong"] == 0
        assert all(list(row) == ["path", "outcome", "cli_session_id", "reason"] for row in matching["rows"])
    assert picture(sample) == before
    assert not Path(env["SESSSCAN_HOME"]).exists()


def test_a_store_without_healthy_rows(env: dict[str, str], sample: Path) -> None:
    shutil.rmtree(sample / "Claude" / "claude-code-sessions")
    (sample / "Claude" / "claude-code-sessions").mkdir()
    result = run(env, "reconcile", *places(sample), "--verify")
    assert result.returncode == 0
    assert "nothing to try it on" in result.stdout


def test_control_characters_in_field_names_are_escaped(env: dict[str, str], world: World) -> None:
    made = a_talk(world)
    lose(world, None, NOW)
    world.healthy_row(made, **{"\x1b[2J\x07": 1})
    result = run(env, "reconcile", "--store", world.user_data, "--projects", world.projects, "--verify")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout and "\\x1b[2J\\x07" in result.stdout


@pytest.mark.parametrize("more", [["--apply"], ["--adopt"], ["--rebuild-index"], ["--plan-out", "x"]])
def test_options_that_write_are_refused(env: dict[str, str], tmp_path: Path, more: list[str]) -> None:
    result = run(env, "reconcile", "--verify", *more, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"does not go with {more[0]}" in result.stderr and result.stderr.count("\n") == 1
