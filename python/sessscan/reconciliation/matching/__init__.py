"""Decide which transcript each lost row belonged to.

In this order, each step seeing only what the ones before left open. Two rows that want one transcript are
both held, since at least one of them is wrong.

1. the user's word (`--match`);
2. what remains of the row: its `.tmp`, what can be read of it, copies of it, a snapshot;
3. the folder of its session's own name (Cowork);
4. its name, where that is a transcript's uuid (imported sessions);
5. its worktree lease;
6. a snapshot of it from before it had a transcript;
7. for readable rows that have lost their link: what they say of the session, and what named it;
8. time and elimination.

A row that names its transcript itself never goes on to a weaker step. No step decides where something else
explains the row's last write better: see `rivals`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..details import Details
from ..inventory import Inventory
from .by_content import as_kept, by_content
from .by_lease import by_lease
from .by_name import by_name
from .by_own_folder import by_own_folder
from .by_time import by_time
from .by_user import Matches, by_user
from .by_words import by_words
from .lost_row import LostRow
from .remains import find_lost_rows
from .state import State, begin, names_of_remains


def match(
    inventory: Inventory,
    details: Details,
    matches: Matches | None = None,
    lost: Sequence[LostRow] | None = None,
) -> State:
    """Return the verdict on every row that the app cannot read or that has lost its link.

    Raises `MatchError` for bad `matches`.

    `lost`: these rows with what remains of each; by default what is found in the stores.
    """
    state = begin(inventory, details, find_lost_rows(inventory) if lost is None else tuple(lost))
    state = _steps(state.decided(by_user(state, matches)))
    while (reopened := state.reopened()) is not None:
        state = _steps(reopened)
    return state


def _steps(state: State) -> State:
    """Return the state after each step has seen what is open."""
    proposals, notes = by_content(state)
    state = state.decided(proposals).noting(notes).claiming(names_of_remains(state.lost))
    state = state.decided(by_own_folder(state))
    proposals, notes = by_name(state)
    state = state.decided(proposals).noting(notes)
    proposals, leases = by_lease(state)
    state = state.decided(proposals).noting_leases(leases)
    state = state.decided(as_kept(state))
    state = state.decided(by_words(state))
    return state.decided(by_time(state))
