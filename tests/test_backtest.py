"""Compare what a backtest says of healthy rows with what happens when they are really lost."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from sessscan.backtest_result import (
    GROUPS,
    OUTCOMES,
    SHOWN,
    TRIED,
    Backtest,
    MatchCounts,
    Mismatch,
    Outcome,
    TriedEvidence,
)
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.backtest import backtest
from sessscan.render.backtest import print_backtest
from sessscan.snapshots.capture import snapshot
from sessscan.snapshots.database import FILE
from support.program import places, run
from support.random_lives import Living
from support.small_worlds import BEGAN, a_talk, lose
from support.store_factory import DAY, HOUR, NOW, World, build, compact
from support.transcript_factory import Talk, new_id, talk
from test_own_folders import own
from test_own_folders import row as cowork_row
from test_random_lives import keep_at
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
    assert (
        counts(found.matching.alone)
        == counts(found.matching.together)
        == {"found": 1, "offered": 1, "gone": 1}
    )
    matching = found.to_dict()["matching"]
    assert list(matching) == ["a_twentieth_lost", "all_lost", "doubly_damaged"]
    outcomes = {row["outcome"]: row for row in matching["all_lost"]["rows"]}
    assert set(outcomes) == {"offered", "gone"}
    assert outcomes["offered"]["reason"] and outcomes["offered"]["cli_session_id"] is None


def test_rows_of_one_time_are_held_if_both_are_hidden(world: World) -> None:
    for _ in range(2):
        world.healthy_row(a_talk(world, BEGAN, cwd="/home/ada/one"))
    found = backtest(world.user_data, world.projects, now=NOW)
    assert counts(found.matching.alone) == {"found": 2}
    assert counts(found.matching.together) == {"offered": 2}


def test_a_wrong_match_is_reported(world: World) -> None:
    """A row was rewritten long after its session, just when another transcript without a row ended. Nothing
    of its content is left, so nothing shows that it did not belong to that one."""
    mine, other = a_talk(world), a_talk(world, BEGAN + DAY)
    session_id = world.healthy_row(mine)
    path = next(path for path in world.healthy if path.stem == session_id)
    os.utime(path, ns=((other.ended + 2_000) * 1_000_000,) * 2)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert counts(found.matching.alone) == {"wrong": 1} and found.wrong
    assert found.to_dict()["matching"]["all_lost"]["rows"][0]["cli_session_id"] == other.session_id


@pytest.mark.parametrize("seed", range(14))
def test_each_outcome_is_what_reconcile_does_to_the_row(tmp_path: Path, seed: int) -> None:
    """Each healthy row is really overwritten with zeros, by itself, and reconciled."""
    world = build(tmp_path / "world", seed)
    found = backtest(world.user_data, world.projects, now=NOW)
    healthy = [row for row in world.healthy if row.exists()]
    assert len(healthy) <= GROUPS, "then each is hidden by itself"
    said: dict[str, str] = {one.path: one.outcome for one in found.matching.alone.examples}
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
    alone, together = counts(found.matching.alone), counts(found.matching.together)
    assert sum(alone.values()) == sum(together.values()) <= healthy
    for field in found.fields.values():
        assert field.same + field.different + field.missing + field.added <= found.rows
        assert len(field.examples) == field.different + field.missing + field.added
    json.dumps(found.to_dict())


# By one kind of evidence alone


def three(found: Backtest, kind: TriedEvidence) -> list[dict[Outcome, int]]:
    return [counts(matching) for matching in found.evidence[kind].each()]


def lease(world: World, session_id: str, made: Talk) -> None:
    world.lease(made.cwd, session_id, made.began - 3_000, branch="claude/x")
    table = {str(number): entry for number, entry in enumerate(world.leases)}
    path = world.user_data / "git-worktrees.json"
    path.write_bytes(compact({"schemaVersion": 2, "worktrees": table}))


def in_a_worktree(world: World, began: int, cwd: str = "/home/ada/code/.claude/worktrees/x") -> Talk:
    state = {
        "originalCwd": "/home/ada/code",
        "worktreePath": cwd,
        "worktreeName": "x",
        "worktreeBranch": "claude/x",
    }
    return a_talk(world, began, cwd=cwd, worktree=state)


def every_evidence(world: World) -> dict[str, str]:
    """Make three rows, an imported one and one in a worktree among them, and snapshots of two; return the
    sessions by what is special about them."""
    plain, other = a_talk(world), in_a_worktree(world, BEGAN + DAY)
    imported = a_talk(world, BEGAN + 2 * DAY)
    named = {"plain": world.healthy_row(plain), "leased": world.healthy_row(other)}
    snapshot(world.user_data)
    lease(world, named["leased"], other)
    named["imported"] = world.healthy_row(imported, f"local_{imported.session_id}")
    return named


def test_each_evidence_is_tried_on_the_rows_that_have_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessscan.reconciliation.backtest.ONE_GONE_IN", 10**9)
    every_evidence(world)
    found = backtest(world.user_data, world.projects, now=NOW)
    tried = {
        "snapshot": 2,
        "tmp": 3,
        "copy": 3,
        "prefix": 3,
        "own-folder": 0,
        "uuid": 1,
        "lease": 1,
        "time": 2,
    }
    assert {kind: three(found, kind) for kind in TRIED} == {
        kind: [{"found": count} if count else {}] * 3 for kind, count in tried.items()
    }
    for kind, rounds in found.evidence.items():
        for matching in rounds.each():
            assert matching.decided == ({kind: {"found": tried[kind]}} if tried[kind] else {})
    assert found.matching.alone.decided == {"time": {"found": 1}, "uuid": {"found": 1}, "lease": {"found": 1}}
    document = found.to_dict()["evidence"]["uuid"]["all_lost"]
    assert document["decided_by"] == {"uuid": {"found": 1, "wrong": 0}}


def test_a_cowork_row_is_tried_by_its_own_folder_and_not_by_time(world: World) -> None:
    cowork = world.user_data / "local-agent-mode-sessions" / new_id(world.dice) / new_id(world.dice)
    made, session_id = talk(world.dice, "/sessions/x", BEGAN), f"local_{new_id(world.dice)}"
    own(world, cowork, session_id, made)
    world.write(cowork / f"{session_id}.json", cowork_row(world, session_id, made), made.ended)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert three(found, "time") == [{}, {}, {}]
    alone, together, doubly = found.evidence["own-folder"].each()
    assert alone.decided == together.decided == {"own-folder": {"found": 1}}
    assert doubly.counts["found"] + doubly.counts["gone"] == 1


def test_the_stores_own_saves_and_copies_are_tried_before_those_that_are_made(world: World) -> None:
    """What the row named before `/clear` is in a `.tmp` and in a copy of that time."""
    before, after = a_talk(world), a_talk(world, BEGAN + DAY)
    session_id = world.healthy_row(after, priorCliSessionIds=[before.session_id])
    older = compact(world.row(before, session_id))
    row = next(path for path in world.healthy if path.stem == session_id)
    for ending in (".tmp", ".bak"):
        world.write(row.with_name(row.name + ending), older, before.ended + 2_000)
    found = backtest(world.user_data, world.projects, now=NOW)
    for kind in ("tmp", "copy"):
        [held] = found.evidence[kind].alone.examples
        assert (held.outcome, held.own, held.decided_by) == ("offered", after.session_id, None)
        assert before.session_id in (held.reason or "")
    assert counts(found.evidence["prefix"].alone) == counts(found.evidence["time"].alone) == {"found": 1}


def test_a_cut_is_never_before_the_end_of_the_transcripts_name(world: World) -> None:
    for number in range(30):
        world.healthy_row(a_talk(world, BEGAN + number * HOUR, cwd=f"/home/ada/{number}"))
    for seed in range(5):
        found = backtest(world.user_data, world.projects, now=NOW, seed=seed)
        for matching in (found.evidence["prefix"].alone, found.evidence["prefix"].together):
            assert counts(matching) == {"found": 30} and set(matching.decided) == {"prefix"}


# With transcripts taken away as well


def test_where_all_transcripts_are_gone_only_a_rows_own_content_puts_it_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole row of its own time is put back as it was. Whatever else is left of it is held."""
    monkeypatch.setattr("sessscan.reconciliation.backtest.ONE_GONE_IN", 1)
    every_evidence(world)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert {kind: counts(found.evidence[kind].doubly) for kind in TRIED} == {
        "snapshot": {"found": 2},
        "tmp": {"found": 3},
        "copy": {"gone": 3},
        "prefix": {"gone": 3},
        "own-folder": {},
        "uuid": {"gone": 1},
        "lease": {"gone": 1},
        "time": {"gone": 2},
    }
    assert counts(found.matching.doubly) == {"gone": 3}


