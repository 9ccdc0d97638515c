"""What the scenarios are put together from."""

from __future__ import annotations

from typing import Any

from support.store_factory import HOUR, Lost, World
from support.transcript_factory import Talk, stamp, talk

SECOND = 1_000
FIT = 300 * SECOND


def begin(world: World, **more: Any) -> Talk:
    return talk(
        world.dice, more.pop("cwd", None) or world.cwd(), more.pop("began", None) or world.moment(), **more
    )


def soon(world: World, made: Talk) -> int:
    """When the app saves a row after its session's last line."""
    return made.ended + world.dice.randrange(100, 20_000)


def later(world: World, made: Talk) -> int:
    """A save that has nothing to do with the last turn: time proves nothing, and misleads nobody."""
    return made.began + 2 * HOUR + world.dice.randrange(HOUR)


def gone_near(world: World, made: Talk) -> Lost:
    """A lost row whose transcript is gone, written when `made`, another's, ended."""
    return world.lose(None, "hold", time=soon(world, made))


def end(made: Talk, time: int) -> None:
    """Makes a session end at another time."""
    record = next(record for record in reversed(made.records) if "parentUuid" in record)
    record["timestamp"], made.ended = stamp(time), time
    made.began = min(made.began, time)


def lost_time(lost: Lost) -> int:
    """When a lost row was last written, epoch ms."""
    return lost.path.stat().st_mtime_ns // 1_000_000
