"""Put one row back from its snapshots, through the library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sessscan
from sessscan.errors import RefusedError, UnknownSnapshotError
from sessscan.snapshots.capture import capture_rows
from sessscan.snapshots.store import Snapshots
from support.program import picture
from support.small_worlds import a_talk
from support.store_factory import World, compact


@pytest.fixture
def row(world: World) -> Path:
    """A healthy row of which a snapshot was taken."""
    world.healthy_row(a_talk(world), store=world.stores[0])
    with Snapshots.open() as snapshots:
        capture_rows(snapshots, world.healthy)
    return world.healthy[-1]


def rename(row: Path, title: str) -> bytes:
    content = compact(json.loads(row.read_bytes()) | {"title": title})
    row.write_bytes(content)
    return content


def test_a_plan_writes_nothing(row: Path, tmp_path: Path) -> None:
    rename(row, "Changed")
    before = picture(tmp_path)
    plan = sessscan.restore(row)
    assert [(action.kind, action.source, action.status) for action in plan.actions] == [
        ("restore", "snapshot", "planned")
    ]
    assert picture(tmp_path) == before


def test_the_present_row_is_kept_before_it_is_replaced(row: Path) -> None:
    old = row.read_bytes()
    new = rename(row, "Changed")
    report = sessscan.restore(row.stem).apply(force=True)
    assert [action.status for action in report.actions] == ["applied"]
    assert row.read_bytes() == old
    with Snapshots.open() as snapshots:
        assert [version.data for version in snapshots.versions(row)] == [new, old]


def test_a_row_that_is_as_the_snapshot_has_it_needs_no_action(row: Path, tmp_path: Path) -> None:
    plan = sessscan.restore(row)
    assert (plan.actions, plan.before, plan.exit_status) == ((), row.read_bytes(), 0)
    before = picture(tmp_path)
    assert plan.apply(force=True).actions == ()
    assert picture(tmp_path) == before


@pytest.mark.parametrize("content", [None, bytes(500)])
def test_a_lost_row_comes_back(row: Path, content: bytes | None) -> None:
    old = row.read_bytes()
    row.unlink()
    if content is not None:
        row.write_bytes(content)
    plan = sessscan.restore(row)
    assert [finding.rule for finding in plan.findings] == ["missing" if content is None else "zero-filled"]
    assert (plan.before, plan.exit_status) == (content, 1)
    assert plan.apply(force=True).exit_status == 0
    assert row.read_bytes() == old


def test_a_deleted_session_stays_deleted(row: Path) -> None:
    row.with_name(row.stem.replace("local_", "deleted_")).write_text("1790000000000")
    with pytest.raises(RefusedError, match="deleted sessions stay deleted"):
        sessscan.restore(row)


def test_a_row_of_which_nothing_is_kept(row: Path) -> None:
    with pytest.raises(UnknownSnapshotError, match="no snapshot of a row local_nothing"):
        sessscan.restore("local_nothing")
    with pytest.raises(UnknownSnapshotError, match="from before"):
        sessscan.restore(row, at=0)


def test_without_any_snapshots() -> None:
    with pytest.raises(UnknownSnapshotError, match="there are no snapshots yet"):
        sessscan.restore("local_x")
