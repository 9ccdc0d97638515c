"""Random days of the app with a crash at their end: no lost row gets a wrong transcript, and few that
could be proved are held."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from sessscan.snapshots.capture import capture_rows
from sessscan.snapshots.database import FILE
from sessscan.snapshots.store import Snapshots
from support.random_lives import Life, live
from support.store_factory import DAY, NOW

HELD_AT_MOST = 0.05
"""So large a part of the rows that could be proved may be held."""
BATCH = 20
BATCHES = [*range(2), *(pytest.param(batch, marks=pytest.mark.thorough) for batch in range(2, 50))]
"""Twenty stores each, so that several processes can share them: 1,000 under `-m thorough`."""


def keep_at(rows: list[Path], time: int) -> None:
    """Take a snapshot of rows, as if at a time (epoch ms)."""
    home = Path(os.environ["SESSSCAN_HOME"])
    with Snapshots.open(home) as snapshots:
        capture_rows(snapshots, rows)
    with contextlib.closing(sqlite3.connect(home / FILE)) as database, database:
        database.execute("UPDATE version SET taken_at = ? WHERE taken_at > ?", (time, NOW + DAY))


def plan(life: Life, monkeypatch: pytest.MonkeyPatch) -> dict[str, Action]:
    """Return what would be done about each lost row, for a user who may not list some folders."""
    scandir = os.scandir
    hidden = {str(folder) for folder in life.unlistable}

    def refusing(path: Any = ".") -> Any:
        if os.fspath(path) in hidden:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        made = reconcile(life.user_data, life.projects, now=NOW)
    return {action.path: action for action in made.actions}


@pytest.mark.parametrize("batch", BATCHES)
def test_no_wrong_match_and_few_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, batch: int
) -> None:
    wrong, held, provable = [], [], 0
    for number in range(seed + batch * BATCH, seed + (batch + 1) * BATCH):
        folder = tmp_path / str(number)
        monkeypatch.setenv("SESSSCAN_HOME", str(folder / "state"))
        life = live(folder, number, keep_at)
        found = plan(life, monkeypatch)
        for truth in life.lost:
            action = found[str(truth.row.path)]
            case = f"seed {number}, {truth.row.session_id}, {truth.damage}, by {truth.evidence}"
            provable += truth.provable
            if action.kind == "restore" and action.cli_session_id != truth.right:
                wrong.append((case, action.evidence, truth.right))
            if action.kind == "hold" and truth.provable:
                held.append((case, action.error))
    assert wrong == []
    assert len(held) <= 2 + HELD_AT_MOST * provable, held
