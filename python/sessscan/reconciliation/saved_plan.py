"""Load a saved plan, and make it again: what it would write is taken from its sources, never from the file.

A plan file is somebody's word, and its checksum is no key. So each action is derived again from the rows,
transcripts and snapshots that are there now. One that comes out the same is carried out as it came out; any
other is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..changes import plan_file
from ..changes.outcome import RECONCILE, RELOCATE
from ..changes.plan import Plan
from ..changes.preconditions import changes
from ..errors import MatchError, PlanFileError, UsageError
from ..model import Action, Progress
from ..stores.locate import StrPath
from . import reconcile


def load_plan(path: StrPath, *, progress: Progress | None = None, now: int | None = None) -> Plan:
    """Load a plan that `Plan.save` wrote, with each action as it is derived again from its sources.

    An action that cannot be derived again, or comes out otherwise, has the status `refused`, and its `error`
    says what differs. The findings and holds are as the file has them: nothing is written for them.

    Args:
        path: the file.
        progress: called with the bytes of transcripts scanned so far, and of all of them.
        now: epoch ms; None: the clock's time.

    Raises:
        OSError: the file cannot be read.
        PlanFileError: it is no plan, or asks for more than a plan may.
    """
    saved = plan_file.load(Plan, path)
    if saved.schema != RECONCILE:
        taker = "move" if saved.schema == RELOCATE else "repair"
        raise PlanFileError(f"{path} is no plan of `sessscan reconcile`: `sessscan {taker} --plan` takes it")
    return confirmed(saved, _derived(saved, progress, now))


def confirmed(saved: Plan, derived: Mapping[str, Action]) -> Plan:
    """Return a saved plan, with each action as it was derived again, or refused where it comes out otherwise.

    `derived`: by path, what is planned now for the files that the saved plan is about.
    """
    differing = [
        action
        for action in saved.actions
        if action.kind != "hold" and not _agrees(action, derived.get(action.path))
    ]
    changed = changes(differing)
    refused = {action.path: _refused(action, derived.get(action.path), changed) for action in differing}
    actions = (refused.get(one.path) or _confirmed(one, derived) for one in saved.actions)
    return replace(saved, actions=tuple(actions))


def _derived(saved: Plan, progress: Progress | None, now: int | None) -> dict[str, Action]:
    """Return, by path, the actions that are planned now for what a saved plan is about."""
    places = (store.path if Path(store.path).is_dir() else store.user_data for store, _ in saved.stores)
    stores = [place for place in dict.fromkeys(places) if place is not None and Path(place).is_dir()]
    projects = [root for root in dict.fromkeys(_roots(saved.actions)) if Path(root).is_dir()]
    chosen = {a.path: a.cli_session_id for a in saved.actions if any(e.kind == "match" for e in a.evidence)}
    matches = {row: name for row, name in chosen.items() if name is not None and Path(row).exists()}
    adopted = [action.path for action in saved.actions if action.kind == "adopt"]
    indexes = any(action.kind == "rebuild-index" for action in saved.actions)

    def planned(account: str | None) -> Sequence[Action]:
        try:
            return reconcile(
                stores,
                projects,
                matches=matches,
                adopt=bool(adopted),
                account=account,
                rebuild_index=indexes,
                progress=progress,
                now=now,
            ).actions
        except (MatchError, UsageError):
            return ()  # what the plan rests on is gone, so its actions cannot be derived

    derived = {action.path: action for action in planned(None)}
    # Which account an orphan is from may be the user's word, so an adoption may go where the plan says.
    for account in dict.fromkeys(str(Path(path).parent) for path in adopted if path not in derived):
        derived |= {action.path: action for action in planned(account) if action.kind == "adopt"}
    return derived


def _roots(actions: Iterable[Action]) -> Iterator[str]:
    """Yield the roots of the transcripts that actions rest on."""
    for action in actions:
        if action.absence is not None:
            yield from action.absence.projects
        if action.transcript is not None:
            yield str(Path(action.transcript).parent.parent)
        if action.kind == "rebuild-index":
            yield str(Path(action.path).parent.parent)


def _confirmed(saved: Action, derived: Mapping[str, Action]) -> Action:
    """Return the derived action, or a hold as it was saved: nothing is written for it.

    The files that the saved one rests on must still be what they were, even if the same comes of them now.
    """
    if saved.kind == "hold":
        return saved
    found = derived[saved.path]
    further = tuple(fingerprint for fingerprint in saved.rests_on if fingerprint not in found.rests_on)
    return replace(found, rests_on=found.rests_on + further, absence=saved.absence or found.absence)


def _agrees(saved: Action, derived: Action | None) -> bool:
    """Tell whether what a saved action would write is what its sources say."""
    return derived is not None and _written(saved) == _written(derived)


def _refused(saved: Action, derived: Action | None, changed: Sequence[str]) -> Action:
    """Return a saved action, refused, with the reason. `changed`: the files that have changed, in words."""
    paths = {saved.path, *(fingerprint.path for fingerprint in saved.rests_on)}
    reasons = [line for line in changed if any(path in line for path in paths)]
    if reasons:
        reason = "; ".join(reasons)
    elif derived is None or derived.kind == "hold":
        why = (derived.error if derived is not None else None) or "nothing is to be done about it"
        reason = f"its sources do not say so: {why}"
    else:
        reason = f"its sources say otherwise: {', '.join(_differences(saved, derived))}"
    return replace(saved, status="refused", error=f"left alone: {reason}")


def _written(action: Action) -> tuple[object, ...]:
    """Return all of an action that decides what is written, and what is said of it."""
    return (
        action.kind,
        action.session_id,
        action.cli_session_id,
        action.transcript,
        action.source,
        action.content,
        action.edits,
        action.utf16,
        action.target,
    )


def _differences(saved: Action, derived: Action) -> Iterator[str]:
    """Yield the names of what a saved action says otherwise than its sources."""
    keys = {**saved.row, **derived.row}
    yield from (key for key in keys if saved.row.get(key) != derived.row.get(key))
    for name in ("kind", "cli_session_id", "transcript", "source", "edits", "utf16", "target"):
        if getattr(saved, name) != getattr(derived, name):
            yield name
    if saved.row == derived.row and saved.content != derived.content:
        yield "content"
