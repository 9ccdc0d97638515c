"""Load a saved plan of a move, and make it again: what it would write is taken from the sessions.

A plan file is somebody's word. So each action is derived again; one that comes out the same is carried out as
it came out, and any other is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..changes import plan_file
from ..changes.outcome import RELOCATE
from ..changes.plan import Plan
from ..errors import PlanFileError, UsageError
from ..model import MOVE, Action, Progress
from ..reconciliation.saved_plan import confirmed
from ..stores.locate import StrPath
from . import move


def load_move(path: StrPath, *, progress: Progress | None = None) -> Plan:
    """Load a plan of a move that `Plan.save` wrote, with each action derived again from the sessions.

    An action that comes out otherwise has the status `refused`, and its `error` says why. The holds are as
    the file has them: nothing is written for them.

    Args:
        path: the file.
        progress: called with the bytes read so far, and of all transcripts.

    Raises:
        OSError: the file cannot be read.
        PlanFileError: it is no plan of a move, or asks for more than a plan may.
    """
    saved = plan_file.load(Plan, path)
    if saved.schema != RELOCATE or saved.moved is None:
        raise PlanFileError(f"{path} is no plan of `sessscan move`: give it to the command that made it")
    stores = [store.path for store, _ in saved.stores if Path(store.path).is_dir()]
    roots = [root for root in dict.fromkeys(_roots(saved.actions)) if Path(root).is_dir()]
    try:
        made = move(
            saved.moved.old, saved.moved.new, stores, roots, prefix=saved.moved.prefix, progress=progress
        )
    except (UsageError, OSError):
        return confirmed(saved, {})
    return replace(confirmed(saved, {action.path: action for action in made.actions}), moved=made.moved)


def _roots(actions: tuple[Action, ...]) -> Iterator[str]:
    """Yield the roots of the transcripts that actions are about."""
    for action in actions:
        named = action.path if action.kind == MOVE else action.transcript
        if named is not None:
            yield str(Path(named).parent.parent)
