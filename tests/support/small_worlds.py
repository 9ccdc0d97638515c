"""Stores of one or two sessions, put together by hand: the `world` fixture and what is done to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sessscan.model import Action
from sessscan.reconciliation import reconcile
from support.store_factory import DAY, NOW, World, compact
from support.transcript_factory import Talk, new_id, talk

BEGAN = NOW - 5 * DAY


def a_talk(world: World, began: int = BEGAN, **more: Any) -> Talk:
    made = talk(world.dice, more.pop("cwd", "/home/ada/code"), began, **{"minutes": 5, **more})
    world.put(made)
    return made


def lose(
    world: World, made: Talk | None, time: int, content: bytes = b"", session_id: str | None = None
) -> Path:
    return world.lose(
        made, "either", time=time, content=content, session_id=session_id, store=world.stores[0]
    ).path


def lose_prefix(world: World, made: Talk, time: int, cut: int, **more: Any) -> Path:
    session_id = f"local_{new_id(world.dice)}"
    content = compact(world.row(made, session_id, **more))[:cut]
    return lose(world, made, time, content, session_id)


def actions(world: World, **more: Any) -> dict[str, Action]:
    plan = reconcile(world.user_data, world.projects, now=NOW, **more)
    return {action.path: action for action in plan.actions}


def the(world: World, path: Path, **more: Any) -> Action:
    return actions(world, **more)[str(path)]


def kinds(action: Action) -> list[str]:
    return [evidence.kind for evidence in action.evidence]
