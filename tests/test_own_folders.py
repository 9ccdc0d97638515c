"""Cowork keeps a session's transcripts in the folder of the session's own name, beside its row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sessscan.changes.plan import Plan
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from support.small_worlds import BEGAN, a_talk
from support.store_factory import DAY, HOUR, NOW, World, compact
from support.transcript_factory import Talk, new_id, stub, talk

CWD = "/sessions/amber-otter"


@pytest.fixture
def cowork(world: World) -> Path:
    """Make an empty Cowork account."""
    store = world.user_data / "local-agent-mode-sessions" / new_id(world.dice) / new_id(world.dice)
    store.mkdir(parents=True)
    return store


def own(world: World, store: Path, session_id: str, made: Talk) -> Path:
    """Put a transcript into the session's own folder, beside a sealed log that must not be opened."""
    folder = store / session_id
    sealed = folder / "audit.jsonl"
    if not sealed.exists():
        world.write(sealed, b"sealed", NOW).chmod(0)
    path = folder / ".claude" / "projects" / "-sessions-amber-otter" / f"{made.session_id}.jsonl"
    return world.write(path, made.bytes(), made.ended)


def a_session(world: World, began: int = BEGAN) -> tuple[str, Talk]:
    return f"local_{new_id(world.dice)}", talk(world.dice, CWD, began, minutes=5)


def row(world: World, session_id: str, made: Talk) -> bytes:
    return compact(world.row(made, session_id, processName="amber-otter", vmProcessName="amber-otter"))


def plan(world: World, **more: Any) -> Plan:
    return reconcile(world.user_data, world.projects, now=NOW, **more)


def action(world: World) -> Action:
    (found,) = plan(world).actions
    return found


def test_a_row_whose_transcript_lies_in_its_own_folder_is_whole(world: World, cowork: Path) -> None:
    session_id, made = a_session(world)
    own(world, cowork, session_id, made)
    world.write(cowork / f"{session_id}.json", row(world, session_id, made), made.ended)
    found = plan(world)
    assert (found.findings, found.actions, found.transcripts) == ((), (), 1)


def test_the_own_folder_decides_alone(world: World, cowork: Path) -> None:
    session_id, made = a_session(world)
    path = own(world, cowork, session_id, made)
    a_talk(world, BEGAN)  # an orphan of the same time is no rival
    content = json.loads(row(world, session_id, made))
    del content["cliSessionId"]
    del content["lastActivityAt"]
    world.write(cowork / f"{session_id}.json", compact(content), NOW - DAY)
    found = action(world)
    assert (found.kind, found.transcript, found.cli_session_id) == ("restore", str(path), made.session_id)
    assert "own-folder" in {one.kind for one in found.evidence}
    assert plan(world).apply(force=True).exit_status == 0
    assert {one.rule for one in plan(world).findings} == {"orphan"}


def test_a_row_that_cannot_be_built_offers_no_match(world: World, cowork: Path) -> None:
    session_id, made = a_session(world)
    own(world, cowork, session_id, made)
    world.write(cowork / f"{session_id}.json", bytes(900), made.ended + 2_000)
    found = action(world)
    assert (found.kind, found.candidates) == ("hold", ())
    assert found.error is not None and "processName" in found.error
    world.write(cowork / f"local_{new_id(world.dice)}.json", bytes(900), NOW - 9 * DAY)
    a_talk(world, NOW - 10 * DAY)
    assert [one.candidates for one in plan(world).actions] == [(), ()]


def test_of_several_transcripts_the_last_one_counts(world: World, cowork: Path) -> None:
    session_id, first = a_session(world)
    last = talk(world.dice, CWD, first.ended + HOUR, minutes=5)
    own(world, cowork, session_id, first)
    path = own(world, cowork, session_id, last)
    content = row(world, session_id, last)
    world.write(
        cowork / f"{session_id}.json", content[: content.index(b'"cliSessionId"')], last.ended + 2_000
    )
    assert action(world).kind == "hold", "processName is not in what is left"
    content = content.replace(b'{"sessionId"', b'{"processName":"amber-otter","sessionId"')
    world.write(
        cowork / f"{session_id}.json", content[: content.index(b'"cliSessionId"')], last.ended + 2_000
    )
    assert action(world).transcript == str(path)


def test_a_transcript_that_cannot_be_told_in_time_holds_the_row(world: World, cowork: Path) -> None:
    session_id, made = a_session(world)
    own(world, cowork, session_id, made)
    later = own(world, cowork, session_id, talk(world.dice, CWD, BEGAN + HOUR))
    world.write(later, bytes(900), NOW - HOUR)
    content = json.loads(row(world, session_id, made))
    del content["cliSessionId"]
    del content["createdAt"]
    world.write(cowork / f"{session_id}.json", compact(content), NOW)
    found = action(world)
    assert (found.kind, [one.cli_session_id for one in found.candidates]) == ("hold", [made.session_id])


def test_a_hollow_transcript_in_the_own_folder_is_no_evidence(world: World, cowork: Path) -> None:
    session_id, made = a_session(world)
    own(world, cowork, session_id, stub(world.dice, BEGAN))
    content = json.loads(row(world, session_id, made))
    del content["cliSessionId"]
    del content["createdAt"]
    world.write(cowork / f"{session_id}.json", compact(content), NOW)
    assert (action(world).kind, action(world).cli_session_id) == ("restore", None)


def test_a_code_row_whose_transcript_lies_in_a_cowork_folder_is_moved(world: World, cowork: Path) -> None:
    made = talk(world.dice, "/home/ada/code", BEGAN)
    session_id = world.healthy_row(made, title=made.title)
    path = own(world, cowork, session_id, made)
    (found,) = plan(world).findings
    assert (found.rule, found.transcript) == ("moved", str(path))
    assert "a Cowork session's own folder" in found.message
