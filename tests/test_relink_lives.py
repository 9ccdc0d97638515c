"""Random days of the app, after which rows lose their links: none is given a wrong transcript.

The rows that a crash has spared lose the id of their transcript in each way that is known; some transcripts
are gone, and strangers that began and ended at nearly the same time, in the same folder and with as many
turns, lie beside others. Strangers nearer than the store's rows lie to their own transcripts cannot be told
from these, and are not made.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sessscan.changes.undo import choose, undo
from sessscan.reconciliation import reconcile
from support.random_lives import live
from support.store_factory import NOW, compact
from support.transcript_factory import Record, line, new_id, stamp
from test_truth import picture

pytestmark = pytest.mark.full

BATCH = 10
BATCHES = [0, *(pytest.param(batch, marks=pytest.mark.thorough) for batch in range(1, 20))]
"""Ten stores each: 200 under `-m thorough`."""
WAYS = ("absent", "null", "nowhere", "hollow")
NEAREST = 5_500
"""Ms. A stranger begins or ends at least so far from a row's own session."""
RELINKED_AT_LEAST = 0.5
"""So large a part of the rows whose transcript is there is linked again. Lost rows that may have had it, two
that want one, strangers and what cannot be looked at make holds of the others."""


@pytest.mark.parametrize("batch", BATCHES)
def test_no_wrong_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, batch: int, record_property: Any
) -> None:
    counts: Counter[str] = Counter()
    for number in range(seed + batch * BATCH, seed + (batch + 1) * BATCH):
        folder = tmp_path / str(number)
        monkeypatch.setenv("SESSSCAN_HOME", str(folder / "state"))
        counts += life_without_links(folder, number)
    for name, count in counts.items():
        record_property(name, count)
    print(f"batch {batch}: {dict(counts)}")
    assert counts["wrong"] == 0
    assert counts["relinked"] >= RELINKED_AT_LEAST * counts["there"] - 2, counts


def life_without_links(folder: Path, number: int) -> Counter[str]:
    """Live, take the links from rows, reconcile, apply, apply again and undo; count the outcomes."""
    dice = Random(number)
    life = live(folder, number, lambda rows, time: None)
    truth = take_links(life.user_data, life.projects, dice)
    before = picture(life.user_data)
    plan = reconcile(life.user_data, life.projects, now=NOW)
    counts: Counter[str] = Counter()
    actions = {action.path: action for action in plan.actions}
    for path, (own, is_there) in truth.items():
        action = actions.get(str(path))
        counts["there"] += is_there
        if action is None:
            counts["left"] += 1
        elif action.kind == "hold":
            counts["held"] += 1
        else:
            right = action.kind == "relink" and action.cli_session_id == own
            assert right, f"seed {number}: WRONG LINK of {path} by {action.evidence}, not {own}"
            counts["relinked"] += 1
    linked = {action.path for action in plan.actions if action.kind == "relink"}
    assert linked <= {str(path) for path in truth}
    report = plan.apply(force=True)
    assert {action.status for action in report.actions} <= {"applied", "held"}
    again = reconcile(life.user_data, life.projects, now=NOW)
    assert not linked & {action.path for action in again.actions}, "what is linked again is whole"
    if report.run is not None:
        chosen = choose(report.run)
        assert chosen is not None
        undo(chosen, force=True)
    after = picture(life.user_data)
    assert {path: facts[2] for path, facts in after.items()} == {p: f[2] for p, f in before.items()}
    return counts


def take_links(user_data: Path, projects: Path, dice: Random) -> dict[Path, tuple[str, bool]]:
    """Take the link from readable rows; return each with its own transcript, and whether that is there."""
    truth: dict[Path, tuple[str, bool]] = {}
    for path in sorted(user_data.glob("claude-code-sessions/*/*/local_*.json")):
        try:
            row = json.loads(path.read_bytes())
        except ValueError:
            continue
        own = row["cliSessionId"]
        files = list(projects.glob(f"*/{own}.jsonl"))
        if dice.random() < 0.4 or len(files) != 1 or not files[0].stat().st_size:
            continue
        status = path.stat()
        take_link(row, files[0].parent, dice)
        if dice.random() < 0.5:
            row |= {"transcriptUnavailable": True, "error": "not found"}
        path.write_bytes(compact(row))
        if dice.random() < 0.5:  # the app has saved it since, or not
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        if dice.random() < 0.3:
            add_stranger(files[0], dice)
        is_there = dice.random() < 0.75
        if not is_there:
            files[0].unlink()
        truth[path] = (own, is_there)
    return truth


def take_link(row: Record, folder: Path, dice: Random) -> None:
    way = dice.choice(WAYS)
    if way == "absent":
        del row["cliSessionId"]
    elif way == "null":
        row["cliSessionId"] = None
    else:
        row["cliSessionId"] = new_id(dice)
    if way == "hollow":
        stub = {"type": "mode", "mode": "x", "sessionId": row["cliSessionId"]}
        (folder / f"{row['cliSessionId']}.jsonl").write_bytes(line(stub))


def add_stranger(file: Path, dice: Random) -> None:
    """Put beside a transcript another session of nearly the same times, with as many turns and no row."""
    name = new_id(dice)
    try:
        records = [json.loads(one) for one in file.read_bytes().splitlines()]
    except ValueError:
        return
    first, last = (dice.choice((-1, 1)) * dice.randrange(NEAREST, 90_000) for _ in range(2))
    if dice.random() < 0.5:
        first, last = dice.choice(((first, 0), (0, last)))
    for place, record in enumerate(records):
        record |= {"uuid": new_id(dice), "sessionId": name}
        if "timestamp" in record:
            time = _milliseconds(record["timestamp"])
            shift = first + (last - first) * place // max(1, len(records) - 1)
            record["timestamp"] = stamp(time + shift)
    (file.parent / f"{name}.jsonl").write_bytes(b"".join(map(line, records)))


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
