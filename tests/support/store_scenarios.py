"""All that may have happened to a session, and what may have happened to a whole store."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from support import scenarios_of_time, scenarios_of_words
from support.scenario_parts import FIT, lost_time
from support.store_factory import DAY, NOW, World
from support.transcript_factory import new_id

SCENARIOS: list[Callable[[World], None]] = [
    value
    for module in (scenarios_of_time, scenarios_of_words)
    for name, value in vars(module).items()
    if getattr(value, "__module__", None) == module.__name__ and name != "in_worktree"
]


def close(world: World) -> None:
    """What concerns the whole store: leases, restored backups, and what chance must not plant."""
    if world.leases:
        table = {new_id(world.dice): lease for lease in world.leases}
        content = json.dumps({"schemaVersion": 2, "worktrees": table}).encode()
        world.write(world.user_data / "git-worktrees.json", content, NOW)
    if not world.sparse:
        _undo_coincidences(world)
    fate = world.dice.random()
    if fate < 0.08:
        _lose_times(world, NOW - DAY)
    elif fate < 0.12:
        _lose_times(world, 0)


def _undo_coincidences(world: World) -> None:
    """Time decides nothing in a dense world; and a lost row without a transcript that was by chance written
    when another's orphan ended cannot be told from that orphan's own by anybody: it is taken out again."""
    ends = [(made.ended, made.session_id) for made in world.talks if made.records]
    for lost in list(world.lost):
        if lost.by_time or (lost.expect == "back" and lost.scenario.startswith("leased")):
            lost.expect = "either"  # a lease is not believed where time gives its transcript to another row
        if lost.state or lost.expect == "back" or not lost.mute:
            continue
        own = lost.talk.session_id if lost.talk is not None else None
        written = lost_time(lost)
        beside = lost.talk is not None and -FIT <= written - lost.talk.ended <= 3 * FIT
        if not beside and any(-FIT < written - end < 2 * FIT and name != own for end, name in ends):
            lost.path.unlink()
            world.lost.remove(lost)
            for leftover in lost.path.parent.glob(lost.path.name + ".*"):
                leftover.unlink()


def _lose_times(world: World, time: int) -> None:
    """A backup was restored, or the times were lost: all files bear the same."""
    world.timed = False
    for folder in (world.user_data, world.projects):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                os.utime(path, ns=(time * 1_000_000, time * 1_000_000))
    for lost in world.lost:
        if lost.by_time:
            lost.expect = "hold"
        elif ".tmp" in "".join(p.name for p in lost.path.parent.glob(lost.path.name + ".tmp")):
            lost.derived, lost.exact, lost.grants = False, None, True
            lost.expect = "either"
