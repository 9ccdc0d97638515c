"""A mark beside a transcript that says that its session was deleted counts as a tombstone everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sessscan.reconciliation import reconcile
from sessscan.sessions.listing import find_sessions
from support.small_worlds import BEGAN, a_talk, lose, lose_prefix
from support.store_factory import DAY, NOW, World, key
from support.transcript_factory import Talk, talk


def release(world: World, made: Talk, **more: Any) -> Path:
    """Mark a session as deleted, beside its transcript."""
    mark = {"v": 1, "releasedAt": NOW - DAY, "reason": "delete"} | more
    path = world.projects / key(made.cwd) / f"{made.session_id}.desktop-released.json"
    return world.write(path, json.dumps(mark).encode(), NOW - DAY)


def plan(world: World, **more: Any) -> Any:
    return reconcile(world.stores[0], world.projects, now=NOW, **more)


def test_a_released_session_is_no_orphan_and_is_not_adopted(world: World) -> None:
    made = a_talk(world)
    release(world, made)
    found = plan(world, adopt=True)
    assert (found.findings, found.actions) == ((), ())
    (session,) = find_sessions(world.user_data, world.projects).sessions
    assert (session.desktop, session.health) == ("deleted", "ok")


@pytest.mark.parametrize("more", [{"reason": "archive"}, {"reason": None}, {"reason": ["delete"]}])
def test_a_mark_that_does_not_say_delete_is_none(world: World, more: dict[str, Any]) -> None:
    release(world, a_talk(world), **more)
    assert [one.rule for one in plan(world).findings] == ["orphan"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 9_000])
def test_a_damaged_mark_is_none(world: World, content: bytes) -> None:
    release(world, a_talk(world)).write_bytes(content)
    assert [one.rule for one in plan(world).findings] == ["orphan"]


def test_a_lost_row_of_a_released_session_is_left_alone(world: World) -> None:
    made = a_talk(world)
    lose_prefix(world, made, made.ended + 2_000, 200)
    assert [one.kind for one in plan(world).actions] == ["restore"]
    release(world, made)
    found = plan(world)
    assert (found.actions, [one.severity for one in found.findings]) == ((), ["note"])


def test_a_row_that_may_have_been_the_released_sessions_is_not_matched_by_time(world: World) -> None:
    other, deleted = a_talk(world), talk(world.dice, "/home/ada/x", BEGAN, minutes=5)
    lose(world, other, other.ended + 2_000, bytes(900))
    assert [one.kind for one in plan(world).actions] == ["restore"]
    world.put(deleted)
    release(world, deleted)
    (action,) = plan(world).actions
    assert action.kind == "hold" and "a session that was deleted" in (action.error or "")
    assert deleted.session_id not in {one.cli_session_id for one in action.candidates}


def test_a_mark_whose_transcript_is_gone_is_a_deletion(world: World) -> None:
    other = a_talk(world)
    lose(world, other, other.ended + 2_000, bytes(900))
    release(world, talk(world.dice, "/home/ada/x", BEGAN))
    (action,) = plan(world).actions
    assert action.kind == "hold" and "was deleted" in (action.error or "")


def test_a_mark_that_came_since_refuses_the_row(world: World) -> None:
    made = a_talk(world)
    lose_prefix(world, made, made.ended + 2_000, 200)
    planned = plan(world)
    release(world, made)
    assert [one.status for one in planned.apply(force=True).actions] == ["refused"]


def test_a_row_that_names_a_released_transcript_that_is_gone_says_so(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    world.healthy_row(made, title=made.title, store=world.stores[0])
    release(world, made)
    (found,) = plan(world).findings
    assert found.rule == "dangling" and "A mark says that you deleted it" in found.message
