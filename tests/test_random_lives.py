"""Random days of the app with a crash at their end: no lost row gets a wrong transcript, and few that
could be proved are held."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sessscan.reconciliation import reconcile
from sessscan.snapshots.capture import capture_rows
from sessscan.snapshots.database import FILE
from sessscan.snapshots.store import Snapshots
from support.random_lives import Life, live
from support.store_factory import DAY, NOW

HELD_AT_MOST = 0.05
"""So large a part of the rows that could be proved may be held."""


def keep_at(rows: list[Path], time: int) -> None:
    """Take a snapshot of rows, as if at a time (epoch ms)."""
    home = Path(os.environ["SESSSCAN_HOME"])
    with Snapshots.open(home) as snapshots:
        capture_rows(snapshots, rows)
    with contextlib.closing(sqlite3.connect(home / FILE)) as database, database:
        database.execute("UPDATE version SET taken_at = ? WHERE taken_at > ?", (time, NOW + DAY))


def verdicts(life: Life, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    scandir = os.scandir
    hidden = {str(folder) for folder in life.unlistable}

    def refusing(path: Any = ".") -> Any:
        if os.fspath(path) in hidden:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        plan = reconcile(life.user_data, life.projects, now=NOW)
    return {action.path: action for action in plan.actions}


def test_no_wrong_match_and_few_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    provable: Counter[str] = Counter()
    for seed in range(int(os.environ.get("LIVES", "60"))):
        folder = tmp_path / str(seed)
        monkeypatch.setenv("SESSSCAN_HOME", str(folder / "state"))
        life = live(folder, seed, keep_at)
        found = verdicts(life, monkeypatch)
        for truth in life.lost:
            action = found[str(truth.row.path)]
            told = f"seed {seed}, {truth.row.session_id}, {truth.damage}, {truth.evidence}"
            if action.kind == "restore":
                outcome = "right" if action.cli_session_id == truth.right else "wrong"
            else:
                outcome = "held"
            counts[(truth.evidence, outcome)] += 1
            if truth.provable:
                provable[outcome] += 1
            if outcome == "wrong" or (outcome == "held" and truth.provable and os.environ.get("SHOW")):
                print(outcome, told, action.error or action.evidence, "right is", truth.right)
    print(sorted(counts.items()), provable)
    assert not [1 for (_, outcome), n in counts.items() if outcome == "wrong" and n]
    assert provable["held"] <= HELD_AT_MOST * provable.total()