class Unharmed(Living):
    """Days of the app at whose end transcripts may be damaged, but no row is."""

    def lose(self, *what_and_how: Any) -> None:
        """Leave the row as it is."""


@pytest.mark.parametrize("seed", range(8))
def test_nothing_wrong_where_transcripts_are_gone_as_well(tmp_path: Path, seed: int) -> None:
    life = Unharmed(tmp_path, seed, keep_at).live()
    found = backtest(life.user_data, life.projects, now=NOW, seed=seed)
    doubly = {kind: rounds.doubly for kind, rounds in found.evidence.items()}
    assert {kind: matching.wrong for kind, matching in doubly.items()} == dict.fromkeys(TRIED, 0)
    assert found.matching.doubly.wrong == 0
    assert sum(matching.counts["gone"] for matching in doubly.values()) > 0


def test_the_same_seed_gives_the_same_result(world: World) -> None:
    for number in range(12):
        world.healthy_row(a_talk(world, BEGAN + number * 3 * HOUR, cwd=f"/home/ada/{number % 3}"))
    first, again, other = (
        backtest(world.user_data, world.projects, now=NOW, seed=seed).to_dict() for seed in (1, 1, 2)
    )
    assert first == again and first["seed"] == 1
    assert first["evidence"]["time"]["doubly_damaged"] != other["evidence"]["time"]["doubly_damaged"]


