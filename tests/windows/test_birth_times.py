"""A file's birth, set as Windows' programs set it: a row is as old as its session there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import sessscan
from sessscan import _core
from support.scenario_parts import end as end_at
from support.store_factory import DAY, HOUR, NOW, World
from support.transcript_factory import new_id, talk

if sys.platform == "win32":
    from support import win32

pytestmark = pytest.mark.windows("SetFileTime")

SECOND = 1_000


def born(path: Path, at: int) -> None:
    """Set a file's birth, epoch ms; skip the test where that is not kept."""
    written = path.stat().st_mtime_ns
    win32.set_birth(path, at)
    os.utime(path, ns=(written, written))
    if _core.born_at(path) != at * 1_000_000:
        pytest.skip("wine does not keep the birth that SetFileTime gives a file")


@pytest.mark.parametrize(("apart", "kind"), [(0, "restore"), (DAY, "hold")])
def test_a_row_is_matched_by_its_birth_and_its_last_write(world: World, apart: int, kind: str) -> None:
    made = talk(world.dice, r"C:\code\shop", NOW - 5 * DAY, turns=2, minutes=5)
    end_at(made, made.began + HOUR)
    os.utime(world.put(made), ns=(made.ended * 1_000_000,) * 2)
    path = world.stores[0] / f"local_{new_id(world.dice)}.json"
    world.write(path, bytes(2_000), made.ended + SECOND)
    born(path, made.began - 1_800 - apart)
    plan = sessscan.reconcile([world.user_data], [world.projects], now=NOW)
    assert [action.kind for action in plan.actions if action.path == str(path)] == [kind]
