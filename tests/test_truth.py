"""The reconciliation against stores of which the truth is known.

60 stores by default, 1,000 with `pytest -m thorough`; `--seed N` makes others.
"""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sessscan.changes.plan import Plan
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from support.store_factory import NOW, Lost, World, build
from support.store_scenarios import SCENARIOS

HELD_AT_MOST = 0.05
"""So large a part of the rows that can be proved may be held."""
BATCH = 10
BATCHES = [*range(6), *(pytest.param(batch, marks=pytest.mark.thorough) for batch in range(6, 100))]
"""Ten stores each, so that several processes can share them."""


def picture(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is there: names, kinds, times, content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
        times = (status.st_mtime_ns, status.st_ctime_ns) if not path.is_dir() else ()
        found[str(path)] = (status.st_mode, status.st_ino, digest, *times)
    return found


def unlinked_rows(plan: Plan) -> set[str]:
    """Return the readable rows that have lost their link."""
    return {finding.path for finding in plan.findings if finding.rule == "unlinked"}


def judge(world: World, plan: Plan) -> int:
    """Hold a plan to the truth; return how many rows that can be proved it holds all the same.

    Where scenarios are mixed, a session of one may explain a row of another as well, so a few may be. Where
    all times were lost, nothing tells when a row was written last, and none is counted.
    """
    held = 0
    actions = {action.path: action for action in plan.actions}
    lost = {str(one.path): one for one in world.lost}
    for path, action in actions.items():
        if action.kind == "relink":
            told = f"WRONG LINK of {path} by {action.evidence}"
            assert action.cli_session_id == world.owned[path].session_id, told
        else:
            unlinked = action.kind == "hold" and path in unlinked_rows(plan)
            assert path in lost or unlinked, f"{action.kind} for what is not lost: {path}"
    errors = {finding.path for finding in plan.findings if finding.severity == "error"}
    for path, one in lost.items():
        told = f"{one.scenario} {one.session_id}: expected {one.expect}"
        action = actions.get(path)
        if action is not None and action.kind == "restore":
            right = one.talk.session_id if one.talk is not None else None
            assert action.cli_session_id == right, f"{told}: WRONG MATCH by {action.evidence}"
            try:
                check_row(one, action)
            except AssertionError as error:
                raise AssertionError(f"{told} ({action.source}): {error}") from None
        match one.expect:
            case "back" if action is not None and action.kind == "hold":
                held += world.timed
            case "back" | "made":
                assert action is not None and action.kind == "restore", f"{told}: {action and action.error}"
            case "hold":
                assert action is not None and action.kind == "hold", f"{told}: {action and action.evidence}"
                assert action.error and not action.content and not action.row
            case "nothing":
                assert action is None, f"{told}: {action}"
            case _:
                assert one.expect == "either" and (action is not None or not one.path.exists()), told
        if one.expect in ("back", "hold", "either") and one.path.exists():
            assert path in errors, told
        if one.expect == "nothing":
            assert path not in errors, told
    for path in world.healthy:
        assert str(path) not in errors
    return held


def check_row(one: Lost, action: Action) -> None:
    """Holds a restored row to what it should say."""
    row, made = action.row, one.talk
    assert json.loads(action.content) == row
    assert not action.content.endswith(b"\n")
    assert row["sessionId"] == one.session_id
    assert set(action.provenance) == set(row)
    if one.exact is not None:
        assert action.content == one.exact
    if made is None:
        return
    assert row["cliSessionId"] == made.session_id
    if not one.grants and one.exact is None:
        assert row["permissionMode"] == "default"
        for key in ("remoteMcpServersConfig", "alwaysAllowedReasons", "sessionPermissionUpdates"):
            assert row[key] == []
        assert not any(key.startswith("bridge") for key in row)
    if one.exact is not None:
        return
    assert row["cwd"] == made.cwd
    if one.derived:
        state = made.worktree or {}
        expected: dict[str, Any] = {
            "originCwd": state.get("originalCwd", made.cwd),
            "worktreePath": state.get("worktreePath"),
            "worktreeName": state.get("worktreeName"),
            "branch": state.get("worktreeBranch"),
            "sourceBranch": state.get("originalBranch"),
            "createdAt": made.began,
            "lastActivityAt": made.ended,
            "lastFocusedAt": made.ended,
            "title": made.title,
            "titleSource": "user" if made.custom else "auto",
            "isArchived": False,
            "model": made.model,
            "completedTurns": made.turns,
        }
        assert {key: row.get(key) for key in expected} == expected, one.scenario
    if action.transcript is not None:
        assert abs(row["createdAt"] - made.began) <= 2_000
    assert abs(row["lastActivityAt"] - made.ended) <= 2_000


@pytest.mark.parametrize("batch", BATCHES)
def test_stores_of_known_truth(tmp_path: Path, seed: int, batch: int) -> None:
    held = provable = 0
    for number in range(seed + batch * BATCH, seed + (batch + 1) * BATCH):
        world = build(tmp_path / str(number), number)
        provable += sum(one.expect == "back" for one in world.lost)
        held += whole_life(world, number)
    assert held <= 3 + HELD_AT_MOST * provable, "few stores, so chance counts: test_random_lives is stricter"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_each_scenario_by_itself(tmp_path: Path, scenario: Any) -> None:
    for seed in range(4):
        assert whole_life(build(tmp_path / str(seed), seed, [scenario]), seed) == 0


def whole_life(world: World, seed: int) -> int:
    """Plan, apply, apply again and undo: all right, and every byte back in the end. Return how many rows were
    held although they can be proved."""
    from sessscan.changes.undo import choose, undo

    folder = world.user_data.parent
    before = picture(folder)
    plan = reconcile(world.user_data, world.projects, now=NOW)
    assert picture(folder) == before, f"seed {seed}: a dry run wrote"
    try:
        held = judge(world, plan)
    except AssertionError as error:
        raise AssertionError(f"seed {seed} (sparse: {world.sparse}, timed: {world.timed}): {error}") from None
    json.dumps(plan.to_dict())
    report = plan.apply(force=True)
    assert {action.status for action in report.actions} <= {"applied", "held"}, f"seed {seed}"
    again = reconcile(world.user_data, world.projects, now=NOW)
    assert not [action for action in again.actions if action.kind in ("restore", "relink")], f"seed {seed}"
    if report.run is not None:
        run = choose(report.run)
        assert run is not None
        undo(run, force=True)
        undone = {path: facts[2] for path, facts in picture(folder).items()}
        assert undone == {path: facts[2] for path, facts in before.items()}, f"seed {seed}: undo"
    return held
