"""Find the readable rows that have lost their link to a transcript, and tell what can be done about each."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Finding
from ..rules import finding
from ..stores.transcripts import path_of
from .inventory import Inventory
from .links import places_looked_at
from .matching.lost_row import Held, Matched, Verdict
from .matching.state import State
from .matching.unlinked import Unlinked
from .naming import called, of_row
from .what_is_left import Leftovers


def found_unlinked(state: State) -> dict[str, Unlinked]:
    """Return the rows, by path, that are found to have lost their link.

    One that names a transcript which is not there, or which holds no conversation, counts only where another
    transcript fits it: else that is found, as `dangling` or `hollow`. One that says that its transcript is
    not available counts only where that can be mended: else it is `moved`, or a `duplicate`.
    """
    return {
        path: one
        for path, one in state.unlinked.items()
        if one.loss == "absent"
        or isinstance(verdict := state.verdicts.get(path), Matched)
        or (isinstance(verdict, Held) and verdict.candidates)
    }


def unlinked(state: State, leftovers: Leftovers) -> Iterator[Finding]:
    """Yield a finding about each row that has lost its link."""
    for path, one in found_unlinked(state).items():
        named = of_row(one.row)
        parts = [called(named), _fact(state.inventory, one)]
        if one.loss == "nowhere":
            parts += leftovers.told(str(one.row.fields["cliSessionId"]).lower())
        parts.append(_remedy(state.verdicts.get(path)))
        yield finding("unlinked", path, " ".join(parts), session_id=one.row.session_id, about=named)


def _fact(inventory: Inventory, one: Unlinked) -> str:
    turns, name = one.row.fields["completedTurns"], one.row.fields.get("cliSessionId")
    counted = f"counted {turns:,} turn{'' if turns == 1 else 's'}, but"
    if one.loss == "absent":
        return f"{counted} names no transcript, so the app cannot open it."
    if one.loss == "nowhere":
        return f"{counted} names the transcript {name}, which was not found in {places_looked_at(inventory)}."
    if one.loss == "hollow":
        path = path_of(inventory.files(str(name).lower())[0])
        return f"{counted} names a transcript that holds no conversation: {path}."
    return f"{counted} says that its transcript is not available, although that is there."


def _remedy(verdict: Verdict | None) -> str:
    if isinstance(verdict, Matched) and verdict.transcript is not None:
        return f"It can be linked to {path_of(verdict.transcript)} again, with --apply."
    if isinstance(verdict, Held) and verdict.candidates:
        count = len(verdict.candidates)
        which = "one transcript" if count == 1 else f"one of {count} transcripts"
        return f"It may be about {which} without a row; --match links it to the one that you recognise."
    return "No transcript without a row fits it."
