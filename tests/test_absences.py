"""A plan is refused where something has come since that speaks against a match."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sessscan.errors import PlanChangedError
from sessscan.reconciliation import reconcile
from sessscan.reconciliation.saved_plan import load_plan
from support.small_worlds import BEGAN, a_talk, lose
from support.store_factory import DAY, NOW, World, compact, key
from support.transcript_factory import DESKTOP, Talk, new_id, resumed, stamp, talk

SECOND = 1_000


def claimed(world: World, made: Talk) -> None:
    world.healthy_row(made, store=world.stores[1])


def claimed_before(world: World, made: Talk) -> None:
    other = a_talk(world, BEGAN - 3 * DAY)
    world.healthy_row(other, store=world.stores[1], priorCliSessionIds=[made.session_id])


def rivalled(world: World, made: Talk) -> None:
    other = talk(world.dice, made.cwd, made.began, minutes=4)
    world.put(other)


def rivalled_by_what_cannot_be_read(world: World, made: Talk) -> None:
    path = world.projects / key(made.cwd) / f"{new_id(world.dice)}.jsonl"
    world.write(path, bytes(300), made.ended + 500)


def continued(world: World, made: Talk) -> None:
    newer = resumed(world.dice, made, DESKTOP, extra=2)
    newer.records[-1]["timestamp"] = stamp(NOW - DAY)
    world.put(newer)


def deleted(world: World, made: Talk) -> None:
    (world.stores[1] / f"deleted_{made.session_id}").write_bytes(str(NOW).encode())


def by_time(world: World, made: Talk) -> Path:
    return lose(world, made, made.ended + 2 * SECOND)


def by_copy(world: World, made: Talk) -> Path:
    path = lose(world, made, made.ended + 2 * SECOND)
    world.write(path.with_name(path.name + ".bak"), compact(world.row(made, path.stem)), made.ended)
    return path


COMES: list[Callable[[World, Talk], None]] = [claimed, claimed_before, rivalled, continued, deleted]


@pytest.mark.parametrize("comes", [*COMES, rivalled_by_what_cannot_be_read], ids=lambda one: one.__name__)
@pytest.mark.parametrize("loss", [by_time, by_copy], ids=lambda one: one.__name__)
def test_what_comes_after_the_plan_was_made_refuses_it(
    world: World,
    tmp_path: Path,
    loss: Callable[[World, Talk], Path],
    comes: Callable[[World, Talk], None],
) -> None:
    made = a_talk(world, turns=4)
    path = loss(world, made)
    before = path.read_bytes()
    plan = reconcile(world.user_data, world.projects, now=NOW)
    assert [action.kind for action in plan.actions] == ["restore"]
    plan.save(tmp_path / "plan.json")
    comes(world, made)
    loaded = load_plan(tmp_path / "plan.json", now=NOW)
    if loss is by_copy and comes in (rivalled, rivalled_by_what_cannot_be_read):
        return  # the copy's transcript explains the last write, whatever else was active
    with pytest.raises(PlanChangedError) as refused:
        loaded.apply(exact=True, force=True)
    assert path.name in str(refused.value) or "deleted_" in str(refused.value)
    assert path.read_bytes() == before
    [action] = plan.apply(force=True).actions
    assert action.status == "refused" and path.read_bytes() == before


def test_what_has_nothing_to_do_with_a_match_does_not_refuse_it(world: World, tmp_path: Path) -> None:
    made = a_talk(world)
    path = by_time(world, made)
    plan = reconcile(world.user_data, world.projects, now=NOW)
    plan.save(tmp_path / "plan.json")
    later = a_talk(world, made.ended + DAY)
    world.healthy_row(later)
    a_talk(world, made.ended + 2 * DAY, entrypoint="cli")
    [action] = load_plan(tmp_path / "plan.json", now=NOW).apply(exact=True, force=True).actions
    assert action.status == "applied"
    assert json.loads(path.read_bytes())["cliSessionId"] == made.session_id


def test_two_plans_of_one_store_are_the_same_byte_for_byte(world: World, tmp_path: Path) -> None:
    for number in range(3):
        by_copy(world, a_talk(world, BEGAN - number * DAY))
    for name in ("one", "two"):
        reconcile(world.user_data, world.projects, now=NOW).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
