"""A file that kept its birth is as old as its session: matching by time alone then has two times to go by.

The births are real, so the sessions of these stores begin now, and go on in the future.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sessscan import _core
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from support.scenario_parts import end as end_at
from support.small_worlds import kinds
from support.store_factory import DAY, HOUR, World, compact
from support.transcript_factory import Talk, new_id, talk

pytestmark = pytest.mark.not_wine("wine takes a file's last write for its birth")

SECOND, MINUTE = 1_000, 60_000
TEN_MINUTES = 600_000
"""A row's file may be made so long before or after its session's first line."""


@pytest.fixture(autouse=True)
def _births_are_kept(tmp_path: Path) -> None:
    if _core.born_at(tmp_path) is None:
        pytest.skip("this file system keeps no time of birth")


def now() -> int:
    return time.time_ns() // 1_000_000


def lost_row(world: World, written: int) -> tuple[Path, int]:
    """Put a zero-filled row that was last written so many milliseconds after its file was made; return it and
    its birth, epoch ms."""
    path = world.stores[0] / f"local_{new_id(world.dice)}.json"
    world.write(path, bytes(2_000), now())
    born_ns = _core.born_at(path)
    assert born_ns is not None
    born = born_ns // 1_000_000
    os.utime(path, ns=((born + written) * 1_000_000,) * 2)
    return path, born


def session(world: World, began: int, ended: int, cwd: str = "/home/ada/code") -> Talk:
    """Put a transcript with these first and last lines."""
    made = talk(world.dice, cwd, began, turns=2, minutes=5)
    end_at(made, ended)
    os.utime(world.put(made), ns=(ended * 1_000_000,) * 2)
    return made


def action_on(world: World, path: Path) -> Action:
    plan = reconcile(world.user_data, world.projects, now=now() + 12 * HOUR)
    return {action.path: action for action in plan.actions}[str(path)]


def test_a_session_that_began_when_the_file_was_made_and_ended_when_it_was_written_is_the_rows(
    world: World,
) -> None:
    path, born = lost_row(world, HOUR)
    made = session(world, born + 2 * SECOND, born + HOUR - SECOND)
    action = action_on(world, path)
    assert (action.kind, action.cli_session_id) == ("restore", made.session_id)
    assert kinds(action) == ["time"]
    assert "2 seconds before the row's file was made" not in action.evidence[0].detail
    assert "after the row's file was made" in action.evidence[0].detail


def test_a_session_that_began_at_another_time_is_not_the_rows_however_well_it_ended(world: World) -> None:
    path, born = lost_row(world, HOUR)
    made = session(world, born - DAY, born + HOUR - SECOND)
    action = action_on(world, path)
    assert action.kind == "hold"
    assert "its file was made" in (action.error or "")
    assert [one.cli_session_id for one in action.candidates] == [made.session_id]
    assert "did not begin when the row's file was made" in action.candidates[0].reason


@pytest.mark.parametrize(
    ("apart", "kind"),
    [
        (TEN_MINUTES, "restore"),
        (TEN_MINUTES + 1, "hold"),
        (-TEN_MINUTES, "restore"),
        (-TEN_MINUTES - 1, "hold"),
    ],
)
def test_the_file_may_be_made_ten_minutes_before_or_after_the_first_line(
    world: World, apart: int, kind: str
) -> None:
    path, born = lost_row(world, HOUR)
    session(world, born + apart, born + HOUR - SECOND)
    assert action_on(world, path).kind == kind


@pytest.mark.parametrize(("written", "kind"), [(MINUTE - 1, "restore"), (MINUTE, "hold")])
def test_a_file_that_was_made_within_a_minute_of_its_last_write_tells_no_birth(
    world: World, written: int, kind: str
) -> None:
    """The save itself may have made it, under another name."""
    path, born = lost_row(world, written)
    session(world, born - DAY, born + written - SECOND)
    assert action_on(world, path).kind == kind


@pytest.mark.parametrize(("healthy", "kind"), [(20, "restore"), (19, "hold")])
def test_twenty_healthy_rows_show_that_sessions_of_another_birth_are_no_rivals(
    world: World, healthy: int, kind: str
) -> None:
    path, born = lost_row(world, 3 * HOUR)
    made = session(world, born + SECOND, born + 3 * HOUR - SECOND)
    session(world, born - DAY, born + 3 * HOUR - SECOND, cwd="/home/ada/other")
    for number in range(healthy):
        one = session(world, born + number, born + HOUR + number * MINUTE, cwd=f"/home/ada/{number}")
        session_id = f"local_{new_id(world.dice)}"
        content = compact(world.row(one, session_id))
        world.write(world.stores[0] / f"{session_id}.json", content, one.ended + SECOND)
    action = action_on(world, path)
    assert action.kind == kind
    if kind == "restore":
        assert action.cli_session_id == made.session_id
        assert "no other such transcript that began then" in action.evidence[0].detail


def test_of_a_store_whose_files_are_younger_than_its_sessions_each_session_stays_a_rival(
    world: World,
) -> None:
    """It was copied to this disk: the births are the copies'."""
    path, born = lost_row(world, 3 * HOUR)
    session(world, born + SECOND, born + 3 * HOUR - SECOND)
    session(world, born - DAY, born + 3 * HOUR - SECOND, cwd="/home/ada/other")
    for number in range(30):
        one = session(world, born - DAY, born + HOUR + number * MINUTE, cwd=f"/home/ada/{number}")
        session_id = f"local_{new_id(world.dice)}"
        content = compact(world.row(one, session_id))
        world.write(world.stores[0] / f"{session_id}.json", content, one.ended + SECOND)
    assert action_on(world, path).kind == "hold"


def test_the_birth_of_a_file_is_told_in_nanoseconds(tmp_path: Path) -> None:
    before = now()
    path = tmp_path / "file"
    path.write_bytes(b"x")
    os.utime(path, ns=(0, 0))
    born_ns = _core.born_at(path)
    assert born_ns is not None
    assert before - 2 * SECOND <= born_ns // 1_000_000 <= now() + 2 * SECOND
    with pytest.raises(FileNotFoundError):
        _core.born_at(tmp_path / "none")
