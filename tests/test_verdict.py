"""The first line counts the sessions that a person misses, and says how each comes back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sessscan.changes.plan import Plan
from sessscan.errors import UsageError
from sessscan.model import Missed
from sessscan.reconciliation import reconcile
from sessscan.render.verdict import verdict
from support.program import run
from support.small_worlds import BEGAN, a_talk, lose
from support.store_factory import DAY, NOW, World
from support.transcript_factory import talk


def plan_of(world: World, **more: Any) -> Plan:
    return reconcile(world.user_data, world.projects, now=NOW, **more)


def first_line(plan: Plan) -> str:
    return verdict(plan.missed, stores=len(plan.stores), rows=plan.rows)


def test_a_wiped_registry_is_not_no_session_lost(world: World) -> None:
    world.healthy_row(a_talk(world))
    for number in range(40):
        a_talk(world, BEGAN - number * DAY)
    plan = plan_of(world)
    assert first_line(plan).startswith("40 sessions are missing from the app: 40 without a row (--adopt")
    assert plan.exit_status == 0


def test_without_an_account_folder(world: World, env: dict[str, str]) -> None:
    made = a_talk(world)
    shutil.rmtree(world.user_data / "claude-code-sessions")
    (world.user_data / "claude-code-sessions").mkdir()
    shown = run(env, "reconcile", "--store", world.user_data, "--projects", world.projects)
    text = " ".join(shown.stdout.split())
    assert text.startswith("There is no session store of the desktop app here, and 1 session is missing")
    assert "sign in and begin a session" in text
    assert made.title in text and made.cwd in text
    asked = run(env, "reconcile", "--store", world.user_data, "--projects", world.projects, "--adopt")
    assert "--adopt: there is no account folder" in asked.stderr


def test_a_session_is_named_by_title_folder_and_date(world: World, env: dict[str, str]) -> None:
    made = a_talk(world)
    shown = run(env, "reconcile", "--store", world.user_data, "--projects", world.projects)
    (line,) = [line for line in shown.stdout.splitlines() if made.title in line]
    assert made.cwd in line and " UTC " in line
    assert "--adopt --apply" in shown.stdout


def test_an_orphan_that_a_held_row_may_be_is_one_session(world: World) -> None:
    made = [a_talk(world, BEGAN), a_talk(world, BEGAN + 60_000)]
    lose(world, None, made[1].ended + 2_000)
    plan = plan_of(world)
    assert [action.kind for action in plan.actions] == ["hold"]
    assert plan.missed == Missed(to_choose=1)
    remarks = plan_of(world, adopt=True).remarks
    assert any("--match first" in remark for remark in remarks)


def test_adopted_sessions_count_as_put_back(world: World) -> None:
    world.healthy_row(a_talk(world), store=world.stores[0])
    a_talk(world, BEGAN - DAY)
    for store in world.stores[1:]:
        shutil.rmtree(store)
    plan = plan_of(world, adopt=True)
    assert (plan.missed.restorable, plan.missed.orphans, plan.remarks) == (1, 0, ())
    report = plan.apply(force=True)
    assert verdict(report.missed, stores=1, rows=report.rows) == "1 session is back."


def test_an_account_is_named_where_there_are_several(world: World) -> None:
    made = a_talk(world, cwd="/nowhere/else")
    first, second = (Path(store) for store in world.stores[:2])
    world.healthy_row(talk(world.dice, "/a", BEGAN), store=first)
    world.healthy_row(talk(world.dice, "/b", BEGAN), store=second)
    unplaced = plan_of(world, adopt=True)
    assert not unplaced.actions
    assert any("--account" in remark and second.name in remark for remark in unplaced.remarks)
    for name in (second.name, f"{second.parent.name}/{second.name}", str(second)):
        (action,) = plan_of(world, adopt=True, account=name).actions
        assert Path(action.path).parent == second
        assert action.cli_session_id == made.session_id


def test_an_account_that_is_none_is_refused(world: World) -> None:
    a_talk(world)
    with pytest.raises(UsageError, match="no account is called so"):
        plan_of(world, adopt=True, account="nobody")
    with pytest.raises(UsageError, match="needs --adopt"):
        plan_of(world, account="nobody")


def test_options_with_nothing_to_do_say_so(world: World) -> None:
    world.healthy_row(a_talk(world))
    remarks = plan_of(world, adopt=True, rebuild_index=True).remarks
    assert [remark.split(":")[0] for remark in remarks] == ["--adopt", "--rebuild-index"]


@pytest.mark.parametrize(
    ("missed", "line"),
    [
        (Missed(), "No session is lost: the app can read every row it needs."),
        (
            Missed(dangling=2),
            "No lost row was found, but 2 listed sessions cannot be opened: their transcripts were not found "
            "or are empty.",
        ),
        (
            Missed(moved=1),
            "No lost row was found, but the transcript of 1 listed session lies where the app does not look "
            "for it.",
        ),
        (Missed(unread=1), "No lost row was found, but 1 file or folder could not be read."),
        (
            Missed(forgotten=3),
            "No lost row was found, but an old index names 3 sessions of which no transcript was found.",
        ),
        (Missed(hollow=1), "1 session is missing: 1 without a conversation."),
        (
            Missed(unlinked=1, restorable=1),
            "2 sessions are missing: 1 can be put back, 1 without a transcript.",
        ),
        (Missed(back=2, undecided=1), "2 sessions are back, 1 held without candidates."),
        (
            Missed(restorable=1, dangling=1),
            "1 session is missing from the app: 1 can be put back; 1 more listed session cannot be opened: "
            "its transcript was not found or is empty.",
        ),
    ],
)
def test_no_session_is_lost_only_where_nothing_stands(missed: Missed, line: str) -> None:
    assert verdict(missed, stores=1, rows=5) == line
