"""From what is on the disk to what would be done about it: each stage a function of the one before."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace

from ..changes.plan import Plan
from ..errors import UsageError
from ..model import Progress
from ..scan_cache import USE_INDEX
from ..snapshots.source import SnapshotSource
from ..stores.locate import StrPath
from . import sessions_index as old_index
from .building.adopt import adoptions
from .building.row import actions
from .details import Details
from .diagnose import diagnose
from .inventory import Inventory, take_inventory
from .matching import match
from .matching.by_user import Matches
from .orphans import find_orphans

__all__ = ["reconcile"]


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
    """Finds what is wrong with the stores and what can be done about it. Writes nothing into
    them.

    `stores`: userData folders, registries or account/organisation folders, and `projects`: the transcripts'
    roots; by default where this platform keeps them. `matches`: the user's word on held rows, ROW=TRANSCRIPT
    or a mapping. `adopt`: also make rows for orphans, all of them under `account` if that names an account,
    an organisation, `account/organisation` or a store's folder; `rebuild_index`: also bring stale indexes up
    to date. `index`: read only what is new of the transcripts, and keep what they say in sessscan's own
    state.
    `snapshot`: also keep the healthy rows in sessscan's own state folder; those that are kept already are
    drawn on in any case, and what cannot be read or kept of them is in the plan's `remarks`.
    `progress` is called with the bytes of transcripts that are scanned and that are to be. `now`: epoch ms,
    if another time than the clock's is meant.

    Raises `FileNotFoundError`, `NotADirectoryError` or `PermissionError` for a folder that was named,
    `MatchError` for a match that cannot be, and `UsageError` for an account that is none, or for one without
    `adopt`.
    """
    if account is not None and not adopt:
        raise UsageError("an account says where rows are made, so it needs --adopt")
    with closing(SnapshotSource(read=True, write=snapshot)) as snapshots:
        moment = int(time.time() * 1000) if now is None else now
        inventory = take_inventory(stores, projects, progress, moment, index, snapshots)
        if snapshot:
            snapshots.capture(inventory.contents)
        plan = _plan(inventory, matches, adopt, account, rebuild_index)
    return replace(plan, remarks=(*snapshots.remarks, *plan.remarks))


def _plan(
    inventory: Inventory, matches: Matches | None, adopt: bool, account: str | None, rebuild_index: bool
) -> Plan:
    state = match(inventory, Details(inventory), matches)
    planned = actions(state)
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
    )
