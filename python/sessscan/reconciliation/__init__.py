"""From what is on the disk to what would be done about it: each stage a function of the one before."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from ..changes.plan import Plan
from ..errors import UsageError
from ..model import Progress
from ..scan_cache import USE_INDEX
from ..snapshots.source import SnapshotSource
from ..stores.installs import remark_on_installs
from ..stores.locate import StrPath
from ..stores.retention import retention
from . import sessions_index as old_index
from .building.adopt import adoptions
from .building.relink import relinks
from .building.row import actions
from .details import Details
from .diagnose import diagnose
from .inventory import Inventory, take_inventory
from .matching import match
from .matching.by_user import Matches
from .orphans import find_orphans

__all__ = ["plan_of", "reconcile"]


def reconcile(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    matches: Matches | None = None,
    adopt: bool = False,
    account: str | None = None,
    rebuild_index: bool = False,
    index: bool = USE_INDEX,
    snapshot: bool = False,
    progress: Progress | None = None,
    now: int | None = None,
) -> Plan:
    """Find what is wrong with the stores and what can be done about it. Writes nothing into them.

    Args:
        stores: userData folders, registries or account/organisation folders; None: where this platform keeps
            them.
        projects: the roots of the transcripts; None: where the CLI keeps them.
        matches: the user's word on held rows, as ROW=TRANSCRIPT texts or a mapping.
        adopt: also make rows for orphans.
        account: with `adopt`, the account, organisation, `account/organisation` or store's folder that all of
            these rows are for; None: the account that each is from, where that can be told.
        rebuild_index: also bring old indexes up to date.
        index: read only what is new of the transcripts, and keep what they say in sessscan's own state.
        snapshot: also keep the healthy rows in sessscan's own state. Those that are kept already are drawn on
            in any case, and what cannot be read or kept of them is in the plan's `remarks`.
        progress: called with the bytes of transcripts scanned so far, and of all of them.
        now: epoch ms; None: the clock's time.

    Raises:
        OSError: a folder that was named cannot be listed.
        MatchError: one of `matches` cannot be.
        UsageError: there is no such account, or it was given without `adopt`.
        InsecureStateError: others may have written sessscan's own state.
    """
    if account is not None and not adopt:
        raise UsageError("an account says where rows are made, so it needs --adopt")
    with closing(SnapshotSource(read=True, write=snapshot)) as snapshots:
        moment = int(time.time() * 1000) if now is None else now
        inventory = take_inventory(stores, projects, progress, moment, index, snapshots)
        if snapshot:
            snapshots.capture(inventory.contents)
        plan = plan_of(inventory, matches, adopt=adopt, account=account, rebuild_index=rebuild_index)
    installs = remark_on_installs(store.user_data for store, _ in plan.stores if store.user_data is not None)
    own = () if installs is None else (installs,)
    return replace(plan, remarks=(*own, *snapshots.remarks, *plan.remarks))


def plan_of(
    inventory: Inventory,
    matches: Matches | None = None,
    *,
    adopt: bool = False,
    account: str | None = None,
    rebuild_index: bool = False,
) -> Plan:
    """Return the plan for an inventory. The arguments and errors are those of `reconcile`."""
    state = match(inventory, Details(inventory), matches)
    planned = [*actions(state), *relinks(state)]
    orphans = find_orphans(state)
    findings = diagnose(state, orphans)
    remarks: list[str] = []
    if adopt:
        made = adoptions(state, orphans, account)
        planned += made.actions
        remarks += made.remarks
    if rebuild_index:
        rebuilds = old_index.rebuilds(inventory)
        planned += rebuilds
        remarks += [] if rebuilds else ["--rebuild-index: no old index is out of date"]
    return Plan(
        stores=tuple((contents.store, len(contents.rows)) for contents in inventory.contents),
        rows=sum(len(contents.rows) for contents in inventory.contents),
        transcripts=inventory.transcript_count,
        bytes=inventory.size,
        findings=tuple(findings),
        actions=tuple(planned),
        remarks=tuple(remarks),
        retention=tuple(_retention(inventory)) if any(one.rule == "dangling" for one in findings) else (),
    )


def _retention(inventory: Inventory) -> Iterator[str]:
    """Yield how long transcripts are kept, a sentence for each root of which that is known."""
    for root in inventory.projects:
        kept = retention(root, inventory.transcripts)
        if kept.is_known:
            yield f"Transcripts in {root} are kept for {kept.source}."