def test_a_fault_in_the_matching_shows_as_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bound by time, a row whose transcript is gone gets a stranger's of the day before."""
    for number in range(4):
        world.healthy_row(a_talk(world, BEGAN + number * DAY, cwd=f"/home/ada/{number}"))
    a_talk(world, BEGAN - DAY, cwd="/home/ada/stranger")
    assert backtest(world.user_data, world.projects, now=NOW).evidence["time"].doubly.wrong == 0
    monkeypatch.setattr("sessscan.reconciliation.matching.file_times.BOUND", 2 * DAY)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert found.evidence["time"].doubly.wrong > 0 and found.wrong > 0
    [*wrong] = [one for one in found.evidence["time"].doubly.examples if one.outcome == "wrong"]
    assert {one.decided_by for one in wrong} == {"time"}
    assert all(one.cli_session_id not in (None, one.own) for one in wrong)


def test_wrong_rows_are_shown(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    found = Backtest(stores=[("/store", 1)])
    found.evidence["lease"].together.add(Mismatch("/store/row", "wrong", "theirs", None, "mine", "lease"))
    print_backtest(found)
    text = capsys.readouterr().out
    assert "a wrong transcript must never" in text.lower()
    assert "a worktree lent to it  0 / 0 / 0  0 / 0 / 1  0 / 0 / 0" in text
    assert "  /store/row\n    by lease: theirs instead of mine\n" in text


def test_of_many_held_rows_some_are_listed_and_every_wrong_one() -> None:
    found = Backtest().evidence["time"].alone
    for number in range(3 * SHOWN):
        found.add(Mismatch(f"/{number}", "held", None, "why", "mine", None))
        found.add(Mismatch(f"/{number}", "wrong", "theirs", None, "mine", "time"))
    assert (found.right, found.holds, found.wrong) == (0, 3 * SHOWN, 3 * SHOWN)
    assert sum(one.outcome == "held" for one in found.examples) == SHOWN
    assert sum(one.outcome == "wrong" for one in found.examples) == 3 * SHOWN


def test_a_large_store_is_tried_in_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        world.healthy_row(a_talk(world, BEGAN + number * HOUR, cwd=f"/home/ada/{number}"))
    monkeypatch.setattr("sessscan.reconciliation.backtest.ENOUGH", 7)
    found = backtest(world.user_data, world.projects, now=NOW)
    assert [sum(each.values()) for each in three(found, "time")] == [9, 60, 9]
    totals = [sum(counts(each).values()) for each in found.matching.each()]
    assert totals == [60, 60, 9]


def test_nothing_is_written_to_the_stores_or_to_the_state(world: World) -> None:
    every_evidence(world)
    before = picture(world.user_data.parent)
    backtest(world.user_data, world.projects, now=NOW)
    assert picture(world.user_data.parent) == before


def test_snapshots_that_cannot_be_read_are_told(world: World) -> None:
    every_evidence(world)
    database = Path(os.environ["SESSSCAN_HOME"]) / FILE
    database.write_bytes(b"no database")
    found = backtest(world.user_data, world.projects, now=NOW)
    assert three(found, "snapshot") == [{}, {}, {}]
    assert any("continuing without snapshots" in remark for remark in found.remarks)
    assert database.read_bytes() == b"no database"


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
    assert seen[-1][0] == seen[-1][1] and seen == sorted(seen)


# On the command line


def test_the_command_prints_text_and_json(env: dict[str, str], sample: Path) -> None:
    before = picture(sample)
    text = run(env, "reconcile", *places(sample), "--verify")
    assert (text.returncode, text.stderr) == (0, "")
    assert max(map(len, text.stdout.splitlines())) <= 80
    assert "18 healthy rows in 1 store" in text.stdout and "Nothing was changed" in text.stdout
    assert "wrong transcript must never" not in text.stdout
    assert re.search(
        r"^the time of its last write +\d+ / \d+ / 0 +\d+ / \d+ / 0 +\d+ / \d+ / 0$", text.stdout, re.M
    )
    found = run(env, "reconcile", *places(sample), "--verify", "--format", "json")
    document: dict[str, Any] = json.loads(found.stdout)
    assert found.returncode == 0
    assert list(document) == [
        "schema", "stores", "rows", "skipped", "unbuildable", "fields", "reset", "left_out", "matching",
        "links", "evidence", "seed",
    ]  # fmt: skip
    assert document["schema"] == "sessscan.verify/1"
    assert [list(store) for store in document["stores"]] == [["path", "rows"]]
    for field in document["fields"].values():
        assert list(field) == ["same", "different", "missing", "added", "rows"]
    assert list(document["evidence"]) == list(TRIED)
    for rounds in (document["matching"], document["links"], *document["evidence"].values()):
        assert list(rounds) == ["a_twentieth_lost", "all_lost", "doubly_damaged"]
        for matching in rounds.values():
            assert list(matching) == [*OUTCOMES, "rows", "decided_by"]
            assert matching["wrong"] == 0
            assert all(list(row) == [*Mismatch._fields] for row in matching["rows"])
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
