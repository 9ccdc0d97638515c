"""Load a saved plan of a repair, and make it again: what it would write is taken from the transcripts.

A plan file is somebody's word. So each action is derived again; one that comes out the same is carried out as
it came out, and any other is refused.
"""

from __future__ import annotations

from ..changes import plan_file
from ..changes.outcome import RELOCATE, REPAIR
from ..changes.plan import Plan
from ..errors import MatchError, PlanFileError, UsageError
from ..model import Action, Progress
from ..reconciliation.saved_plan import confirmed
from ..reconciliation.saved_plan import load_plan as load_reconciliation
from ..relocation.saved import load_move
from ..stores.locate import StrPath
from . import repair


def load_plan(path: StrPath, *, progress: Progress | None = None, now: int | None = None) -> Plan:
    """Load a plan that `Plan.save` wrote, of a reconciliation, a repair or a move, with each action as it
    is derived again from its sources.

    An action that cannot be derived again, or comes out otherwise, has the status `refused`, and its `error`
    says what differs. The findings and holds are as the file has them: nothing is written for them.

    Args:
        path: the file.
        progress: called with the bytes of transcripts read so far, and of all of them.
        now: epoch ms; None: the clock's time.

    Raises:
        OSError: the file cannot be read.
        PlanFileError: it is no plan, or asks for more than a plan may.
    """
    about = plan_file.load(Plan, path).schema
    if about == REPAIR:
        return load_repair(path, progress=progress)
    if about == RELOCATE:
        return load_move(path, progress=progress)
    return load_reconciliation(path, progress=progress, now=now)


def load_repair(path: StrPath, *, progress: Progress | None = None) -> Plan:
    """Load a plan of a repair that `Plan.save` wrote, with each action derived again from its transcript.

    An action that comes out otherwise has the status `refused`, and its `error` says why. The findings and
    holds are as the file has them: nothing is written for them.

    Args:
        path: the file.
        progress: called with the bytes read so far, and of all transcripts.

    Raises:
        OSError: the file cannot be read.
        PlanFileError: it is no plan of a repair, or asks for more than a plan may.
    """
    saved = plan_file.load(Plan, path)
    if saved.schema != REPAIR:
        other = "move" if saved.schema == RELOCATE else "reconcile"
        raise PlanFileError(f"{path} is a plan of `sessscan {other}`: give it to that")
    due = [action for action in saved.actions if action.kind == "repair"]
    derived = _derived(due, progress, unbrick=False)
    others = [action for action in due if not _agrees(action, derived.get(action.path))]
    if others:
        derived |= _derived(others, progress, unbrick=True)
    return confirmed(saved, derived)


def _derived(saved: list[Action], progress: Progress | None, *, unbrick: bool) -> dict[str, Action]:
    """Return, by path, what is planned now for the transcripts of saved actions."""
    if not saved:
        return {}
    said = [evidence.detail for action in saved for evidence in action.evidence if evidence.kind == "match"]
    try:
        made = repair([action.path for action in saved], (), parents=said, unbrick=unbrick, progress=progress)
    except (MatchError, UsageError, OSError):
        return {}
    return {action.path: action for action in made.actions}


def _agrees(saved: Action, derived: Action | None) -> bool:
    return derived is not None and (saved.edits, saved.utf16) == (derived.edits, derived.utf16)
